-- Guests: people without an account who read, for a while, workers that a user showed them; each is a scope of its own.
create table guest (
    guest_id text primary key,                 -- guest_…: what the runtime knows them by
    invited_by bigint not null references user_account on delete cascade,
    name text not null check (char_length(name) between 1 and 100),
    worker_ids text[] not null check (cardinality(worker_ids) between 1 and 20),
    secret_digest bytea not null unique,       -- the secret itself is in the link, and nowhere else
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    entered_at timestamptz,                    -- the link was used: it is good once
    revoked_at timestamptz,
    check (expires_at <= created_at + interval '7 days 1 second')
);
create index guest_by on guest (invited_by, created_at);
create index guest_expiry on guest (expires_at);

-- A device and its session are a user's or a guest's; a guest's session only reads.
alter table device alter column user_id drop not null;
alter table device add column guest_id text references guest on delete cascade;
alter table device add check (num_nonnulls(user_id, guest_id) = 1);
create index device_guest on device (guest_id) where guest_id is not null;
alter table session alter column user_id drop not null;
alter table session add column guest_id text references guest on delete cascade;
alter table session add check (num_nonnulls(user_id, guest_id) = 1);
alter table session add check (guest_id is null or scopes = array['observe']);
