-- read_frames: the frames after a cursor as SSE text, bounded in rows and bytes, at least one
with page as materialized (
    select seq, event_type, frame
    from (
        select seq, event_type, frame,
               sum(frame_bytes) over (order by seq rows between unbounded preceding and current row) - frame_bytes as before
        from event
        where worker_no = $1 and seq > $2
        order by seq
        limit $3
    ) as sized
    where before < $4
)
select convert_to(string_agg('id: ' || seq || E'\nevent: codex.' || event_type || E'\ndata: ' || frame || E'\n\n', '' order by seq), 'UTF8') as body,
       max(seq) as last_seq,
       count(*) as count,
       (select latest_seq from worker_head where worker_no = $1) as latest_seq
from page;

-- read_heads: where these logs stand
select worker_no, latest_seq from worker_head where worker_no = any($1::bigint[]);
