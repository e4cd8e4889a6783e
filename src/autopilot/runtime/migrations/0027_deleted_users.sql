-- Users whose accounts were deleted: nothing is taken from them any more, and what was theirs is stopped and emptied.
create table deleted_user (
    user_id bigint primary key,
    deleted_at timestamptz not null default clock_timestamp(),
    emptied_at timestamptz                     -- null: not all of it yet
);
create index deleted_user_left on deleted_user (deleted_at) where emptied_at is null;
