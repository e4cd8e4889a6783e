-- cutoff: what happened before this has come of age
select clock_timestamp() - $1::interval;

-- waiting: logs whose next unseen event has come of age; one row of the log is looked at
select w.worker_no, w.worker_id, greatest(coalesce(m.resume_seq, 0), h.oldest_seq - 1) as resume_seq,
       coalesce(m.seen_seq, 0) as seen_seq
from worker w
join worker_head h using (worker_no)
left join preview_mark m using (worker_no)
join lateral (
    select occurred_at from event
    where worker_no = h.worker_no and seq = greatest(coalesce(m.seen_seq, 0) + 1, h.oldest_seq)
) e on true
where e.occurred_at < $1 and w.worker_no > $2
order by w.worker_no
limit $3;

-- page: events of age after a seq, bounded in rows and bytes, at least one
with page as (
    select seq, frame, end_byte, occurred_at, pruned from event where worker_no = $1 and seq > $2 order by seq limit $4
)
select seq, frame, octet_length(frame) as bytes, pruned
from page
where occurred_at < $3
  and (seq = (select min(seq) from page)
       or end_byte <= $5 + (select end_byte - octet_length(frame) from page order by seq limit 1))
order by seq;

-- unpruned_at: those of these events that still have their payload
select seq, event_id, event_type, digest, occurred_at, frame, end_byte, pruned, pruned_proof
from event where worker_no = $1 and seq = any($2::bigint[]) and not pruned order by seq;

-- save_mark: how far this log was looked through
insert into preview_mark as m (worker_no, resume_seq, seen_seq)
values ($1, $2, $3)
on conflict (worker_no) do update
set resume_seq = greatest(m.resume_seq, excluded.resume_seq), seen_seq = greatest(m.seen_seq, excluded.seen_seq);
