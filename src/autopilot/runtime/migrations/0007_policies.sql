-- Policy documents: what may be done at all, a text per subject. Versions are only ever added; the latest is in force.
create table policy_document (
    subject_kind text not null check (subject_kind in ('installation', 'team', 'user')),
    subject_id text not null,                  -- empty for the installation; a user's id, or guest: and the scope
    version bigint not null check (version >= 1),
    format text not null check (format in ('toml', 'json')),
    text text not null,                        -- as it was written
    contents text not null,                    -- what was read of it, as JSON: what is judged by
    actor text not null,                       -- JSON: who wrote it
    x_request_id text,
    created_at timestamptz not null default clock_timestamp(),
    primary key (subject_kind, subject_id, version)
);
