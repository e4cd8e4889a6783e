-- What a browser's cookie stands for: a session like any other. The cookie is stored as SHA-256.
create table browser (
    cookie_digest bytea primary key,
    session_id text not null unique references session on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null
);
create index browser_expiry on browser (expires_at);
