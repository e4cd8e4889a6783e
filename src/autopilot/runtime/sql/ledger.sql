-- lock_workers: take the workers' locks in worker_id order; what is read about them is read after this
select h.worker_no
from worker w
join worker_head h using (worker_no)
where w.worker_id = any($1::text[])
order by w.worker_id
for update of h;

-- read_workers: what an append must know of its workers
select w.worker_no, w.worker_id, w.owner_user_id, w.owner_guest_scope, w.team_id, w.adapter,
       h.latest_seq, h.oldest_seq, h.log_bytes, h.updated_at,
       s.status, s.started_at, s.stopped_at, s.stop_reason, s.stop_verified, s.facts,
       l.machine_id, l.generation, l.claimed_at, l.expires_at, l.released_at, l.ttl_ms,
       clock_timestamp() as read_at
from worker w
join worker_head h using (worker_no)
join worker_state s using (worker_no)
left join lease l using (worker_no)
where w.worker_no = any($1::bigint[]);

-- find_worker: the same of one worker by its id, without a lock
select w.worker_no, w.worker_id, w.owner_user_id, w.owner_guest_scope, w.team_id, w.adapter,
       h.latest_seq, h.oldest_seq, h.log_bytes, h.updated_at,
       s.status, s.started_at, s.stopped_at, s.stop_reason, s.stop_verified, s.facts,
       l.machine_id, l.generation, l.claimed_at, l.expires_at, l.released_at, l.ttl_ms,
       clock_timestamp() as read_at
from worker w
join worker_head h using (worker_no)
join worker_state s using (worker_no)
left join lease l using (worker_no)
where w.worker_id = $1;

-- find_events: which of these identities are recorded already, and by what their content is known again
select e.worker_no, e.event_id, e.seq, e.occurred_at, coalesce(e.content_digest, e.digest) as digest,
       octet_length(e.frame) as frame_bytes
from unnest($1::bigint[], $2::text[]) as k (worker_no, event_id)
join event e on e.worker_no = k.worker_no and e.event_id = k.event_id;

-- find_contents: the same of some that were stored as they were sent, with the frame where it still has the payload
select e.worker_no, e.seq, e.event_id, e.event_type, coalesce(e.content_digest, e.digest) as digest, e.frame
from unnest($1::bigint[], $2::bigint[]) as k (worker_no, seq)
join event e on e.worker_no = k.worker_no and e.seq = k.seq;

-- find_producers: the highest producer_seq of each worker and machine
select p.worker_no, p.machine_id, p.producer_seq
from unnest($1::bigint[], $2::text[]) as k (worker_no, machine_id)
join producer p on p.worker_no = k.worker_no and p.machine_id = k.machine_id;

-- insert_events: raise the heads and store the rows in one statement
with head as (
    update worker_head h
    set latest_seq = n.latest_seq, log_bytes = n.log_bytes, updated_at = n.updated_at
    from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[])
        as n (worker_no, latest_seq, log_bytes, updated_at)
    where h.worker_no = n.worker_no
)
insert into event (worker_no, seq, event_id, event_type, digest, frame, end_byte, occurred_at)
select n.worker_no, n.seq, n.event_id, n.event_type, n.digest, n.frame, n.end_byte, $12::timestamptz
from unnest($5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::bytea[], $10::text[], $11::bigint[])
    as n (worker_no, seq, event_id, event_type, digest, frame, end_byte);

