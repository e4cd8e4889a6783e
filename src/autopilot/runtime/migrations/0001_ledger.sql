-- The ledger and what is derived from it in the same transaction. Only autopilot.runtime reads or writes this schema.
-- Everything lives in the Postgres schema "runtime" (the migration runner creates it and sets the search path).
-- Lock order: machine rows first, then worker_head rows in worker_id order, feed_head rows last in machine_id order.
-- Payloads are text, never jsonb.

create table machine (
    machine_id text primary key,
    owner_user_id bigint,
    owner_guest_scope text,
    name text not null default '',
    platform text,
    companion_version text,
    codex_version text,
    desktop_session_id text,
    registered_at timestamptz not null default now(),
    check ((owner_user_id is null) <> (owner_guest_scope is null))
);

-- Changes with every heartbeat: apart from machine, so that updates stay HOT.
create table machine_beat (
    machine_id text primary key references machine on delete cascade,
    last_heard_at timestamptz
) with (fillfactor = 50);

-- The per-machine feed: contiguous, acknowledged by cursor, the row is its lock.
create table feed_head (
    machine_id text primary key references machine on delete cascade,
    latest_feed_seq bigint not null default 0,
    acked_feed_seq bigint not null default 0
) with (fillfactor = 50);

create table feed_entry (
    machine_id text not null references feed_head on delete cascade,
    feed_seq bigint not null,
    kind text not null,              -- event | request | decision
    urgent boolean not null,         -- stop and interrupt: sent ahead of their place
    worker_id text,
    worker_seq bigint,               -- of the event that caused it
    request_id text,                 -- kind request: the receipt
    body text,                       -- kind event: the frame; kind request: null (params come from delivery)
    created_at timestamptz not null,
    primary key (machine_id, feed_seq)
);

create table worker (
    worker_no bigint generated always as identity primary key, -- a key, never an order
    worker_id text not null unique,
    owner_user_id bigint,
    owner_guest_scope text,
    workspace_ref text,
    codex_home_ref text,
    adapter text,
    metadata text not null default '{}',
    execution_mode text not null default 'desktop',
    created_at timestamptz not null,
    check ((owner_user_id is null) <> (owner_guest_scope is null))
);
create index worker_owner_user on worker (owner_user_id);
create index worker_owner_guest on worker (owner_guest_scope) where owner_guest_scope is not null;

-- Changes with every append; its row lock is the worker's lock.
create table worker_head (
    worker_no bigint primary key references worker on delete cascade,
    latest_seq bigint not null default 0,
    oldest_seq bigint not null default 1,      -- retention floor: lower seqs are gone
    log_bytes bigint not null default 0,       -- end_byte of the latest event
    updated_at timestamptz not null
) with (fillfactor = 50);
create index worker_head_activity on worker_head (updated_at desc, worker_no desc);

-- Changes at a worker's turning points.
create table worker_state (
    worker_no bigint primary key references worker on delete cascade,
    status text not null check (status in ('starting', 'running', 'stopping', 'stopped', 'failed')),
    started_at timestamptz,
    stopped_at timestamptz,
    stop_reason text,
    stop_verified boolean,
    facts text not null default '{}'           -- title, preview, cwd, model, activity: each {value, seq}
);

-- Liveness, not history.
create table worker_beat (
    worker_no bigint primary key references worker on delete cascade,
    last_heartbeat_at timestamptz
) with (fillfactor = 50);

create table lease (
    worker_no bigint primary key references worker on delete cascade,
    machine_id text not null references machine,
    generation bigint not null,
    claimed_at timestamptz not null,
    expires_at timestamptz not null,
    released_at timestamptz,                   -- a clean end; expiry is a matter of the clock
    ttl_ms integer not null
) with (fillfactor = 50);
create index lease_machine on lease (machine_id);

-- No foreign key: its check would cost every row a lookup, and rows are only inserted under the lock of worker_head.
create table event (
    worker_no bigint not null,
    seq bigint not null,
    event_id text not null,
    event_type text not null,
    digest bytea,                              -- keyed digest of the canonical content before redaction; null: the event_id
                                               -- alone is the identity (the runtime's own rows, and executors')
    occurred_at timestamptz not null,
    frame text not null,                       -- the stream frame's data, encoded once
    end_byte bigint not null,                  -- bytes of all frames up to this one, as recorded: it bounds pages
    pruned boolean not null default false,     -- retention left nothing of the payload but its method
    primary key (worker_no, seq)
);
create unique index event_identity on event (worker_no, event_id);

-- Gap detection for executors: highest producer_seq per worker and machine, never reset.
create table producer (
    worker_no bigint not null references worker on delete cascade,
    machine_id text not null,
    producer_seq bigint not null,
    primary key (worker_no, machine_id)
) with (fillfactor = 50);

create table handshake (
    worker_no bigint not null references worker on delete cascade,
    handshake_id text not null,
    asked_seq bigint not null,
    asked_at timestamptz not null,
    acked_seq bigint,
    primary key (worker_no, handshake_id)
);

create table receipt (
    target_kind text not null check (target_kind in ('worker', 'machine')),
    target_id text not null,
    request_id text not null,
    machine_id text,                           -- who is to execute it
    method text not null,
    digest bytea not null,
    state text not null check (state in ('accepted', 'delivered', 'acknowledged', 'completed', 'failed',
        'rejected', 'expired', 'cancelled', 'indeterminate')),
    params text not null,                      -- redacted
    response text,                             -- redacted
    error text,                                -- redacted: {"code", "message", "details"}
    actor text not null,
    x_request_id text,
    traceparent text,
    accepted_seq bigint,                       -- seq of worker.request.received
    created_at timestamptz not null,
    expires_at timestamptz,                    -- null: never
    delivered_at timestamptz,
    acknowledged_at timestamptz,
    ended_at timestamptz,
    primary key (target_kind, target_id, request_id)
);
create index receipt_open on receipt (machine_id, created_at) where ended_at is null;
create index receipt_expiry on receipt (expires_at) where ended_at is null and expires_at is not null;

-- What must reach Codex exactly, encrypted; deleted when the receipt ends.
create table delivery (
    target_kind text not null,
    target_id text not null,
    request_id text not null,
    key_id text not null,
    ciphertext bytea not null,
    primary key (target_kind, target_id, request_id),
    foreign key (target_kind, target_id, request_id) references receipt on delete cascade
);

-- A signature's nonce is good once (docs/runtime-contract.md).
create table nonce (
    nonce text primary key,
    expires_at timestamptz not null
);
create index nonce_expiry on nonce (expires_at);

-- A worker with all that a snapshot is made of.
create view worker_view as
select w.worker_no, w.worker_id, w.owner_user_id, w.owner_guest_scope, w.workspace_ref, w.codex_home_ref, w.adapter,
       w.metadata, w.execution_mode, w.created_at,
       h.latest_seq, h.oldest_seq, h.log_bytes, h.updated_at,
       s.status, s.started_at, s.stopped_at, s.stop_reason, s.stop_verified, s.facts,
       b.last_heartbeat_at,
       l.machine_id, l.generation, l.claimed_at, l.expires_at, l.released_at, l.ttl_ms,
       m.name as machine_name, m.codex_version, mb.last_heard_at
from worker w
join worker_head h using (worker_no)
join worker_state s using (worker_no)
left join worker_beat b using (worker_no)
left join lease l using (worker_no)
left join machine m on m.machine_id = l.machine_id
left join machine_beat mb on mb.machine_id = l.machine_id;
