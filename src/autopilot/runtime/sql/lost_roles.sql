-- depart: a membership has ended, or became a viewer's; no row where that is known
insert into departed_membership (membership_no) values ($1) on conflict do nothing returning membership_no

-- has_departed: whether it has
select exists (select from departed_membership where membership_no = $1)

-- requests_of: what was asked for through this membership, and no machine was handed
select target_kind, target_id, request_id from receipt
where membership_no = $1 and state = 'accepted' and method <> $2
order by target_kind, target_id, request_id

-- requests_left: the same, of all memberships that have ended
select target_kind, target_id, request_id
from receipt join departed_membership using (membership_no)
where state = 'accepted' and method <> $1
order by target_kind, target_id, request_id limit $2

-- decisions_of: what was decided through this membership, and no machine was handed
select w.worker_id, a.approval_id, a.decided_seq
from approval a join worker w using (worker_no)
where a.decided_membership_no = $1 and a.ended_at is null and a.state = 'decided'
order by w.worker_id, a.approval_id

-- decisions_left: the same, of all memberships that have ended
select w.worker_id, a.approval_id, a.decided_seq
from approval a
join departed_membership d on d.membership_no = a.decided_membership_no
join worker w using (worker_no)
where a.ended_at is null and a.state = 'decided'
order by w.worker_id, a.approval_id limit $1

-- requests_at: what members asked of these machines and of their workers, and no machine was handed
select target_kind, target_id, request_id from receipt
where state = 'accepted' and membership_no is not null and method <> $2
    and ((target_kind = 'machine' and target_id = any($1::text[]))
        or (target_kind = 'worker' and target_id in (
            select w.worker_id from lease l join worker w using (worker_no) where l.machine_id = any($1::text[]))))
order by target_kind, target_id, request_id

-- requests_at_worker: the same, of one worker
select target_kind, target_id, request_id from receipt
where state = 'accepted' and membership_no is not null and method <> $2 and target_kind = 'worker' and target_id = $1
order by request_id

-- decisions_at: what members decided of the workers of these machines, and no machine was handed
select w.worker_id, a.approval_id, a.decided_seq
from approval a
join worker w using (worker_no)
join lease l using (worker_no)
where a.decided_membership_no is not null and a.ended_at is null and a.state = 'decided'
    and l.machine_id = any($1::text[])
order by w.worker_id, a.approval_id
