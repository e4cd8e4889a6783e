-- announce: what events refer to; what was pruned before is wanted again
with said as (
    select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[],
                         $8::boolean[])
        as s (worker_no, seq, artifact_id, path, media_type, bytes, sha256, truncated)
), made as (
    insert into artifact as a
        (worker_no, artifact_id, last_seq, path, media_type, bytes, sha256, truncated, announced_at)
    select distinct on (worker_no, artifact_id)
        worker_no, artifact_id, seq, path, media_type, bytes, sha256, truncated, clock_timestamp()
    from said order by worker_no, artifact_id, seq desc
    on conflict (worker_no, artifact_id) do update
    set last_seq = excluded.last_seq, path = excluded.path,
        state = case when a.state in ('pruned', 'lost') then 'pending' else a.state end, lost_reason = null,
        received_bytes = case a.state when 'pruned' then 0 else a.received_bytes end,
        stored_bytes = case a.state when 'pruned' then 0 else a.stored_bytes end,
        stored_sha256 = case a.state when 'pruned' then null else a.stored_sha256 end,
        stored_at = case a.state when 'pruned' then null else a.stored_at end,
        inside = case a.state when 'pruned' then '' else a.inside end,
        redacted = a.redacted and a.state <> 'pruned',
        truncated = case a.state when 'pruned' then excluded.truncated else a.truncated end
    returning artifact_no, worker_no, artifact_id
)
insert into artifact_use (worker_no, seq, artifact_no)
select s.worker_no, s.seq, m.artifact_no from said s join made m using (worker_no, artifact_id)
on conflict do nothing;

-- find: one artifact
select * from artifact where worker_no = $1 and artifact_id = $2;

-- lock: one artifact, for whoever changes it
select * from artifact where worker_no = $1 and artifact_id = $2 for update;

-- lock_number: the same, by its number
select *, xmin::text as version from artifact where artifact_no = $1 for update;

-- as_it_stands: the same without a lock; another version, and somebody was at it in the meantime
select *, xmin::text as version from artifact where artifact_no = $1;

-- page: a worker's artifacts, those announced last first
select * from artifact where worker_no = $1 and ($2::bigint is null or artifact_no < $2) order by artifact_no desc
limit $3;

-- stored_of_worker: bytes that all artifacts of a worker take; null: none
select stored_bytes from artifact_total where worker_no = $1;

-- add_chunks: more of the content
insert into artifact_chunk (artifact_no, attempt, start_byte, content)
select $1, $4, c.start_byte, c.content from unnest($2::bigint[], $3::bytea[]) as c (start_byte, content);

-- received: how far it has come; one that was lost is being brought after all
update artifact
set received_bytes = $2, stored_bytes = $3, inside = $4, redacted = $5, truncated = $6, state = 'pending', lost_reason = null
where artifact_no = $1;

-- stored: all of it is there
update artifact set state = 'stored', stored_sha256 = $2, stored_at = clock_timestamp(), lost_reason = null
where artifact_no = $1;

-- lost: nobody will bring the rest of what this worker's events refer to. Of what is all there nothing is missing: it is
-- only to be looked at yet
update artifact set state = 'lost', lost_reason = $2
where worker_no = $1 and state = 'pending' and received_bytes < bytes;

-- lost_with_machine: nor of what the events of this machine's workers refer to
update artifact a set state = 'lost', lost_reason = $2
from lease l where l.worker_no = a.worker_no and l.machine_id = $1 and a.state = 'pending' and a.received_bytes < a.bytes;

-- overdue: nor of what was announced so long ago, and not again since
update artifact a set state = 'lost', lost_reason = $2
where a.state = 'pending' and a.received_bytes < a.bytes
    and a.announced_at < clock_timestamp() - $1::interval and not exists (
    select from event e
    where e.worker_no = a.worker_no and e.seq = a.last_seq and e.occurred_at >= clock_timestamp() - $1::interval
);

-- begin_again: nothing of it is there
update artifact
set received_bytes = 0, stored_bytes = 0, inside = '', redacted = false, attempt = attempt + 1
where artifact_no = $1;

-- unfinished: of which all is there, and nobody has looked yet whether it is what it should be
select artifact_no from artifact
where state = 'pending' and received_bytes = bytes and artifact_no > $1 order by artifact_no limit $2;

-- chunk: the chunk that a byte lies in, of the attempt that is being read
select c.start_byte, c.content from artifact_chunk c join artifact a using (artifact_no, attempt)
where artifact_no = $1 and attempt = $3 and c.start_byte <= $2 order by c.start_byte desc limit 1;

-- remains: an attempt that is over, with content that may be there still
select artifact_no, attempt from artifact_remains limit 1;

-- delete_remains: some of that content
delete from artifact_chunk c using (
    select artifact_no, attempt, start_byte from artifact_chunk where artifact_no = $1 and attempt = $2 limit $3
) p
where c.artifact_no = p.artifact_no and c.attempt = p.attempt and c.start_byte = p.start_byte;

-- forget_remains: nothing of it is there any more
delete from artifact_remains where artifact_no = $1 and attempt = $2;

-- release: these events refer to nothing any more
delete from artifact_use where worker_no = $1 and seq = any($2::bigint[]) returning artifact_no;

-- lock_numbers: these artifacts, in the order in which events lock them
select artifact_no from artifact where artifact_no = any($1::bigint[]) order by worker_no, artifact_id for update;

-- unused: those of them that no event refers to
select a.artifact_no from unnest($1::bigint[]) as a (artifact_no)
where not exists (select from artifact_use u where u.artifact_no = a.artifact_no);

-- pruned: what they were stays
update artifact set state = 'pruned', inside = '', lost_reason = null, attempt = attempt + 1
where artifact_no = any($1::bigint[]) and state <> 'pruned';

-- release_below: events below this seq are gone
delete from artifact_use where worker_no = $1 and seq < $2;

-- delete_below: with their artifacts
delete from artifact where worker_no = $1 and last_seq < $2;

-- of_log: what can be checked of a worker's artifacts, with the events that say what they are
select a.artifact_no, a.attempt, a.artifact_id, a.last_seq, a.bytes, a.stored_bytes, a.sha256, a.stored_sha256, a.redacted,
       e.frame, e.pruned
from artifact a
join worker w using (worker_no)
left join event e on e.worker_no = a.worker_no and e.seq = a.last_seq
where w.worker_id = $1 and a.state = 'stored'
order by a.artifact_no;
