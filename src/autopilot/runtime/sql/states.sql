-- workers_of: a principal's workers, newest activity first
select *, clock_timestamp() as read_at
from worker_view
where visible(owner_user_id, owner_guest_scope, team_id, worker_id, $1, $2, $4)
order by updated_at desc, worker_no desc
limit $3;

-- workers: those of these workers that are the principal's
select *, clock_timestamp() as read_at
from worker_view
where worker_no = any($1::bigint[]) and visible(owner_user_id, owner_guest_scope, team_id, worker_id, $2, $3, $4);

-- open_receipts: what a principal's workers and machines were asked and have not ended
select r.*
from receipt r
where r.ended_at is null
  and ((r.target_kind = 'worker' and r.target_id in (
           select worker_id from worker where visible(owner_user_id, owner_guest_scope, team_id, worker_id, $1, $2, $4)))
    or (r.target_kind = 'machine' and r.target_id in (
           select machine_id from machine where visible(owner_user_id, owner_guest_scope, team_id, $1, $2, $4))))
order by r.created_at desc
limit $3;

-- ended_receipts: what ended within so many seconds of a principal's workers' and machines' requests, the latest first;
-- bounded in rows and bytes (at least one)
with ended as (
select r.*, coalesce(octet_length(r.response), 0) + octet_length(r.params) as size
from receipt r
where r.ended_at > clock_timestamp() - make_interval(secs => $3)
  and ((r.target_kind = 'worker' and exists (
           select from worker w
           where w.worker_id = r.target_id and visible(w.owner_user_id, w.owner_guest_scope, w.team_id, w.worker_id, $1, $2, $5)))
    or (r.target_kind = 'machine' and exists (
           select from machine m
           where m.machine_id = r.target_id and visible(m.owner_user_id, m.owner_guest_scope, m.team_id, $1, $2, $5))))
order by r.ended_at desc
limit $4
), told as (
select *, sum(size) over (order by ended_at desc, request_id, target_id) - size as before from ended
)
select * from told where before < $6 order by ended_at desc;

-- ended_receipts_of: the same of these workers' requests and of the principal's machines'
with ended as (
select r.*, coalesce(octet_length(r.response), 0) + octet_length(r.params) as size
from receipt r
where r.ended_at > clock_timestamp() - make_interval(secs => $4)
  and ((r.target_kind = 'worker' and r.target_id = any($1::text[]))
    or (r.target_kind = 'machine' and r.target_id in (
           select machine_id from machine where visible(owner_user_id, owner_guest_scope, team_id, $2, $3, $6))))
order by r.ended_at desc
limit $5
), told as (
select *, sum(size) over (order by ended_at desc, request_id, target_id) - size as before from ended
)
select * from told where before < $7 order by ended_at desc;

-- left: which of these workers the principal may still read
select worker_no from worker
where worker_no = any($1::bigint[]) and visible(owner_user_id, owner_guest_scope, team_id, worker_id, $2, $3, $4);

-- receipts: those of these that the principal may still read, by their identities
select r.*
from unnest($1::text[], $2::text[], $3::text[]) as named (target_kind, target_id, request_id)
join receipt r using (target_kind, target_id, request_id)
left join worker w on r.target_kind = 'worker' and w.worker_id = r.target_id
left join machine m on r.target_kind = 'machine' and m.machine_id = r.target_id
where visible(w.owner_user_id, w.owner_guest_scope, w.team_id, w.worker_id, $4, $5, $6)
    or visible(m.owner_user_id, m.owner_guest_scope, m.team_id, $4, $5, $6);
