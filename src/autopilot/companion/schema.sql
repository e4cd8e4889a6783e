-- The companion's file. Only autopilot.companion reads or writes it.

-- One row for each thread that is a worker.
create table thread (
    thread_id text primary key,
    worker_id text not null unique,
    state text not null default 'open',        -- open | stopped
    introduced text not null default '{}',     -- what the worker is made with: workspace_ref, metadata
    registered integer not null default 0,     -- the runtime knows the worker
    generation integer,                        -- of the lease we hold, or held last
    producer_seq integer not null default 0,   -- the last number given out for this worker; never reset
    whole integer not null default 0,          -- its history has been read to the beginning once
    active_turn text,                          -- the turn that runs, as far as Codex told us
    active_at real not null,
    incarnation text,                          -- of the Codex whose history was compared last, or that made it
    elsewhere text                             -- why it can only be watched: another process is its writer
) without rowid;

-- Events on their way to the ledger, in the order in which Codex said them.
create table outbox (
    position integer primary key autoincrement,
    worker_id text not null,
    event_id text not null,
    event_type text not null,
    method text not null,
    payload blob not null,
    producer_seq integer,                      -- given out at the first sending; kept for every repetition
    preview integer not null default 0,        -- may be dropped when the file is full
    late integer not null default 0,           -- belongs to an earlier span of the log
    parked integer not null default 0          -- its worker is stopped: waits for a reattach
);
create index outbox_worker on outbox (worker_id, position);

-- What events refer to because it is too large for them, until the ledger has it. A row is there with its event, in one
-- transaction.
create table artifact (
    position integer primary key autoincrement,
    worker_id text not null,
    artifact_id text not null,
    content blob not null,                     -- UTF-8, redacted
    unique (worker_id, artifact_id)
);

-- Event ids that were put once, so that a copy from Codex's history is not put again. The oldest are forgotten beyond a
-- bound: the ledger knows them all.
create table known (
    position integer primary key autoincrement,
    identity blob not null unique              -- digest of worker_id and event_id
);

-- Events that found no room, until the worker's log says so.
create table left_out (
    worker_id text primary key,
    events integer not null
) without rowid;

-- Items that Codex began and did not complete yet: what is lost when it dies.
create table open_item (
    thread_id text not null,
    turn_id text not null,
    item_id text not null,
    item_type text,
    told blob,                                 -- the item, where a question about it needs it: changes, a command
    primary key (thread_id, turn_id, item_id)
) without rowid;

-- Questions of Codex to a person (approvals.py). A row is there with the event that asks, in one transaction.
create table approval (
    approval_id text primary key,
    thread_id text not null,                   -- the thread that asks
    turn_id text,
    item_id text,
    incarnation text not null,                 -- the app-server process that asks
    codex_id text not null,                    -- its id of the question, as JSON
    method text not null,
    params blob not null,                      -- exactly as asked; emptied when it has ended
    state text not null default 'open',        -- open | decided | answering | ended
    option_id text,                            -- the decision: the first one counts
    content blob,
    message text,
    seen text,                                 -- what the item shows: accepted | declined
    resolved_at real,                          -- when Codex said that it waits no more
    words text,                                -- due | said: what the model is told besides a refusal
    ended_at real,
    told_in text                               -- the thread in whose worker's log the question is; null: its own
) without rowid;
create index approval_open on approval (thread_id) where state <> 'ended';

-- Requests from the feed. A row is there before its entry is acknowledged, and stays as the memory of what was done.
create table inbox (
    target text not null,                      -- worker | machine
    target_id text not null,                   -- worker_id; '' for the machine
    request_id text not null,
    method text not null,
    params blob not null,                      -- exactly as sent; emptied when it has ended
    urgent integer not null default 0,
    x_request_id text,
    traceparent text,
    state text not null default 'received',    -- received | executing | answered | ended
    outcome blob,                              -- what is to be reported
    arrived integer not null,                  -- order of arrival
    ended_at real,
    expires_at text,                           -- RFC 3339, the server's time: not begun after that; null: never
    primary key (target, target_id, request_id)
) without rowid;

-- Heads of the server's chain of seals (seal_heads.py): the one that is kept, and those that a chain was shown without.
create table seal_head (
    position integer primary key autoincrement,
    seal_no integer not null,
    digest text not null,                      -- hex
    shown_by text not null,                    -- the API's URL
    kept_at text not null,                     -- RFC 3339, the machine's time, as all times here
    lost_at text,                              -- a chain was shown that does not hold it; null: this one is kept now
    shown_seal_no integer,                     -- the latest seal of that chain
    shown_digest text,
    lost_to text,                              -- the API's URL that showed that chain
    accepted_at text                           -- a person said that this is as it should be
);

create table setting (
    name text primary key,
    value text not null
) without rowid;
