-- payloads_older: the last event of each log whose payload has come of age and is still there
select w.worker_id, max(e.seq) as seq
from event e join worker w using (worker_no)
where e.occurred_at < clock_timestamp() - $1::interval and not e.pruned
group by w.worker_id;

-- events_older: the last event of each log that has come of age
select w.worker_id, max(e.seq) as seq
from event e join worker w using (worker_no)
where e.occurred_at < clock_timestamp() - $1::interval
group by w.worker_id;

-- unpruned: the next events below a seq that still have their payload, bounded in rows and bytes, at least one
with page as (
    select seq, event_id, event_type, digest, occurred_at, frame, end_byte, pruned, pruned_proof
    from event where worker_no = $1 and seq < $2 and not pruned order by seq limit $3
),
sized as (select page.*, sum(octet_length(frame)) over (order by seq) as bytes from page)
select seq, event_id, event_type, digest, occurred_at, frame, end_byte, pruned, pruned_proof
from sized where bytes <= $4 or seq = (select min(seq) from page) order by seq;

-- prune: put the emptied frames in place; end_byte stays, as an upper bound
update event e
set frame = n.frame, pruned = true, pruned_proof = n.proof
from unnest($2::bigint[], $3::text[], $4::bytea[]) as n (seq, frame, proof)
where e.worker_no = $1 and e.seq = n.seq;

-- delete_below: forget what is below the new floor
delete from event where worker_no = $1 and seq < $2;

-- set_floor: say so in the head
update worker_head set oldest_seq = $2 where worker_no = $1;
