-- What was done and what was refused, for ever: rows are added in the transaction of the act, and nothing else.
-- Each is handed to the runtime too, which puts it into the sealed audit log (docs/decisions/0014-one-audit.md).
create table audit (
    audit_no bigint generated always as identity primary key,
    audit_id text not null unique,             -- aud_…: by which the runtime knows it again
    at timestamptz not null default clock_timestamp(),
    action text not null,                      -- of audit.Action: the set is closed in code, not here
    outcome text not null check (outcome in ('done', 'refused')),
    user_id bigint,                            -- who did it; no reference: the trail outlives the account
    guest_scope text,
    device_id text,
    session_id text,
    machine_id text,
    surface text,
    address text,
    x_request_id text,
    subject text,                              -- what it was done to: `device:dev_…`, `email:…`
    detail text not null default '{}',         -- a small JSON object, redacted
    check (octet_length(detail) <= 4096)
);
create index audit_user on audit (user_id, at);
create index audit_at on audit (at);

-- What the runtime was not told yet. A row is deleted after the runtime's answer, not before.
create table untold_audit (
    audit_no bigint primary key references audit
);

create function audit_tells() returns trigger language plpgsql as $$
begin
    insert into api.untold_audit (audit_no) values (new.audit_no);
    return null;
end $$;
create trigger audit_told after insert on audit for each row execute function audit_tells();

insert into audit (audit_id, at, action, outcome, user_id, session_id, surface, address, x_request_id, subject)
select 'aud_' || replace(gen_random_uuid()::text, '-', ''), at, action,
    case when action in ('code_refused', 'refresh_reused') then 'refused' else 'done' end,
    user_id, session_id, surface, address, x_request_id, 'email:' || email_key
from sign_in_audit order by audit_no;
drop table sign_in_audit;

create function audit_is_for_ever() returns trigger language plpgsql as $$
begin
    raise exception 'the audit is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_append_only before update or delete or truncate on audit
    for each statement execute function audit_is_for_ever();
