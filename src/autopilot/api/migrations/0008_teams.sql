-- Teams: people who share machines, each in one role.
create table team (
    team_id text primary key,                  -- team_…: nobody guesses it
    name text not null check (char_length(name) between 1 and 100),
    created_at timestamptz not null default clock_timestamp()
);

create table membership (
    team_id text not null references team on delete cascade,
    user_id bigint not null references user_account on delete cascade,
    role text not null check (role in ('owner', 'operator', 'viewer')),
    since timestamptz not null default clock_timestamp(),
    primary key (team_id, user_id)
);
create index membership_user on membership (user_id);

create table invitation (
    invitation_id text primary key,
    team_id text not null references team on delete cascade,
    email text not null,
    email_key text not null,
    role text not null check (role in ('owner', 'operator', 'viewer')),
    secret_digest bytea not null unique,       -- the secret itself is in the mail, and nowhere else
    invited_by bigint references user_account on delete set null,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    used_at timestamptz,                       -- accepted
    withdrawn_at timestamptz                   -- by an owner, or by a newer one for the same address
);
create index invitation_team on invitation (team_id, created_at);
create index invitation_by on invitation (invited_by, created_at);
create index invitation_expiry on invitation (expires_at);
