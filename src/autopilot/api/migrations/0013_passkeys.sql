-- Passkeys (WebAuthn): public keys that a user's authenticators hold the other half of. Nothing here is a secret.
create table passkey (
    passkey_id text primary key,
    user_id bigint not null references user_account on delete cascade,
    credential_id bytea not null unique check (octet_length(credential_id) between 1 and 1023),
    public_key bytea not null,                 -- as its authenticator gave it (COSE)
    rp_id text not null,                       -- the name of the site that it is for
    name text not null,
    sign_count bigint not null check (sign_count >= 0),
    backup_eligible boolean not null,
    backed_up boolean not null,
    transports text[] not null default '{}',
    created_at timestamptz not null default clock_timestamp(),
    last_used_at timestamptz,
    suspected_at timestamptz                   -- its counter went back: there is a copy, and it proves nothing any more
);
create index passkey_user on passkey (user_id);

-- What authenticators call the account by; made with its first passkey, and says nothing about it.
alter table user_account add column passkey_handle bytea unique check (octet_length(passkey_handle) = 32);

-- Questions to authenticators that are open: five minutes, one answer. Ceremony and challenge are stored as SHA-256.
create table passkey_ceremony (
    ceremony_digest bytea primary key,
    kind text not null check (kind in ('register', 'sign_in', 'step_up')),
    challenge_digest bytea not null,
    session_id text references session on delete cascade,
    expires_at timestamptz not null,
    check ((kind = 'sign_in') = (session_id is null))
);
create index passkey_ceremony_expiry on passkey_ceremony (expires_at);
create index passkey_ceremony_session on passkey_ceremony (session_id) where session_id is not null;
