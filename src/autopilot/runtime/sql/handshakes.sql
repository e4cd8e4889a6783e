-- known: what is known of these handshakes
select w.worker_id, h.handshake_id, h.asked_seq, h.acked_seq
from unnest($1::text[], $2::text[]) as k (worker_id, handshake_id)
join worker w on w.worker_id = k.worker_id
join handshake h on h.worker_no = w.worker_no and h.handshake_id = k.handshake_id

-- ask: remember who asked first
insert into handshake (worker_no, handshake_id, asked_seq, asked_at)
select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamptz[])
on conflict do nothing

-- ack: remember the one answer
update handshake h set acked_seq = a.seq
from unnest($1::bigint[], $2::text[], $3::bigint[]) as a (worker_no, handshake_id, seq)
where h.worker_no = a.worker_no and h.handshake_id = a.handshake_id and h.acked_seq is null
