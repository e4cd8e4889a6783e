-- Accounts, devices, sessions and their tokens. Only autopilot.api reads or writes this schema.
-- Everything lives in the Postgres schema "api" (the migration runner creates it and sets the search path).
-- No secret is stored: tokens as SHA-256 (they have 256 bits of chance), codes as a keyed digest (they have few).
-- Lock order: session before refresh_token; login_code rows in code_no order.

create table user_account (
    user_id bigint generated always as identity primary key,
    email text,                                -- as its owner wrote it; null: an owner nobody has claimed by signing in
    email_key text unique,                     -- folded: what makes two spellings one address
    is_owner boolean not null default false,
    created_at timestamptz not null default clock_timestamp(),
    check ((email is null) = (email_key is null)),
    check (email is not null or is_owner)
);
create unique index user_account_one_owner on user_account (is_owner) where is_owner;

create table device (
    device_id text primary key,
    user_id bigint not null references user_account on delete cascade,
    name text not null default '',
    surface text not null check (surface in ('ios', 'web', 'cli', 'sdk', 'companion')),
    created_at timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz
);
create index device_user on device (user_id);

-- One sign-in of one device, and its refresh family: they begin and end together.
create table session (
    session_id text primary key,
    user_id bigint not null references user_account on delete cascade,
    device_id text not null references device on delete cascade,
    scopes text[] not null check (scopes <@ array['observe', 'administer', 'execute', 'admin']),
    machine_id text,                           -- the machine an execute session is bound to
    created_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    end_reason text check (end_reason in ('signed_out', 'refresh_reused', 'revoked')),
    check ((ended_at is null) = (end_reason is null)),
    check (('execute' = any (scopes)) = (machine_id is not null))
);
create index session_of_user on session (user_id) where ended_at is null;
create index session_of_device on session (device_id);

create table access_token (
    token_digest bytea primary key,
    session_id text not null references session on delete cascade,
    issued_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    check (expires_at <= issued_at + interval '15 minutes 1 second')
);
create index access_token_session on access_token (session_id);
create index access_token_expiry on access_token (expires_at);

create table refresh_token (
    token_digest bytea primary key,
    session_id text not null references session on delete cascade,
    issued_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    replaced_at timestamptz,
    successor_salt bytea,                      -- with the token itself (which is not here) it makes the successor
    successor_digest bytea,
    check ((replaced_at is null) = (successor_salt is null) and (replaced_at is null) = (successor_digest is null))
);
create index refresh_token_session on refresh_token (session_id);
create index refresh_token_expiry on refresh_token (expires_at);

create table login_code (
    code_no bigint generated always as identity primary key,
    email text not null,
    email_key text not null,
    code_digest bytea not null,
    address text not null,                     -- who asked: a sign-in without an e-mail must come from there
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    attempts_left smallint not null check (attempts_left >= 0),
    used_at timestamptz
);
create index login_code_email on login_code (email_key, created_at);
create index login_code_address on login_code (address, created_at);
create index login_code_expiry on login_code (expires_at);

create table sign_in_audit (
    audit_no bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    action text not null check (action in ('code_requested', 'code_refused', 'signed_in', 'signed_out',
        'refresh_reused', 'token_minted')),
    user_id bigint,                            -- no reference: the trail outlives the account
    email_key text,
    session_id text,
    address text,
    surface text,
    x_request_id text
);
create index sign_in_audit_user on sign_in_audit (user_id, at);
create index sign_in_audit_at on sign_in_audit (at);
