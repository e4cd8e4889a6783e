-- read_frames: the frames after a cursor as SSE text, bounded in rows and bytes, at least one
with page as (
    select seq, event_type, frame
    from event
    where worker_no = $1 and seq > $2 and seq <= $2 + $3
      and (seq = $2 + 1 or end_byte <= $4 + coalesce(
          (select end_byte from event where worker_no = $1 and seq = $2),
          (select end_byte - octet_length(frame) from event where worker_no = $1 and seq = $2 + 1)))
    order by seq
)
select convert_to(string_agg(
           'id: ' || seq || E'\nevent: codex.' || event_type || E'\ndata: ' || frame || E'\n\n', ''), 'UTF8') as body,
       max(seq) as last_seq,
       count(*) as count,
       (select latest_seq from worker_head where worker_no = $1) as latest_seq
from page;

-- read_heads: where these logs stand
select worker_no, latest_seq from worker_head where worker_no = any($1::bigint[]);

-- page_after: envelopes after a seq as the body of an answer, bounded in rows and bytes, at least one
with page as (
    select seq, frame
    from event
    where worker_no = $1 and seq > $2 and seq <= $2 + $3
      and (seq = $2 + 1 or end_byte <= $4 + coalesce(
          (select end_byte from event where worker_no = $1 and seq = $2),
          (select end_byte - octet_length(frame) from event where worker_no = $1 and seq = $2 + 1)))
    order by seq
)
select convert_to('{"data":[' || coalesce(string_agg(frame, ','), '') || ']}', 'UTF8') from page;

-- page_before: the last envelopes before a seq, in order, bounded likewise
with page as (
    select seq, frame
    from event
    where worker_no = $1 and seq < $2 and seq >= $2 - $3
      and (seq = $2 - 1
          or end_byte - octet_length(frame) >= (select end_byte from event where worker_no = $1 and seq = $2 - 1) - $4)
    order by seq
)
select convert_to('{"data":[' || coalesce(string_agg(frame, ','), '') || ']}', 'UTF8') from page;
