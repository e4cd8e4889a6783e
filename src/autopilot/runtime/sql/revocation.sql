-- revoke: the API's word that a device's sign-in has ended
insert into revoked_device (device_id, revoked_at) values ($1, $2) on conflict (device_id) do nothing

-- is_revoked: whether a device, or its user, may not ask any more
select exists (select 1 from revoked_device where device_id = $1)
    or exists (select 1 from deleted_user where user_id = $2::bigint)

-- undelivered: what revoked devices asked for, and no machine was handed
select target_kind, target_id, request_id from receipt
join revoked_device d on d.device_id = receipt.actor::json ->> 'device_id'
where state = 'accepted' and method <> $1
order by target_kind, target_id, request_id limit $2

-- undelivered_of: the same, of one device
select target_kind, target_id, request_id from receipt
where actor::json ->> 'device_id' = $1 and state = 'accepted' and method <> $2
order by target_kind, target_id, request_id

-- undelivered_decisions: what revoked devices decided, and no machine was handed
select w.worker_id, a.approval_id, a.decided_seq
from approval a
join worker w using (worker_no)
join revoked_device d on d.device_id = a.decided_by::json ->> 'device_id'
where a.ended_at is null and a.state = 'decided'
order by w.worker_id, a.approval_id limit $1

-- undelivered_decisions_of: the same, of one device
select w.worker_id, a.approval_id, a.decided_seq
from approval a
join worker w using (worker_no)
where a.ended_at is null and a.state = 'decided' and a.decided_by::json ->> 'device_id' = $1
order by w.worker_id, a.approval_id

-- forget: no call of so long ago is still on its way
delete from revoked_device where revoked_at < $1
