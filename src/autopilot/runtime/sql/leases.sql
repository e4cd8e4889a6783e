-- claim: the machine holds the worker from now on, under this generation
insert into lease (worker_no, machine_id, generation, claimed_at, expires_at, ttl_ms)
values ($1, $2, $3, $4, $5, $6)
on conflict (worker_no) do update set
    machine_id = excluded.machine_id,
    generation = excluded.generation,
    claimed_at = excluded.claimed_at,
    expires_at = excluded.expires_at,
    ttl_ms = excluded.ttl_ms,
    released_at = null,
    expiry_recorded_at = null

-- renew: these leases hold for their own ttl from now on; leases are locked in one order everywhere
with held as (
    select worker_no from lease
    where worker_no = any($1::bigint[]) and released_at is null and expires_at > $2::timestamptz
    order by worker_no for update
)
update lease l set expires_at = $2::timestamptz + l.ttl_ms * interval '1 millisecond'
from held where l.worker_no = held.worker_no

-- release: a clean end
update lease set released_at = $2 where worker_no = $1

-- record_expiry: its end is in the log
update lease set expiry_recorded_at = $2 where worker_no = $1

-- expiry_recorded: whether its end is in the log
select expiry_recorded_at is not null from lease where worker_no = $1

-- due: workers whose lease ran out and whose log does not say so yet
select w.worker_id from lease l join worker w using (worker_no)
where l.expires_at <= $1 and l.released_at is null and l.expiry_recorded_at is null
order by l.expires_at limit $2

-- named: what a heartbeat must know of the workers it names, if they are its principal's
select w.worker_id, w.worker_no, s.status, l.machine_id, l.generation, l.expires_at, l.released_at
from worker w
join worker_state s using (worker_no)
join lease l using (worker_no)
where w.worker_id = any($1::text[])
    and w.owner_user_id is not distinct from $2::bigint
    and w.owner_guest_scope is not distinct from $3::text

-- beat: these workers were heard of; beats are locked in one order, before leases
with heard as (
    select worker_no from worker_beat where worker_no = any($1::bigint[]) order by worker_no for update
)
update worker_beat b set last_heartbeat_at = greatest(b.last_heartbeat_at, $2::timestamptz)
from heard where b.worker_no = heard.worker_no

-- renew_held: renew what this machine holds under these generations; what is missing from the answer it does not hold
with held as (
    select l.worker_no from lease l
    join unnest($2::bigint[], $3::bigint[]) as n (worker_no, generation)
        on n.worker_no = l.worker_no and n.generation = l.generation
    where l.machine_id = $1 and l.released_at is null and l.expires_at > $4::timestamptz
    order by l.worker_no for update of l
)
update lease l set expires_at = $4::timestamptz + l.ttl_ms * interval '1 millisecond'
from held where l.worker_no = held.worker_no
returning l.worker_no, l.expires_at
