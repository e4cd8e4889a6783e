-- make: a new worker with all its narrow rows; no row where the id is taken
with made as (
    insert into worker (worker_id, owner_user_id, owner_guest_scope, workspace_ref, codex_home_ref, adapter, metadata, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
    on conflict (worker_id) do nothing
    returning worker_no, created_at
),
head as (insert into worker_head (worker_no, updated_at) select worker_no, created_at from made),
state as (insert into worker_state (worker_no, status) select worker_no, 'stopped' from made),
beat as (insert into worker_beat (worker_no) select worker_no from made)
select worker_no from made;

-- describe: what a reattach says anew; what it leaves out stays
update worker
set workspace_ref = coalesce($2, workspace_ref), codex_home_ref = coalesce($3, codex_home_ref),
    adapter = coalesce($4, adapter), metadata = coalesce($5, metadata)
where worker_no = $1;

-- snapshot: one worker
select *, clock_timestamp() as read_at from worker_view where worker_id = $1;

-- page: a principal's workers, newest activity first, after a place in that order
select *, clock_timestamp() as read_at
from worker_view
where visible(owner_user_id, owner_guest_scope, team_id, worker_id, $1, $2, $9)
  and ($3::text is null or status = $3)
  and ($4::text is null or workspace_ref = $4)
  and ($5::text is null or machine_id = $5 or machine_id is null)
  and ($6::timestamptz is null or (updated_at, worker_no) < ($6, $7::bigint))
  and ($10::text is null or machine_id = $10)
  and (not $11::boolean or machine_id is not null)
order by updated_at desc, worker_no desc
limit $8;

-- look: the same, with no more of each than what is searched
select worker_no, worker_id, workspace_ref, facts, updated_at
from worker_view
where visible(owner_user_id, owner_guest_scope, team_id, worker_id, $1, $2, $9)
  and ($3::text is null or status = $3)
  and ($4::text is null or workspace_ref = $4)
  and ($5::text is null or machine_id = $5 or machine_id is null)
  and ($6::timestamptz is null or (updated_at, worker_no) < ($6, $7::bigint))
  and ($10::text is null or machine_id = $10)
  and (not $11::boolean or machine_id is not null)
order by updated_at desc, worker_no desc
limit $8;

-- those: workers that a search has found, whole
select *, clock_timestamp() as read_at from worker_view where worker_no = any($1::bigint[]);

-- open_of: the open workers of one owner, in the order of their ids
select w.worker_id
from worker w
join worker_state s using (worker_no)
where visible(w.owner_user_id, w.owner_guest_scope, w.team_id, $1, $2, $3) and s.status in ('starting', 'running', 'stopping')
order by w.worker_id
