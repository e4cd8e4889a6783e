-- open: rows of questions asked just now; a question that is known already stays as it is
insert into approval (approval_id, worker_no, machine_id, kind, state, request, params, requested_seq, requested_at,
    expires_at)
select n.approval_id, n.worker_no, n.machine_id, n.kind, 'pending', n.request, n.params, n.requested_seq, n.requested_at,
    n.expires_at
from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[],
        $9::timestamptz[])
    as n (approval_id, worker_no, machine_id, kind, request, params, requested_seq, requested_at, expires_at)
on conflict (approval_id) do nothing

-- finish: the first end of each is its end; one that was applied without a decision of ours was answered elsewhere
update approval a
set state = case when n.state = 'applied' and a.state = 'pending' then 'superseded' else n.state end,
    outcome = n.outcome, closed_reason = n.reason, ended_at = n.ended_at
from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
    as n (approval_id, worker_no, state, outcome, reason, ended_at)
where a.approval_id = n.approval_id and a.worker_no = n.worker_no and a.ended_at is null
    and (n.state <> 'expired' or a.state = 'pending')
returning a.approval_id

-- decide: a person's answer, or a rule's
update approval
set state = 'decided', decision = $2, decision_digest = $3, decided_seq = $4, decided_at = $5, x_request_id = $6,
    traceparent = $7, decided_by = $8, decided_option = $9, decided_membership_no = $10
where approval_id = $1

-- deliver: the executor is handed these answers from this commit on
update approval set state = 'delivered', delivered_at = $2
where approval_id = any($1::text[]) and state = 'decided'
returning worker_no

-- reopen: take back these decisions, where no machine was handed them; the question waits for a person again
with was as (
    select a.approval_id, a.kind, a.decision, a.x_request_id
    from unnest($1::text[], $2::bigint[]) as n (approval_id, decided_seq)
    join approval a on a.approval_id = n.approval_id and a.decided_seq = n.decided_seq and a.state = 'decided'
    for update of a
)
update approval a
set state = 'pending', decision = null, decision_digest = null, decided_seq = null, decided_at = null,
    x_request_id = null, traceparent = null, decided_by = null, decided_option = null, decided_membership_no = null
from was where a.approval_id = was.approval_id
returning was.*

-- put_answer: what must reach Codex exactly, sealed
insert into approval_answer (approval_id, key_id, ciphertext) values ($1, $2, $3)

-- drop_answers: nothing needs them any more
delete from approval_answer where approval_id = any($1::text[])

-- approval: one approval
select *, clock_timestamp() as read_at from approval_view where approval_id = $1

-- open_of_worker: a worker's approvals that have not ended, oldest first
select approval_id, machine_id from approval where worker_no = $1 and ended_at is null order by requested_at, approval_id

-- due: pending ones whose time is over
select a.approval_id, w.worker_id
from approval a join worker w using (worker_no)
where a.state = 'pending' and a.expires_at is not null and a.expires_at <= $1
order by a.expires_at limit $2

-- oldest_first: a page of a principal's approvals that have not ended, bounded in rows and bytes (at least one)
with found as (
    select * from approval_view
    where visible(owner_user_id, owner_guest_scope, team_id, worker_id, $1, $2, $9)
        and ($3::bigint is null or worker_no = $3)
        and ended_at is null and (state = 'pending' or not $4)
        and ($5::timestamptz is null or (requested_at, approval_id) > ($5, $6::text))
    order by requested_at, approval_id
    limit $7
),
page as (
    select *, count(*) over () as found, clock_timestamp() as read_at,
        sum(octet_length(request) + octet_length(params)) over (order by requested_at, approval_id)
            - octet_length(request) - octet_length(params) as before
    from found
)
select * from page where before < $8 order by requested_at, approval_id

-- newest_first: a page of all of a principal's approvals, or of those that have ended, bounded alike
with found as (
    select * from approval_view
    where visible(owner_user_id, owner_guest_scope, team_id, worker_id, $1, $2, $9)
        and ($3::bigint is null or worker_no = $3)
        and (ended_at is not null or not $4)
        and ($5::timestamptz is null or (requested_at, approval_id) < ($5, $6::text))
    order by requested_at desc, approval_id desc
    limit $7
),
page as (
    select *, count(*) over () as found, clock_timestamp() as read_at,
        sum(octet_length(request) + octet_length(params)) over (order by requested_at desc, approval_id desc)
            - octet_length(request) - octet_length(params) as before
    from found
)
select * from page where before < $8 order by requested_at desc, approval_id desc

-- answers: what feed entries of kind decision are about
select a.approval_id, a.worker_no, a.decided_seq, a.machine_id, a.state, a.ended_at, a.decision, a.decided_at, a.x_request_id,
    a.traceparent, w.worker_id, s.key_id, s.ciphertext
from unnest($1::text[], $2::bigint[]) as n (worker_id, decided_seq)
join worker w using (worker_id)
join approval a on a.worker_no = w.worker_no and a.decided_seq = n.decided_seq
left join approval_answer s using (approval_id)

-- told_of: of a principal's approvals what ended within so many seconds, then what has not ended; bounded in rows, and
-- each part in bytes (at least one)
with ended as (
    select * from approval_view
    where visible(owner_user_id, owner_guest_scope, team_id, worker_id, $1, $2, $6)
        and ended_at > clock_timestamp() - make_interval(secs => $3)
    order by ended_at desc
    limit $4
),
open as (
    select * from approval_view
    where visible(owner_user_id, owner_guest_scope, team_id, worker_id, $1, $2, $6) and ended_at is null
    order by requested_at, approval_id
    limit $4
),
told as (
    select *, count(*) over () as found,
        sum(octet_length(request) + octet_length(params)) over (order by ended_at desc, approval_id)
            - octet_length(request) - octet_length(params) as before
    from ended
    union all
    select *, count(*) over () as found,
        sum(octet_length(request) + octet_length(params)) over (order by requested_at, approval_id)
            - octet_length(request) - octet_length(params) as before
    from open
)
select *, clock_timestamp() as read_at from told where before < $5
order by ended_at nulls last, requested_at, approval_id

-- approvals: these
select *, clock_timestamp() as read_at from approval_view where approval_id = any($1::text[])
