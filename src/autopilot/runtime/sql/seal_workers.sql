-- waiting: worker logs that have moved since then, with rows that no seal covers; those with the oldest activity first
select w.worker_no, w.worker_id, h.oldest_seq, h.latest_seq, h.updated_at, coalesce(s.to_seq, 0) as sealed_seq
from worker_head h
join worker w using (worker_no)
left join lateral (
    select to_seq from seal where source = $1 and log_no = h.worker_no order by to_seq desc limit 1
) s on true
where h.updated_at >= $3 and h.latest_seq > coalesce(s.to_seq, 0)
order by h.updated_at, h.worker_no
limit $2;

-- walk: the next logs by number, whatever their activity, with how far each is sealed
select w.worker_no, w.worker_id, h.oldest_seq, h.latest_seq, h.updated_at, coalesce(s.to_seq, 0) as sealed_seq
from (select * from worker_head where worker_no > $3 order by worker_no limit $2) h
join worker w using (worker_no)
left join lateral (
    select to_seq from seal where source = $1 and log_no = h.worker_no order by to_seq desc limit 1
) s on true
order by w.worker_no;

-- log: one of them
select worker_no, worker_id, oldest_seq, latest_seq
from worker join worker_head using (worker_no)
where worker_id = $1;

-- logs: all of them
select worker_no, worker_id, oldest_seq, latest_seq
from worker join worker_head using (worker_no)
order by worker_no;

-- gone: logs that were sealed, and are not there any more under that id
select distinct s.log_id
from seal s
where s.source = $1 and not exists (select from worker w where w.worker_no = s.log_no and w.worker_id = s.log_id)
order by s.log_id
limit $2;

-- entries: a page of rows after a seq; bytes are counted from its first row, which always belongs to it
select seq, event_id, event_type, digest, occurred_at, frame, end_byte, pruned, pruned_proof, content_digest
from event
where worker_no = $1 and seq > $2
  and end_byte <= $4 + (select end_byte from event where worker_no = $1 and seq > $2 order by seq limit 1)
order by seq
limit $3;
