-- workers_of: a principal's workers, newest activity first
select *, clock_timestamp() as read_at
from worker_view
where owner_user_id = $1 or owner_guest_scope = $2
order by updated_at desc, worker_no desc
limit $3;

-- workers: those of these workers that are the principal's
select *, clock_timestamp() as read_at
from worker_view
where worker_no = any($1::bigint[]) and (owner_user_id = $2 or owner_guest_scope = $3);

-- open_receipts: what a principal's workers and machines were asked and have not ended
select r.*
from receipt r
where r.ended_at is null
  and ((r.target_kind = 'worker' and r.target_id in (
           select worker_id from worker where owner_user_id = $1 or owner_guest_scope = $2))
    or (r.target_kind = 'machine' and r.target_id in (
           select machine_id from machine where owner_user_id = $1 or owner_guest_scope = $2)))
order by r.created_at desc
limit $3;

-- recent_receipts: what ended lately of these workers' requests and of the principal's machines'
select r.*
from receipt r
where r.ended_at > clock_timestamp() - interval '1 minute'
  and ((r.target_kind = 'worker' and r.target_id = any($1::text[]))
    or (r.target_kind = 'machine' and r.target_id in (
           select machine_id from machine where owner_user_id = $2 or owner_guest_scope = $3)))
order by r.ended_at
limit $4;
