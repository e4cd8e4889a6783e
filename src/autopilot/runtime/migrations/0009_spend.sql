-- What Codex reports to have used, counted in the transaction of the report, under its worker's lock. Both tables follow
-- from the log alone, and can be made anew from it (spend_rebuild.py).

-- Where each thread's running total stands: what the next report adds is the difference.
create table spend_thread (
    worker_no bigint not null references worker on delete cascade,
    thread_id text not null,
    seq bigint not null,                       -- of the event that last moved this row
    turn_id text,                              -- the turn that was seen to start last
    said_at timestamptz,                       -- when the last report was made, by the clock of who made it
    input_tokens bigint,                       -- the totals as of the last report; null: not known yet
    cached_input_tokens bigint,
    output_tokens bigint,
    reasoning_output_tokens bigint,
    total_tokens bigint,
    primary key (worker_no, thread_id)
) with (fillfactor = 50);

-- What was used on each day (UTC, by when the ledger recorded it). Model and machine are '' where nothing says which.
create table spend_day (
    worker_no bigint not null references worker on delete cascade,
    day date not null,
    thread_id text not null,
    model text not null,
    machine_id text not null,                  -- who reported it
    input_tokens bigint not null,
    cached_input_tokens bigint not null,
    output_tokens bigint not null,
    reasoning_output_tokens bigint not null,
    total_tokens bigint not null,
    primary key (worker_no, day, thread_id, model, machine_id)
) with (fillfactor = 70);
create index spend_day_machine on spend_day (machine_id, day) where machine_id <> '';
