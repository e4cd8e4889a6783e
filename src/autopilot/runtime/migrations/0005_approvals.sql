-- Questions that Codex asks a person: each a durable row with exactly one answer, changed under its worker's lock in the
-- transaction of the event that tells of it. Rows stay when retention takes the events.
create table approval (
    approval_id text primary key,              -- a digest of worker, incarnation, Codex's id and item: unique everywhere
    worker_no bigint not null references worker on delete cascade,
    machine_id text references machine,        -- whose Codex asks, and who is to be handed the answer
    kind text not null,
    state text not null check (state in ('pending', 'decided', 'delivered', 'applied', 'superseded', 'expired', 'closed')),
    request text not null,                     -- what the executor said of the question, redacted
    params text not null,                      -- Codex's own words, redacted
    requested_seq bigint not null,             -- of worker.approval.requested
    requested_at timestamptz not null,
    expires_at timestamptz,                    -- null: never
    decision text,                             -- redacted
    decision_digest bytea,                     -- keyed digest of the decision before redaction
    decided_seq bigint,                        -- of worker.approval.decided
    decided_at timestamptz,
    x_request_id text,                         -- of the call that decided
    traceparent text,
    delivered_at timestamptz,
    outcome text,
    closed_reason text,
    ended_at timestamptz
);
create index approval_open on approval (worker_no, requested_at) where ended_at is null;
create index approval_of_worker on approval (worker_no, requested_at);
create index approval_expiry on approval (expires_at) where state = 'pending' and expires_at is not null;
create index approval_ended on approval (ended_at) where ended_at is not null;
create index approval_decided on approval (worker_no, decided_seq) where decided_seq is not null;

-- What a person filled in and said, encrypted; deleted when the approval ends.
create table approval_answer (
    approval_id text primary key references approval on delete cascade,
    key_id text not null,
    ciphertext bytea not null
);

-- An approval with all that its readers are told.
create view approval_view as
select a.*, w.worker_id, w.owner_user_id, w.owner_guest_scope, m.name as machine_name, mb.last_heard_at
from approval a
join worker w using (worker_no)
left join machine m on m.machine_id = a.machine_id
left join machine_beat mb on mb.machine_id = a.machine_id;

-- A worker with all that a snapshot is made of, and now how many questions wait.
create or replace view worker_view as
select w.worker_no, w.worker_id, w.owner_user_id, w.owner_guest_scope, w.workspace_ref, w.codex_home_ref, w.adapter,
       w.metadata, w.execution_mode, w.created_at,
       h.latest_seq, h.oldest_seq, h.log_bytes, h.updated_at,
       s.status, s.started_at, s.stopped_at, s.stop_reason, s.stop_verified, s.facts,
       b.last_heartbeat_at,
       l.machine_id, l.generation, l.claimed_at, l.expires_at, l.released_at, l.ttl_ms,
       m.name as machine_name, m.codex_version, mb.last_heard_at,
       (select count(*) from approval a
        where a.worker_no = w.worker_no and a.ended_at is null and a.state = 'pending') as pending_approvals
from worker w
join worker_head h using (worker_no)
join worker_state s using (worker_no)
left join worker_beat b using (worker_no)
left join lease l using (worker_no)
left join machine m on m.machine_id = l.machine_id
left join machine_beat mb on mb.machine_id = l.machine_id;
