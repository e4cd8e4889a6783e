-- mark: the API's word that an account was deleted
insert into deleted_user (user_id) values ($1) on conflict (user_id) do nothing

-- revoke: its devices, whose sign-ins ended with it
insert into revoked_device (device_id, revoked_at) select unnest($1::text[]), $2 on conflict (device_id) do nothing

-- left: users of whom something may be left, and whether calls of theirs can still be under way; the next after one
select user_id, deleted_at, deleted_at < clock_timestamp() - make_interval(secs => $2) as is_settled
from deleted_user where emptied_at is null and (deleted_at, user_id) > ($3, $4)
order by deleted_at, user_id limit $1

-- emptied: nothing is left; no row where somebody else said so
update deleted_user set emptied_at = clock_timestamp() where user_id = $1 and emptied_at is null returning user_id

-- open_workers: theirs that are not stopped, the next after one
select w.worker_id from worker w join worker_state s using (worker_no)
where w.owner_user_id = $1 and s.status not in ('stopped', 'failed') and w.worker_id > $2
order by w.worker_id limit $3

-- open_receipts: requests to their machines that have not ended, the next after one
select r.target_kind, r.target_id, r.request_id from receipt r join machine m on m.machine_id = r.target_id
where r.target_kind = 'machine' and r.ended_at is null and m.owner_user_id = $1
    and (r.target_id, r.request_id) > ($2, $3)
order by r.target_id, r.request_id limit $4

-- full_logs: theirs that have a payload left, the next after one. The runtime's own word that the account was deleted is
-- no words of theirs
select w.worker_id, f.below_seq
from worker w
join worker_head h using (worker_no)
join worker_state s using (worker_no)
cross join lateral (
    select h.latest_seq + case when s.stop_reason = 'account_deleted' and not s.stop_verified then 0 else 1 end as below_seq
) f
where w.owner_user_id = $1 and w.worker_id > $2
    and exists (select from event e where e.worker_no = w.worker_no and e.seq < f.below_seq and not e.pruned)
order by w.worker_id limit $3
