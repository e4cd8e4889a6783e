-- What a machine's Codex said last of one kind, where that concerns no worker (rate limits, the account, warnings).
create table machine_fact (
    machine_id text not null references machine (machine_id) on delete cascade,
    method text not null,
    params text not null,
    occurred_at timestamptz not null,
    primary key (machine_id, method)
);
