-- Pairings: five minutes in which a device or machine is let in by whoever has it before their eyes.
-- No secret is stored: the secret and the ticket as SHA-256 (they have 160 and 256 bits of chance), the short code as a
-- keyed digest (it has few). Lock order: pairing before session.
create table pairing (
    pairing_id text primary key,
    way text not null check (way in ('offer', 'request')),
    kind text not null check (kind in ('device', 'machine')),
    state text not null default 'open'
        check (state in ('open', 'claimed', 'answered', 'compared', 'confirmed', 'done', 'declined')),
    secret_digest bytea not null unique,
    locator text not null unique,              -- the part of the short code that names the pairing: no secret
    code_digest bytea not null,
    code_attempts_left smallint not null check (code_attempts_left >= 0),
    wrong_codes integer not null default 0,
    contested boolean not null default false,  -- somebody else came with the right secret after it was taken up
    commitment text not null,
    claimer_nonce text,
    starter_nonce text,
    user_id bigint references user_account on delete cascade,  -- who lets in
    ticket_digest bytea unique,                -- who is let in
    device_name text not null default '',
    device_platform text,
    installation_id text,
    machine_id text,
    surface text,
    device_address text,
    session_id text references session on delete cascade,
    token_salt bytea,                          -- with the ticket (which is not here) it makes the tokens again
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    check ((state = 'done') = (session_id is not null) and (session_id is null) = (token_salt is null))
);
create index pairing_expiry on pairing (expires_at);
create index pairing_user on pairing (user_id);
create index pairing_address on pairing (device_address);

-- By which a client is known again when it is paired anew: it stays one device.
alter table device add column installation_id text;
create index device_installation on device (user_id, installation_id) where installation_id is not null;

alter table session drop constraint session_end_reason_check;
alter table session add constraint session_end_reason_check
    check (end_reason in ('signed_out', 'refresh_reused', 'revoked', 'replaced'));
