-- The audit log: what the API tells of accounts and devices, and what the runtime does that is in no worker's log.
-- Entries have seqs like events and are sealed into the same chain (seal_audit.py). The row of audit_head is its lock.
create table audit_head (
    log_no bigint primary key check (log_no = 1),
    latest_seq bigint not null default 0,
    updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

create table audit_entry (
    seq bigint primary key,
    audit_id text not null unique,             -- by which a line that is handed over twice is known
    recorded_at timestamptz not null,          -- by the ledger's clock
    at timestamptz not null,                   -- when it was done
    action text not null,
    outcome text not null check (outcome in ('done', 'refused')),
    user_id bigint,
    guest_scope text,
    device_id text,
    session_id text,
    machine_id text,
    surface text,
    address text,
    x_request_id text,
    subject text,
    detail text not null                       -- a JSON object, redacted
);
create index audit_entry_at on audit_entry (at desc, audit_id desc);
create index audit_entry_user on audit_entry (user_id, at desc, audit_id desc);
-- The search of the audit reads requests and decisions too, by their time.
create index receipt_created on receipt (created_at);
create index approval_decided_at on approval (decided_at) where decided_at is not null;

create function audit_is_for_ever() returns trigger language plpgsql as $$
begin
    raise exception 'the audit is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_append_only before update or delete or truncate on audit_entry
    for each statement execute function audit_is_for_ever();
