-- Sign-ins with the organisation's provider that are under way: ten minutes, each good once.
-- No secret is stored: state and verifier as SHA-256 (they have 256 bits of chance), the code that the browser shows as a
-- keyed digest (it has few).
create table oidc_sign_in (
    sign_in_id text primary key,
    state text not null default 'open' check (state in ('open', 'asked', 'proved', 'done', 'refused')),
    state_digest bytea not null unique,        -- of OAuth's `state`, which the browser brings back
    verifier_digest bytea not null unique,     -- of what the device keeps that began
    salt bytea not null,                       -- with the OAuth state (which is not here) it makes nonce and PKCE verifier
    address text not null,                     -- of the device
    user_id bigint references user_account on delete cascade,
    code_digest bytea,
    attempts_left smallint not null check (attempts_left >= 0),
    session_id text references session on delete cascade,
    token_salt bytea,                          -- with the verifier (which is not here) it makes the tokens again
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    check ((state in ('proved', 'done')) = (user_id is not null)),
    check ((user_id is null) = (code_digest is null)),
    check ((state = 'done') = (session_id is not null) and (session_id is null) = (token_salt is null))
);
create index oidc_sign_in_expiry on oidc_sign_in (expires_at);
create index oidc_sign_in_address on oidc_sign_in (address);

-- Whose account a provider's subject is. One subject of an issuer for each account: an address that the provider gave to
-- somebody else is not a way into the account of whoever had it.
create table oidc_identity (
    issuer text not null,
    subject text not null,
    user_id bigint not null references user_account on delete cascade,
    linked_at timestamptz not null default clock_timestamp(),
    used_at timestamptz not null default clock_timestamp(),
    primary key (issuer, subject),
    unique (user_id, issuer)
);
