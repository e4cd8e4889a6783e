-- Who leaves a team takes their own machines out of it. The runtime is told of every membership that ended, however it
-- ended, in the order of nothing but the membership's own number: one that is joined again is another one.
alter table membership add column membership_no bigint generated always as identity unique;

create table untold_departure (
    membership_no bigint primary key,
    team_id text not null,
    user_id bigint not null,
    ended_at timestamptz not null default clock_timestamp(),
    by_user_id bigint,                         -- who ended it, from where; null where it went with its user or team
    device_id text,
    session_id text,
    surface text,
    address text,
    x_request_id text
);
create index untold_departure_ended on untold_departure (ended_at);

create function note_departure() returns trigger language plpgsql as $$
begin
    insert into api.untold_departure (membership_no, team_id, user_id) values (old.membership_no, old.team_id, old.user_id);
    return null;
end
$$;
create trigger membership_ended after delete on membership for each row execute function note_departure();
