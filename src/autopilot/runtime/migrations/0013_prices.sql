-- What tokens cost, as the installation's owner says it. Versions are only ever added; the latest is in force.
create table price_table (
    version bigint primary key check (version >= 1),
    format text not null check (format in ('toml', 'json')),
    text text not null,                        -- as it was written
    currency text not null,
    actor text not null,                       -- JSON: who wrote it
    x_request_id text,
    created_at timestamptz not null default clock_timestamp()
);

-- What a version says: from a day on, until the model's next price. Whole millionths of the currency's unit for a
-- million tokens; no broken numbers.
create table price (
    version bigint not null references price_table on delete cascade,
    model text not null,
    first_day date not null,
    input_micros bigint not null check (input_micros >= 0),
    cached_input_micros bigint not null check (cached_input_micros >= 0),
    output_micros bigint not null check (output_micros >= 0),
    primary key (version, model, first_day)
);
