-- What happened in workers' logs that somebody who does not look may want to be told of: a projection, numbered in one
-- order over all logs. Made when it is asked for, from how far each log was looked through; it may be dropped any time.
create table transition_head (
    sole boolean primary key default true check (sole), -- its row is the lock of whoever looks
    latest_no bigint not null default 0,
    looked_at timestamptz not null default clock_timestamp() - interval '1 hour' -- logs that moved before need no look
);
insert into transition_head default values;

create table transition_place (
    worker_no bigint primary key references worker on delete cascade,
    seq bigint not null                        -- looked through up to here
) with (fillfactor = 50);

create table transition (
    transition_no bigint primary key,
    worker_no bigint not null references worker on delete cascade,
    seq bigint not null,
    kind text not null,
    approval_id text,
    request_id text,
    actor text,                                -- JSON: whose answer closed the question
    occurred_at timestamptz not null
);
create index transition_age on transition (occurred_at);
create index transition_worker on transition (worker_no);
