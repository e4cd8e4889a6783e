-- lock_machines: before workers, as whoever moves machines locks them
select machine_id from machine where owner_user_id = $1 order by machine_id for no key update

-- blank_workers: what is said of their workers beside the logs
with page as (
    select worker_no from worker
    where owner_user_id = $1
        and (workspace_ref is not null or codex_home_ref is not null or adapter is not null or metadata <> '{}')
    order by worker_id limit $2 for no key update
)
update worker w set workspace_ref = null, codex_home_ref = null, adapter = null, metadata = '{}'
from page p where w.worker_no = p.worker_no

-- blank_states: what was derived from the logs, and why a worker was stopped where somebody else said so
with page as (
    select s.worker_no from worker w join worker_state s using (worker_no)
    where w.owner_user_id = $1 and (s.facts <> '{}' or s.stop_reason <> 'account_deleted')
    order by w.worker_id limit $2 for no key update of s
)
update worker_state s
set facts = '{}', stop_reason = case when s.stop_reason = 'account_deleted' then s.stop_reason end
from page p where s.worker_no = p.worker_no

-- blank_approvals: what was asked and answered; who decided what stays. No operator for JSON reads the decision itself,
-- which may hold a person's words with \u0000
with page as (
    select a.approval_id, d.blank
    from worker w
    join approval a using (worker_no)
    cross join lateral (
        select case when a.decision is not null then json_build_object(
            'actor', a.decided_by::json, 'option_id', a.decided_option)::text end as blank
    ) d
    where w.owner_user_id = $1 and (a.request <> '{}' or a.params <> '{}' or a.decision is distinct from d.blank)
    order by w.worker_id, a.approval_id limit $2 for update of a
)
update approval a set request = '{}', params = '{}', decision = p.blank from page p where a.approval_id = p.approval_id

-- blank_receipts: what was requested of their workers and machines, and what came of it; that it was stays
with target as (
    select 'worker' as target_kind, worker_id as target_id from worker where owner_user_id = $1
    union all
    select 'machine', machine_id from machine where owner_user_id = $1
), page as (
    select r.target_kind, r.target_id, r.request_id from target t join receipt r using (target_kind, target_id)
    where r.params <> '{}' or r.response is not null or r.error is not null or r.artifacts is not null
    order by r.target_kind, r.target_id, r.request_id limit $2 for update of r
)
update receipt r set params = '{}', response = null, error = null, artifacts = null
from page p
where r.target_kind = p.target_kind and r.target_id = p.target_id and r.request_id = p.request_id

-- blank_artifacts: where in their events artifacts were, whose content went with these
with page as (
    select a.artifact_no from worker w join artifact a using (worker_no)
    where w.owner_user_id = $1 and a.state = 'pruned' and a.path <> ''
    order by w.worker_id, a.artifact_id limit $2 for update of a
)
update artifact a set path = '' from page p where a.artifact_no = p.artifact_no

-- blank_machines: what their machines are called
with page as (
    select machine_id from machine where owner_user_id = $1 and (name <> '' or platform is not null)
    order by machine_id limit $2 for no key update
)
update machine m set name = '', platform = null from page p where m.machine_id = p.machine_id

-- forget_facts: what their machines' Codex said last
with page as (
    select f.machine_id, f.method from machine m join machine_fact f using (machine_id)
    where m.owner_user_id = $1 order by f.machine_id, f.method limit $2 for update of f
)
delete from machine_fact f using page p where f.machine_id = p.machine_id and f.method = p.method

-- forget_feeds: what waits for machines that come no more
with page as (
    select e.machine_id, e.feed_seq from machine m join feed_entry e using (machine_id)
    where m.owner_user_id = $1 order by e.machine_id, e.feed_seq limit $2 for update of e
)
delete from feed_entry e using page p where e.machine_id = p.machine_id and e.feed_seq = p.feed_seq

-- forget_policies: the documents that were theirs alone
with page as (
    select subject_id, version from policy_document
    where subject_kind = 'user' and subject_id = $1::bigint::text order by version limit $2 for update
)
delete from policy_document d using page p
where d.subject_kind = 'user' and d.subject_id = p.subject_id and d.version = p.version
