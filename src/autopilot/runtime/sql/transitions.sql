-- make_head: where nobody looked before
insert into transition_head default values on conflict (sole) do nothing

-- lock_head: how far everything was looked through; one looks at a time
select latest_no, looked_at, clock_timestamp() as now from transition_head for update

-- moved: logs that moved since then and have rows nobody looked at, those with the oldest activity first; of a log that
-- nobody ever looked at only the last rows count
select h.worker_no, h.latest_seq, coalesce(p.seq, greatest(h.oldest_seq - 1, h.latest_seq - $2)) as seq
from worker_head h
left join transition_place p using (worker_no)
where h.updated_at >= $1 and h.latest_seq > coalesce(p.seq, 0)
order by h.updated_at, h.worker_no
limit $3

-- entries: rows of these logs between two seqs each, not older than that, which may be transitions; $6 of each log at most
select n.worker_no, e.seq, e.event_type, e.occurred_at, e.frame, w.metadata
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as n (worker_no, after_seq, to_seq)
join worker w using (worker_no)
cross join lateral (
    select seq, event_type, occurred_at, frame from event
    where worker_no = n.worker_no and seq > n.after_seq and seq <= n.to_seq and occurred_at > $4 and not pruned
        and (event_type = any($5::text[]) or event_type like 'worker.request.%'
            or (event_type = 'worker.event' and left(frame, 2000) like '%"turn/completed"%'))
    order by seq
    limit $6
) e
order by e.occurred_at, n.worker_no, e.seq

-- add: what was found, in the order in which it is told
insert into transition (transition_no, worker_no, seq, kind, approval_id, request_id, actor, occurred_at)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::timestamptz[])

-- place: these logs were looked through up to there
insert into transition_place (worker_no, seq)
select * from unnest($1::bigint[], $2::bigint[])
on conflict (worker_no) do update set seq = excluded.seq

-- looked: everything was, as of then
update transition_head set latest_no = $1, looked_at = $2

-- forget: those that nobody wants to be told of any more
delete from transition where occurred_at < $1

-- page: those after a number, with whose they are, and the request that they end
select t.transition_no, t.kind, t.seq, t.approval_id, t.request_id, t.actor, t.occurred_at, w.worker_id,
    w.owner_user_id, w.team_id, r.method, r.state, r.actor as asker, r.created_at as asked_at, r.ended_at
from transition t
join worker w using (worker_no)
left join receipt r on r.target_kind = 'worker' and r.target_id = w.worker_id and r.request_id = t.request_id
where t.transition_no > $1
order by t.transition_no
limit $2

-- latest: the number of the last one
select latest_no from transition_head
