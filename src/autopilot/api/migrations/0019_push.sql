-- Web Push: where a user's devices are told something, what they want to hear, and what is on its way to them.
create table push_subscription (
    subscription_id text primary key,
    session_id text not null unique references session on delete cascade, -- it is the session's, and ends with it
    user_id bigint not null references user_account on delete cascade,
    endpoint text not null check (octet_length(endpoint) <= 2048), -- a URL that a client chose: see push_place.py
    p256dh bytea not null check (octet_length(p256dh) = 65),
    auth bytea not null check (octet_length(auth) = 16),
    key_id text not null,                      -- the key of ours (VAPID) that it was made for
    created_at timestamptz not null default clock_timestamp(),
    last_sent_at timestamptz,
    last_failure text
);
create index push_subscription_user on push_subscription (user_id);

-- However a session ends, nothing more goes to its device.
create function end_push() returns trigger language plpgsql as $$
begin
    delete from api.push_subscription where session_id = new.session_id;
    return null;
end
$$;
create trigger session_ended_push after update of ended_at on session for each row
    when (old.ended_at is null and new.ended_at is not null) execute function end_push();

-- What a user wants to hear; no row: as the defaults say.
create table push_settings (
    user_id bigint primary key references user_account on delete cascade,
    approvals boolean not null default true,
    failures boolean not null default true,
    turns boolean not null default true,
    requests boolean not null default true,
    team_machines boolean not null default false,
    content boolean not null default true,
    quiet_hours boolean not null default false,
    quiet_from text not null default '22:00' check (quiet_from ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
    quiet_to text not null default '07:00' check (quiet_to ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
    time_zone text not null default 'UTC',
    quiet_approvals boolean not null default false
);

-- What a person has before their eyes, by the word of the device that shows it; it runs out by itself.
create table push_looking (
    session_id text primary key references session on delete cascade,
    user_id bigint not null references user_account on delete cascade,
    worker_ids text[] not null check (cardinality(worker_ids) <= 32),
    until timestamptz not null
);
create index push_looking_user on push_looking (user_id);

-- How far the ledger's transitions were looked through; its row is the lock of whoever looks. Null: begin at the end.
create table push_reader (
    sole boolean primary key default true check (sole),
    after_no bigint
);
insert into push_reader default values;

-- Notifications: due, or ended. One of each event and subscription, however often the event is read.
create table push_message (
    message_no bigint generated always as identity primary key,
    subscription_id text not null references push_subscription on delete cascade,
    kind text not null check (kind in ('approval', 'approval_closed', 'failure', 'turn', 'request')),
    tag text not null,                         -- a later one of the same takes its place
    worker_id text not null,
    seq bigint not null,
    approval_id text,
    request_id text,
    occurred_at timestamptz not null,
    due_at timestamptz not null,
    claimed_until timestamptz,                 -- somebody is at it
    tries integer not null default 0,
    ended_at timestamptz,
    outcome text,                              -- sent, or why not
    unique (subscription_id, worker_id, seq, kind)
);
create index push_message_due on push_message (due_at) where ended_at is null;
create index push_message_approval on push_message (approval_id) where approval_id is not null;
create index push_message_ended on push_message (occurred_at);

-- Answers that a notification offered: each good once, in the session that it went to.
create table push_action (
    token_digest bytea primary key,
    subscription_id text not null references push_subscription on delete cascade,
    session_id text not null references session on delete cascade,
    approval_id text not null,
    option_id text not null,
    expires_at timestamptz not null,
    used_at timestamptz
);
create index push_action_expiry on push_action (expires_at);
create index push_action_subscription on push_action (subscription_id);
