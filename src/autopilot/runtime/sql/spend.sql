-- places: where the totals of these threads stand
select t.worker_no, t.thread_id, t.seq, t.turn_id, t.said_at, t.input_tokens, t.cached_input_tokens, t.output_tokens,
       t.reasoning_output_tokens, t.total_tokens
from unnest($1::bigint[], $2::text[]) as k (worker_no, thread_id)
join spend_thread t using (worker_no, thread_id);

-- save_places: where they stand now
insert into spend_thread (worker_no, thread_id, seq, turn_id, said_at, input_tokens, cached_input_tokens,
                          output_tokens, reasoning_output_tokens, total_tokens)
select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[], $6::bigint[], $7::bigint[],
                     $8::bigint[], $9::bigint[], $10::bigint[])
on conflict (worker_no, thread_id) do update
set seq = excluded.seq, turn_id = excluded.turn_id, said_at = excluded.said_at,
    input_tokens = excluded.input_tokens, cached_input_tokens = excluded.cached_input_tokens,
    output_tokens = excluded.output_tokens, reasoning_output_tokens = excluded.reasoning_output_tokens,
    total_tokens = excluded.total_tokens;

-- add: count what was used
insert into spend_day as d (worker_no, day, thread_id, model, machine_id, team_id, input_tokens, cached_input_tokens,
                            output_tokens, reasoning_output_tokens, total_tokens)
select * from unnest($1::bigint[], $2::date[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                     $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])
on conflict (worker_no, day, thread_id, model, machine_id, team_id) do update
set input_tokens = d.input_tokens + excluded.input_tokens,
    cached_input_tokens = d.cached_input_tokens + excluded.cached_input_tokens,
    output_tokens = d.output_tokens + excluded.output_tokens,
    reasoning_output_tokens = d.reasoning_output_tokens + excluded.reasoning_output_tokens,
    total_tokens = d.total_tokens + excluded.total_tokens;

-- every_worker: whose spend can be counted anew, in the order of locks
select worker_id from worker order by worker_id;

-- is_whole: whether the ledger still has everything that a worker's log ever said, but for what these patterns say
select h.oldest_seq = 1 and not exists (
    select 1 from event e where e.worker_no = h.worker_no and e.pruned and not e.frame like any($2::text[])
)
from worker_head h where h.worker_no = $1;

-- told: a worker's log, from after a seq
select seq, frame from event where worker_no = $1 and seq > $2 order by seq limit $3;

-- days_of: what was counted for a worker
select worker_no, day, thread_id, model, machine_id, team_id, input_tokens, cached_input_tokens, output_tokens,
       reasoning_output_tokens, total_tokens
from spend_day where worker_no = $1;

-- places_of: where its threads stand
select worker_no, thread_id, seq, turn_id, said_at, input_tokens, cached_input_tokens, output_tokens,
       reasoning_output_tokens, total_tokens
from spend_thread where worker_no = $1;

-- forget_days: what was counted for a worker, to be counted anew
delete from spend_day where worker_no = $1;

-- forget_places: where its threads stand, to be found anew
delete from spend_thread where worker_no = $1;

-- used: tokens of one owner since a day: all, or of one worker, machine or model
select coalesce(sum(d.total_tokens), 0)::bigint
from worker w
join spend_day d using (worker_no)
where (w.owner_user_id = $1::bigint or w.owner_guest_scope = $2::text) and d.day >= $3::date
  and ($4::bigint is null or w.worker_no = $4::bigint)
  and ($5::text is null or d.machine_id = $5::text)
  and ($6::text is null or d.model = $6::text);

-- used_of_team: tokens that counted for one team since a day: all, or of one worker, machine, model or owner
select coalesce(sum(d.total_tokens), 0)::bigint
from spend_day d
join worker w using (worker_no)
where d.team_id = $1 and d.team_id <> '' and d.day >= $2::date
  and ($3::bigint is null or d.worker_no = $3::bigint)
  and ($4::text is null or d.machine_id = $4::text)
  and ($5::text is null or d.model = $5::text)
  and (not $6::boolean or w.owner_user_id = $7::bigint or w.owner_guest_scope = $8::text);

-- used_by: tokens of one owner since a day, for each worker, machine or model that used most; else all together
select case $4::text when 'worker' then w.worker_id when 'machine' then d.machine_id when 'model' then d.model end as key,
       sum(d.total_tokens)::bigint as used
from worker w
join spend_day d using (worker_no)
where (w.owner_user_id = $1::bigint or w.owner_guest_scope = $2::text) and d.day >= $3::date
  and ($4 <> 'machine' or d.machine_id <> '') and ($4 <> 'model' or d.model <> '')
group by 1
order by 2 desc, 1
limit $5;

-- used_by_of_team: tokens that counted for one team since a day, for each worker, machine, model or owner that used most;
-- else all together. Of a worker that the team has no more, nothing says which it was.
select case $3::text when 'worker' then case when w.team_id = $1 then w.worker_id end
                     when 'machine' then d.machine_id when 'model' then d.model
                     when 'user' then coalesce(w.owner_user_id::text, 'guest:' || w.owner_guest_scope) end as key,
       sum(d.total_tokens)::bigint as used
from spend_day d
join worker w using (worker_no)
where d.team_id = $1::text and d.team_id <> '' and d.day >= $2::date
  and ($3 <> 'machine' or d.machine_id <> '') and ($3 <> 'model' or d.model <> '')
