-- receipts: of requests with one of these names, or of calls with one, that one may see
select r.*, w.worker_no
from receipt r
left join worker w on r.target_kind = 'worker' and w.worker_id = r.target_id
left join machine m on r.target_kind = 'machine' and m.machine_id = r.target_id
where (r.request_id = any($1::text[]) or r.x_request_id = any($1::text[]))
    and (visible(w.owner_user_id, w.owner_guest_scope, w.team_id, $2, $3, $4)
        or visible(m.owner_user_id, m.owner_guest_scope, m.team_id, $2, $3, $4))
order by r.created_at, r.request_id
limit $5;

-- approvals: that were decided by a call with one of these names, and that one may see
select a.approval_id, a.kind, a.decided_at, a.decided_by, a.decided_option, a.decided_seq, a.x_request_id, a.machine_id,
    w.worker_id, w.worker_no
from approval a
join worker w using (worker_no)
where a.decided_at is not null and a.x_request_id = any($1::text[])
    and visible(w.owner_user_id, w.owner_guest_scope, w.team_id, $2, $3, $4)
order by a.decided_at, a.approval_id
limit $5;

-- lines: of the audit, of calls with one of these names; one's own, or where $2 and $3 are null everybody's
select at, action, outcome, subject, user_id, guest_scope, device_id, machine_id, surface, x_request_id
from audit_entry
where x_request_id = any($1::text[]) and ($2::bigint is null or user_id = $2) and ($3::text is null or guest_scope = $3)
order by at, audit_id
limit $4;

-- events: of a worker's log between two seqs, in whose frames one of these quoted names stands
select e.seq, e.frame
from event e
where e.worker_no = $1 and e.seq >= $2 and e.seq <= $3
    and exists (select 1 from unnest($4::text[]) as n (name) where strpos(e.frame, n.name) > 0)
order by e.seq
limit $5;

-- recent: the workers that one may see whose logs grew last, or the one that is named
select w.worker_no, w.worker_id, h.latest_seq
from worker w
join worker_head h using (worker_no)
where visible(w.owner_user_id, w.owner_guest_scope, w.team_id, $1, $2, $3) and ($4::text is null or w.worker_id = $4)
order by h.updated_at desc, w.worker_no desc
limit $5;
