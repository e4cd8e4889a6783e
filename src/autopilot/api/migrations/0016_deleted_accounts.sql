-- Accounts that were deleted: for ever, so that no id is given again, and nothing of whose they were but the id.
create table deleted_account (
    user_id bigint primary key,
    device_ids text[] not null,                -- that were signed in: the runtime is to be told of them
    x_request_id text,
    deleted_at timestamptz not null default clock_timestamp(),
    told_at timestamptz                        -- null: the runtime does not know yet
);
create index deleted_account_untold on deleted_account (deleted_at) where told_at is null;

-- What their devices and machines still hold, so that they can be told why it is good for nothing.
create table orphaned_token (
    token_digest bytea primary key,
    expires_at timestamptz not null
);
create index orphaned_token_expiry on orphaned_token (expires_at);