group by 1, case when $3 = 'worker' then d.worker_no end
order by 2 desc, 1
limit $4;

-- one_by_one: reports of one owner's or team's workers see each other's sums; locks are taken in one order
select pg_advisory_xact_lock(key)
from (select distinct hashtextextended('spend ' || id, 0) as key from unnest($1::text[]) as id order by key) as owners;

-- tell: note that a level was told; nothing where it was before
insert into budget_notice (subject_kind, subject_id, budget, per_id, limit_tokens, starts_on, level)
values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning level;

-- report: what one's own workers used, and what was used for one's teams, on some days, in groups; with each, how many
-- there are, and the sum of all. Of a worker that one may no longer read, nothing says which it was.
-- Costs are exact, in 10^-12 of the currency's unit, by the prices of version $7; without one there are none.
with price_of as (
    select model, first_day, input_micros, cached_input_micros, output_micros,
           lead(first_day) over (partition by model order by first_day) as until
    from price where version = $7::bigint
), mine as (
    select d.*, w.worker_id, w.owner_user_id, w.owner_guest_scope
    from worker w
    join spend_day d using (worker_no)
    where (w.owner_user_id = $1::bigint or w.owner_guest_scope = $2::text) and d.day between $3::date and $4::date
), ours as (
    select d.*, case when w.team_id = any($8::text[]) then w.worker_id end as worker_id,
           w.owner_user_id, w.owner_guest_scope
    from spend_day d
    join worker w using (worker_no)
    where d.team_id = any($8::text[]) and d.team_id <> '' and d.day between $3::date and $4::date
      and (w.owner_user_id = $1::bigint or w.owner_guest_scope = $2::text) is not true
), used as (
    select d.*, p.model is null as unpriced,
           (d.input_tokens - least(d.cached_input_tokens, d.input_tokens))::numeric * p.input_micros
           + least(d.cached_input_tokens, d.input_tokens)::numeric * p.cached_input_micros
           + d.output_tokens::numeric * p.output_micros as cost
    from (select * from mine union all select * from ours) as d
    left join price_of p on p.model = d.model and d.day >= p.first_day and (p.until is null or d.day < p.until)
)
select case when $5::text in ('day', 'day_model') then day end as day,
       case when $5::text in ('worker', 'thread') then worker_id end as worker_id,
       case when $5::text = 'thread' and worker_id is not null then thread_id end as thread_id,
       case when $5::text in ('model', 'day_model') then model end as model,
       case when $5::text = 'machine' and worker_id is not null then machine_id end as machine_id,
       case when $5::text = 'team' then team_id end as team_id,
       case when $5::text = 'user' then owner_user_id end as user_id,
       case when $5::text = 'user' then owner_guest_scope end as guest_scope,
       sum(input_tokens)::bigint as input_tokens,
       sum(cached_input_tokens)::bigint as cached_input_tokens,
       sum(output_tokens)::bigint as output_tokens,
       sum(reasoning_output_tokens)::bigint as reasoning_output_tokens,
       sum(total_tokens)::bigint as total_tokens,
       round(sum(cost) / 1000000) as micros,
       coalesce(sum(total_tokens) filter (where unpriced), 0)::bigint as unpriced_tokens,
       sum(sum(input_tokens)) over ()::bigint as all_input_tokens,
       sum(sum(cached_input_tokens)) over ()::bigint as all_cached_input_tokens,
       sum(sum(output_tokens)) over ()::bigint as all_output_tokens,
       sum(sum(reasoning_output_tokens)) over ()::bigint as all_reasoning_output_tokens,
       sum(sum(total_tokens)) over ()::bigint as all_total_tokens,
       round(sum(sum(cost)) over () / 1000000) as all_micros,
       coalesce(sum(sum(total_tokens) filter (where unpriced)) over (), 0)::bigint as all_unpriced_tokens,
       count(*) over () as found
from used
group by 1, 2, 3, 4, 5, 6, 7, 8
order by 1, sum(total_tokens) desc, 2, 3, 4, 5, 6, 7, 8
limit $6;

-- unpriced: models of which something was used on days for which they have no price in version $5
select d.model, sum(d.total_tokens)::bigint as tokens
from (
    select d.model, d.day, d.total_tokens
    from worker w
    join spend_day d using (worker_no)
    where (w.owner_user_id = $1::bigint or w.owner_guest_scope = $2::text) and d.day between $3::date and $4::date
    union all
    select d.model, d.day, d.total_tokens
    from spend_day d
    join worker w using (worker_no)
    where d.team_id = any($7::text[]) and d.team_id <> '' and d.day between $3::date and $4::date
      and (w.owner_user_id = $1::bigint or w.owner_guest_scope = $2::text) is not true
) as d
where not exists (
    select 1 from price p where p.version = $5::bigint and p.model = d.model and p.first_day <= d.day
)
group by d.model
order by 2 desc, 1
limit $6;

-- rate_limits: what the Codex of one owner's machines said last of them
select m.machine_id, m.name, f.params, f.occurred_at
from machine m
join machine_fact f using (machine_id)
where visible(m.owner_user_id, m.owner_guest_scope, m.team_id, $1, $2, $4) and f.method = $3
order by f.occurred_at desc, m.machine_id;

-- today: the ledger's day
select (clock_timestamp() at time zone 'UTC')::date;
