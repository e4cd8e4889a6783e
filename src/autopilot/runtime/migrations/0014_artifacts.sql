-- What is too large for an event: announced by the event that refers to it, in its transaction; its content follows in
-- pieces (artifacts_store.py). The row stays when retention takes the content, and says what it was.
create table artifact (
    artifact_no bigint generated always as identity primary key, -- newer ones have higher numbers
    worker_no bigint not null references worker on delete cascade,
    artifact_id text not null,
    state text not null default 'pending' check (state in ('pending', 'stored', 'pruned')),
    last_seq bigint not null,                  -- of the last event that refers to it
    path text not null,                        -- JSON Pointer into that event's payload
    media_type text not null,
    bytes bigint not null,                     -- of the whole, as the event says
    sha256 bytea not null,                     -- of the whole, as the event says
    received_bytes bigint not null default 0,  -- of the whole: where the next piece begins
    stored_bytes bigint not null default 0,    -- of the chunks: after redaction
    stored_sha256 bytea,                       -- of the chunks; known once all are there
    inside text not null default '',           -- what the last piece ended in (contract/redaction_stream.py)
    redacted boolean not null default false,
    truncated boolean not null default false,
    announced_at timestamptz not null,
    stored_at timestamptz,
    unique (worker_no, artifact_id)
);
create index artifact_worker on artifact (worker_no, artifact_no desc);

-- Which events refer to it: it goes with the payload of the last of them.
create table artifact_use (
    worker_no bigint not null,
    seq bigint not null,
    artifact_no bigint not null references artifact on delete cascade,
    primary key (worker_no, seq, artifact_no)
);
create index artifact_use_artifact on artifact_use (artifact_no);

create table artifact_chunk (
    artifact_no bigint not null references artifact on delete cascade,
    start_byte bigint not null,
    content bytea not null,                    -- redacted; at most 256 KiB
    primary key (artifact_no, start_byte)
);
