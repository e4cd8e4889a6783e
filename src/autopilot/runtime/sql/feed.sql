-- add: raise the feeds' heads and insert, in one statement; entries keep their order within a machine
with entry as (
    select * from unnest($1::text[], $2::text[], $3::boolean[], $4::text[], $5::bigint[], $6::text[])
        with ordinality as e (machine_id, kind, urgent, worker_id, worker_seq, request_id, n)
),
head as (
    -- Feed heads are the last locks any transaction takes, and are taken in one order.
    select machine_id from feed_head where machine_id = any($1::text[]) order by machine_id for update
),
raised as (
    update feed_head f set latest_feed_seq = f.latest_feed_seq + c.count
    from (select machine_id, count(*) from entry join head using (machine_id) group by machine_id) c
    where f.machine_id = c.machine_id
    returning f.machine_id, f.latest_feed_seq - c.count as base
)
insert into feed_entry (machine_id, feed_seq, kind, urgent, worker_id, worker_seq, request_id, created_at)
select e.machine_id, r.base + row_number() over (partition by e.machine_id order by e.n),
    e.kind, e.urgent, e.worker_id, e.worker_seq, e.request_id, $7
from entry e join raised r using (machine_id)
returning machine_id, feed_seq

-- head: where a machine's feed stands
select latest_feed_seq, acked_feed_seq from feed_head where machine_id = $1

-- heads: where these feeds stand
select machine_id, latest_feed_seq from feed_head where machine_id = any($1::text[])

-- entries: what comes after a cursor, bounded in rows and bytes (at least one), with what each entry is about
with page as (
    select f.machine_id, f.feed_seq, f.kind, f.urgent, f.worker_id, f.worker_seq, f.request_id,
        w.worker_no, r.target_kind, r.target_id, r.method, r.state, r.x_request_id, r.traceparent, r.expires_at,
        sum(coalesce(octet_length(e.frame), octet_length(d.ciphertext), octet_length(s.ciphertext), 0))
            over (order by f.feed_seq)
            - coalesce(octet_length(e.frame), octet_length(d.ciphertext), octet_length(s.ciphertext), 0) as before
    from (
        select * from feed_entry
        where machine_id = $1 and feed_seq > $2 and (urgent or not $3)
        order by feed_seq limit $4
    ) f
    left join worker w on w.worker_id = f.worker_id
    left join event e on f.kind = 'event' and e.worker_no = w.worker_no and e.seq = f.worker_seq
    left join receipt r on f.kind = 'request' and r.request_id = f.request_id
        and r.target_kind = case when f.worker_id is null then 'machine' else 'worker' end
        and r.target_id = coalesce(f.worker_id, f.machine_id)
        and r.machine_id = f.machine_id
    left join delivery d
        on d.target_kind = r.target_kind and d.target_id = r.target_id and d.request_id = r.request_id
    left join approval a on f.kind = 'decision' and a.worker_no = w.worker_no and a.decided_seq = f.worker_seq
    left join approval_answer s on s.approval_id = a.approval_id
)
select p.*, e.frame, d.key_id, d.ciphertext
from page p
left join event e on p.kind = 'event' and e.worker_no = p.worker_no and e.seq = p.worker_seq
left join delivery d on d.target_kind = p.target_kind and d.target_id = p.target_id and d.request_id = p.request_id
where p.before < $5
order by p.feed_seq

-- ack: everything up to the cursor is handled; no row when the cursor is ahead of the feed
update feed_head set acked_feed_seq = greatest(acked_feed_seq, $2)
where machine_id = $1 and $2 <= latest_feed_seq
returning acked_feed_seq, latest_feed_seq

-- prune: acknowledged entries are gone
delete from feed_entry where machine_id = $1 and feed_seq <= $2
