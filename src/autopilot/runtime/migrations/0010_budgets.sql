-- What was told of a budget: each level once a period, and again where its limit has changed.
create table budget_notice (
    subject_kind text not null,                -- of the document that the budget is in
    subject_id text not null,
    budget text not null,
    per_id text not null,                      -- the user, worker, machine or model that has this amount for itself
    limit_tokens bigint not null,
    starts_on date not null,                   -- of the period
    level text not null check (level in ('warning', 'exhausted')),
    told_at timestamptz not null default now(),
    primary key (subject_kind, subject_id, budget, per_id, limit_tokens, starts_on, level)
);
