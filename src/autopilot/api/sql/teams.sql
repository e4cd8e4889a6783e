-- create: A new team.
insert into api.team (team_id, name) values ($1, $2) returning team_id, name, created_at;

-- lock_user: Teams of one user are counted and joined one at a time.
select pg_advisory_xact_lock(hashtextextended('autopilot.api.teams_of:' || $1::bigint, 0));

-- count_of_user: In how many teams a user is.
select count(*)::int from api.membership where user_id = $1;

-- count_of_team: How many are in a team.
select count(*)::int from api.membership where team_id = $1;

-- join: A user is in a team from now on; no row where that is so already.
insert into api.membership (team_id, user_id, role) values ($1, $2, $3)
on conflict (team_id, user_id) do nothing returning role;

-- of_user: A user's teams, by name; with $2 only that one.
select t.team_id, t.name, t.created_at, m.role
from api.membership m join api.team t using (team_id)
where m.user_id = $1 and ($2::text is null or t.team_id = $2)
order by t.name, t.team_id;

-- addresses_seen_by: The addresses of those of these users who are in a team with $1, and of $1.
select u.user_id, u.email
from api.user_account u
where u.user_id = any($2::bigint[]) and (u.user_id = $1 or exists (
    select from api.membership a join api.membership b using (team_id)
    where a.user_id = $1 and b.user_id = u.user_id));

-- names_seen_by: The names of those of these teams that $1 is in.
select t.team_id, t.name as team_name
from api.team t join api.membership m using (team_id)
where m.user_id = $1 and t.team_id = any($2::text[]);

-- members: Who is in a team, owners first.
select m.user_id, u.email, m.role, m.since
from api.membership m join api.user_account u using (user_id)
where m.team_id = $1
order by array_position(array['owner', 'operator', 'viewer'], m.role), m.since, m.user_id;

-- lock: What a team consists of changes one at a time: there is always an owner.
select team_id, name from api.team where team_id = $1 for update;

-- role: A member's role.
select role from api.membership where team_id = $1 and user_id = $2;

-- other_owners: How many owners a team has beside this one.
select count(*)::int from api.membership where team_id = $1 and role = 'owner' and user_id <> $2;

-- set_role: A member has this role from now on; the number under which they had the other one.
update api.membership m set role = $3
from (select membership_no from api.membership where team_id = $1 and user_id = $2 for update) was
where m.team_id = $1 and m.user_id = $2
returning was.membership_no;

-- remove: A user is in a team no longer.
delete from api.membership where team_id = $1 and user_id = $2 returning membership_no;

-- remove_all: Nobody is in a team any longer.
delete from api.membership where team_id = $1 returning membership_no;

-- delete: There is no such team any longer; invitations go with it.
delete from api.team where team_id = $1;

-- invited_lately: How many invitations a user sent within the last hour.
select count(*)::int from api.invitation
where invited_by = $1 and created_at > clock_timestamp() - interval '1 hour';

-- withdraw_of_email: A newer invitation takes the place of the older ones.
update api.invitation set withdrawn_at = clock_timestamp()
where team_id = $1 and email_key = $2 and used_at is null and withdrawn_at is null;

-- invite: An invitation that is on its way; $7 is its life in seconds.
insert into api.invitation (invitation_id, team_id, email, email_key, role, secret_digest, expires_at, invited_by)
values ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7), $8)
returning invitation_id, email, role, created_at, expires_at;

-- invitations: Those of a team that somebody can accept yet, the newest first.
select invitation_id, email, role, created_at, expires_at
from api.invitation
where team_id = $1 and used_at is null and withdrawn_at is null and expires_at > clock_timestamp()
order by created_at desc, invitation_id;

-- withdraw: Nobody can accept it from now on.
update api.invitation set withdrawn_at = clock_timestamp()
where team_id = $1 and invitation_id = $2 and used_at is null and withdrawn_at is null
    and expires_at > clock_timestamp()
returning email_key, role;

-- find_invitation: One that can be accepted yet, by its secret.
select invitation_id, team_id, email_key, role from api.invitation
where secret_digest = $1 and used_at is null and withdrawn_at is null and expires_at > clock_timestamp();

-- use: It was accepted; no row where somebody was faster.
update api.invitation set used_at = clock_timestamp()
where invitation_id = $1 and used_at is null and withdrawn_at is null and expires_at > clock_timestamp()
returning invitation_id;

-- sweep_invitations: Forget invitations that ended long ago; the audit keeps what became of them.
delete from api.invitation where expires_at < clock_timestamp() - interval '30 days';
