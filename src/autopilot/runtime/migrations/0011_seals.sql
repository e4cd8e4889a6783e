-- Tamper evidence: ranges of append-only logs, sealed into one chain. Rows are only ever inserted, by the sealer.
create table seal (
    seal_no bigint primary key,                -- 1, 2, 3 without a gap: one chain for the whole installation
    source text not null,                      -- which kind of log: worker
    log_no bigint not null,                    -- of a worker's log: worker_no
    log_id text not null,                      -- of a worker's log: worker_id
    from_seq bigint not null,
    to_seq bigint not null,
    state bytea not null,                      -- of the log's own chain of leaves, at to_seq
    sealed_at timestamptz not null,
    previous bytea not null,                   -- digest of the seal before
    digest bytea not null,                     -- over all of the above
    key_id text not null,                      -- of the key outside the database that made the signature
    signature bytea not null
);
create unique index seal_log on seal (source, log_no, to_seq desc);

-- Where retention has cut a log off: what is below is gone, what is above still verifies.
create table seal_floor (
    source text not null,
    log_no bigint not null,
    floor_seq bigint not null,
    state bytea not null,                      -- of the log's own chain of leaves, at floor_seq - 1
    key_id text not null,
    signature bytea not null,
    primary key (source, log_no)
);

-- Of a pruned event: the digest of the payload that went, and the signed word that retention took it (seal_workers.py).
alter table event add column pruned_proof bytea;
