-- mark: the API's word that an account was deleted
insert into deleted_user (user_id) values ($1) on conflict (user_id) do nothing

-- revoke: its devices, whose sign-ins ended with it
insert into revoked_device (device_id, revoked_at) select unnest($1::text[]), $2 on conflict (device_id) do nothing

-- left: users of whom something may be left, and whether calls of theirs can still be under way
select user_id, deleted_at < clock_timestamp() - make_interval(secs => $2) as is_settled
from deleted_user where emptied_at is null order by deleted_at, user_id limit $1

-- emptied: nothing is left; no row where somebody else said so
update deleted_user set emptied_at = clock_timestamp() where user_id = $1 and emptied_at is null returning user_id

-- open_workers: theirs that are not stopped
select w.worker_id from worker w join worker_state s using (worker_no)
where w.owner_user_id = $1 and s.status not in ('stopped', 'failed') order by w.worker_id

-- open_receipts: requests to their machines that have not ended
select r.target_kind, r.target_id, r.request_id from receipt r join machine m on m.machine_id = r.target_id
where r.target_kind = 'machine' and r.ended_at is null and m.owner_user_id = $1 order by r.target_id, r.request_id

-- full_logs: theirs that have a payload left before their latest event
select w.worker_id, h.latest_seq from worker w join worker_head h using (worker_no)
where w.owner_user_id = $1
    and exists (select 1 from event e where e.worker_no = w.worker_no and e.seq < h.latest_seq and not e.pruned)
order by w.worker_id

-- lock_machines: before workers, as whoever moves machines locks them
select machine_id from machine where owner_user_id = $1 order by machine_id for no key update

-- blank_workers: what is said of their workers beside the logs
update worker set workspace_ref = null, codex_home_ref = null, metadata = '{}' where owner_user_id = $1

-- blank_states: what was derived from the logs
update worker_state s set facts = '{}' from worker w where w.worker_no = s.worker_no and w.owner_user_id = $1

-- blank_approvals: what was asked and answered; who decided what stays. No operator for JSON reads the decision itself,
-- which may hold a person's words with \u0000
update approval a set request = '{}', params = '{}',
    decision = case when a.decision is null then null else json_build_object(
        'actor', a.decided_by::json, 'option_id', a.decided_option)::text end
from worker w where w.worker_no = a.worker_no and w.owner_user_id = $1

-- blank_receipts: what was requested of their workers and machines, and what came of it; that it was stays
update receipt r set params = '{}', response = null, error = null
where (r.target_kind = 'worker' and r.target_id in (select worker_id from worker where owner_user_id = $1))
    or (r.target_kind = 'machine' and r.target_id in (select machine_id from machine where owner_user_id = $1))

-- blank_machines: what their machines are called
update machine set name = '', platform = null where owner_user_id = $1

-- forget_facts: what their machines' Codex said last
delete from machine_fact where machine_id in (select machine_id from machine where owner_user_id = $1)

-- forget_feeds: what waits for machines that come no more
delete from feed_entry where machine_id in (select machine_id from machine where owner_user_id = $1)

-- forget_policies: the documents that were theirs alone
delete from policy_document where subject_kind = 'user' and subject_id = $1::bigint::text
