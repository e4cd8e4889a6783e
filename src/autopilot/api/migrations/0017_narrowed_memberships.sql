-- Whose role shrinks to a viewer's has a new number from then on: what was asked under the old one is taken back, and a
-- role that is given again later is another standing. Who stays keeps what they have shared.
alter table untold_departure add column stays boolean not null default false;

create function note_narrowing() returns trigger language plpgsql as $$
begin
    insert into api.untold_departure (membership_no, team_id, user_id, stays)
    values (old.membership_no, old.team_id, old.user_id, true);
    new.membership_no := nextval(pg_get_serial_sequence('api.membership', 'membership_no'));
    return new;
end
$$;
create trigger membership_narrowed before update of role on membership
    for each row when (old.role <> 'viewer' and new.role = 'viewer') execute function note_narrowing();
