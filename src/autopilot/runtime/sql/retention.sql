-- payloads_waiting: logs whose next payload has come of age; one row of each log is looked at, the latest never
select h.worker_no, w.worker_id, greatest(coalesce(m.seq, 0), h.oldest_seq - 1) as after_seq, h.latest_seq
from worker_head h
join worker w using (worker_no)
left join prune_mark m using (worker_no)
join lateral (
    select occurred_at from event
    where worker_no = h.worker_no and seq > greatest(coalesce(m.seq, 0), h.oldest_seq - 1) and seq < h.latest_seq
    order by seq limit 1
) e on true
where e.occurred_at < $1 and h.worker_no > $2
order by h.worker_no
limit $3;

-- events_waiting: logs whose oldest event has come of age; the same
select h.worker_no, w.worker_id, h.oldest_seq, h.latest_seq
from worker_head h
join worker w using (worker_no)
join lateral (
    select occurred_at from event
    where worker_no = h.worker_no and seq >= h.oldest_seq and seq < h.latest_seq
    order by seq limit 1
) e on true
where e.occurred_at < $1 and h.worker_no > $2
order by h.worker_no
limit $3;

-- time_at: when the first event from this seq on happened
select occurred_at from event where worker_no = $1 and seq >= $2 order by seq limit 1;

-- save_mark: how far payloads were emptied by age
insert into prune_mark as m (worker_no, seq) values ($1, $2)
on conflict (worker_no) do update set seq = greatest(m.seq, excluded.seq);

-- unpruned: the next events after a seq and below another that still have their payload, bounded in rows and bytes, at least one
with page as (
    select seq, event_id, event_type, digest, occurred_at, frame, end_byte, pruned, pruned_proof
    from event where worker_no = $1 and seq > $5 and seq < $2 and not pruned order by seq limit $3
),
sized as (select page.*, sum(octet_length(frame)) over (order by seq) as bytes from page)
select seq, event_id, event_type, digest, occurred_at, frame, end_byte, pruned, pruned_proof
from sized where bytes <= $4 or seq = (select min(seq) from page) order by seq;

-- prune: put the emptied frames in place; end_byte stays, as an upper bound
update event e
set frame = n.frame, pruned = true, pruned_proof = n.proof, content_digest = n.content_digest
from unnest($2::bigint[], $3::text[], $4::bytea[], $5::bytea[]) as n (seq, frame, proof, content_digest)
where e.worker_no = $1 and e.seq = n.seq;

-- delete_below: forget what is below the new floor
delete from event where worker_no = $1 and seq < $2;

-- set_floor: say so in the head
update worker_head set oldest_seq = $2 where worker_no = $1;
