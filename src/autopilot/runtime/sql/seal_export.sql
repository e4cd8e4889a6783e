-- events: of one log or all, each with the seal that covers it
select w.worker_id, e.seq, e.event_id, e.event_type, e.occurred_at, e.frame, e.pruned, s.seal_no
from worker w
join event e using (worker_no)
left join lateral (
    select seal_no from seal
    where source = 'worker' and log_no = w.worker_no and to_seq >= e.seq order by to_seq limit 1
) s on true
where ($1::text is null or w.worker_id = $1)
  and ($2::bigint is null or e.seq >= $2)
  and ($3::bigint is null or e.seq <= $3)
order by w.worker_no, e.seq;

-- machine_requests: all requests that were addressed to machines, in the order they came
select target_id as machine_id, request_id, method, state, created_at, actor, x_request_id, policy_versions, error
from receipt
where target_kind = 'machine'
order by created_at, target_id, request_id;

-- audit: entries of the audit log, each with the seal that covers it
select a.*, s.seal_no
from audit_entry a
left join lateral (
    select seal_no from seal where source = 'audit' and log_no = 1 and to_seq >= a.seq order by to_seq limit 1
) s on true
order by a.seq;
