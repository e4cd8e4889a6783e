-- Devices whose session ended, until the runtime was told: it rejects what they asked for and no machine was handed yet.
-- A row is written in the transaction that ends the session, and deleted after the runtime's answer.
create table untold_revocation (
    device_id text primary key references device on delete cascade,
    session_id text not null,
    user_id bigint not null,
    x_request_id text,                         -- of the call that ended the session
    ended_at timestamptz not null default clock_timestamp()
);
create index untold_revocation_age on untold_revocation (ended_at);
