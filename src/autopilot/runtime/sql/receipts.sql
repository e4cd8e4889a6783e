-- receipt: one receipt
select * from receipt where target_kind = $1 and target_id = $2 and request_id = $3

-- receipt_locked: one receipt, locked; a worker's is only ever changed under its worker's lock
select * from receipt where target_kind = $1 and target_id = $2 and request_id = $3 for update

-- lock: lock receipts of one target, in one order everywhere
select 1 from receipt where target_kind = $1 and target_id = $2 and request_id = any($3::text[])
order by request_id for update

-- accept: store a receipt before anything acts on it; no row when the request is known
insert into receipt (target_kind, target_id, request_id, machine_id, method, digest, state, params, error, actor,
    x_request_id, traceparent, created_at, expires_at, ended_at, policy_versions, membership_no)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
on conflict do nothing
returning request_id

-- accepted_at_seq: the event that says it was received
update receipt set accepted_seq = $4 where target_kind = $1 and target_id = $2 and request_id = $3

-- step: one state on
update receipt set
    state = $4,
    response = coalesce($5, response),
    artifacts = coalesce($9, artifacts),
    error = case when $4 = 'completed' then null else coalesce($6, error) end,
    delivered_at = case when $4 = 'delivered' then coalesce(delivered_at, $7) else delivered_at end,
    acknowledged_at = case when $4 = 'acknowledged' then coalesce(acknowledged_at, $7) else acknowledged_at end,
    ended_at = case when $8 then $7 else null end
where target_kind = $1 and target_id = $2 and request_id = $3
returning *

-- of_workers: the receipts of these workers' requests, locked
select r.* from unnest($1::text[], $2::text[]) as k (worker_id, request_id)
join receipt r on r.target_kind = 'worker' and r.target_id = k.worker_id and r.request_id = k.request_id
for update of r

-- open_of_worker: a worker's receipts that have not ended, oldest first
select * from receipt where target_kind = 'worker' and target_id = $1 and ended_at is null
order by created_at, request_id for update

-- assign: this machine is to execute it from now on
update receipt set machine_id = $3 where target_kind = 'worker' and target_id = $1 and request_id = any($2::text[])

-- due: receipts whose deadline has passed
select target_kind, target_id, request_id from receipt
where ended_at is null and expires_at is not null
    and ((state = 'accepted' and expires_at <= $1) or (state = 'delivered' and expires_at <= $2))
order by expires_at limit $3

-- put_delivery: the sealed params
insert into delivery (target_kind, target_id, request_id, key_id, ciphertext) values ($1, $2, $3, $4, $5)

-- drop_delivery: nothing needs the exact params any more
delete from delivery where target_kind = $1 and target_id = $2 and request_id = $3

-- started_seq: where the worker's present span began
select max(seq) from event where worker_no = $1 and event_type = 'worker.started'

-- open_stop: the stop that a worker's machine was asked for
select request_id from receipt
where target_kind = 'worker' and target_id = $1 and method = 'worker/stop' and ended_at is null
order by created_at desc limit 1

-- keep_stopped: what the machine says of its stop
update receipt set response = $3
where target_kind = 'worker' and target_id = $1 and request_id = $2 and method = 'worker/stop' and state = 'completed'
    and response is null

-- unreachable: whether the machine that is to do it is away; null where no machine ever was to
select case when $1 = 'worker'
    then (select l.released_at is not null or l.expires_at <= clock_timestamp()
          from lease l join worker w using (worker_no) where w.worker_id = $2)
    else coalesce(
        (select b.last_heard_at <= clock_timestamp() - interval '60 seconds' from machine_beat b where b.machine_id = $2),
        true)
    end