-- append_standing: the same for `worker.event` where every head and every counter still is where it was left; else
-- nothing at all. One element a worker, with all of its rows in it: ids between spaces, frames between line ends.
with believed as (
    select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[])
        as b (worker_no, from_seq, latest_seq, log_bytes, updated_at)
),
counted as (
    select * from unnest($11::bigint[], $12::text[], $13::bigint[], $14::bigint[])
        as c (worker_no, machine_id, from_seq, producer_seq)
),
held as (
    select b.*
    from believed b join worker w using (worker_no) join worker_head h using (worker_no)
    where h.latest_seq = b.from_seq
    order by w.worker_id for update of h
),
followed as (
    -- After the heads: counters move under their locks, sometimes alone (a heartbeat is counted, and is no row).
    select c.*
    from held join counted c using (worker_no) join producer p using (worker_no, machine_id)
    where p.producer_seq = c.from_seq for update of p
),
sound as (
    select 1 where (select count(*) from held) = cardinality($1) and (select count(*) from followed) = cardinality($11)
),
head as (
    update worker_head h
    set latest_seq = b.latest_seq, log_bytes = b.log_bytes, updated_at = b.updated_at
    from sound, held b where h.worker_no = b.worker_no
),
counter as (
    update producer p
    set producer_seq = f.producer_seq
    from sound, followed f where p.worker_no = f.worker_no and p.machine_id = f.machine_id
)
insert into event (worker_no, seq, event_id, event_type, digest, frame, end_byte, occurred_at)
select b.worker_no, b.from_seq + n.place, n.event_id, 'worker.event',
       case when b.digests = '' then ''
            else case substring(b.digests from 16 * n.place::int - 15 for 16)
                 when '\x00000000000000000000000000000000' then null
                 when '\xffffffffffffffffffffffffffffffff' then ''
                 else substring(b.digests from 16 * n.place::int - 15 for 16) end end,
       n.frame, n.end_byte, $10::timestamptz
from sound,
     unnest($1::bigint[], $2::bigint[], $6::text[], $7::bytea[], $8::text[], $9::text[])
         as b (worker_no, from_seq, event_ids, digests, frames, end_bytes),
     rows from (string_to_table(b.event_ids, ' '), string_to_table(b.frames, E'\n'), unnest(b.end_bytes::bigint[]))
         with ordinality as n (event_id, frame, end_byte, place);

-- append_to_one: the same for one worker, no counter, and rows with the same digest or none. The functions in the select
-- list go on together, a row at a time: nothing is kept aside, as it is of functions in `from`.
with head as (
    update worker_head
    set latest_seq = $3, log_bytes = $4, updated_at = $5
    where worker_no = $1 and latest_seq = $2
    returning worker_no
)
insert into event (worker_no, seq, event_id, event_type, digest, frame, end_byte, occurred_at)
select worker_no, generate_series($2::bigint + 1, $3::bigint), string_to_table($6, ' '), 'worker.event', $7::bytea,
       string_to_table($8, E'\n'), unnest($9::text::bigint[]), $10::timestamptz
from head;

-- append_to_one_counted: the same with a counter, which moves under the head's lock, and only where it stands as believed;
-- then the head does.
with held as (
    select worker_no from worker_head where worker_no = $1 and latest_seq = $2 for update
),
counter as (
    update producer p
    set producer_seq = $13
    from held where p.worker_no = held.worker_no and p.machine_id = $11 and p.producer_seq = $12
    returning p.worker_no
),
head as (
    update worker_head h
    set latest_seq = $3, log_bytes = $4, updated_at = $5
    from counter where h.worker_no = counter.worker_no
    returning h.worker_no
)
insert into event (worker_no, seq, event_id, event_type, digest, frame, end_byte, occurred_at)
select worker_no, generate_series($2::bigint + 1, $3::bigint), string_to_table($6, ' '), 'worker.event', $7::bytea,
       string_to_table($8, E'\n'), unnest($9::text::bigint[]), $10::timestamptz
from head;

-- save_states: turning points and derived facts of workers
update worker_state s
set status = n.status, started_at = n.started_at, stopped_at = n.stopped_at, stop_reason = n.stop_reason,
    stop_verified = n.stop_verified, facts = n.facts
from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::boolean[], $7::text[])
    as n (worker_no, status, started_at, stopped_at, stop_reason, stop_verified, facts)
where s.worker_no = n.worker_no;

-- save_producers: the highest producer_seq, where it moved
insert into producer (worker_no, machine_id, producer_seq)
select n.worker_no, n.machine_id, n.producer_seq
from unnest($1::bigint[], $2::text[], $3::bigint[]) as n (worker_no, machine_id, producer_seq)
on conflict (worker_no, machine_id) do update set producer_seq = excluded.producer_seq;

-- save_beats: workers heard of now
update worker_beat
set last_heartbeat_at = clock_timestamp()
where worker_no = any($1::bigint[]);
