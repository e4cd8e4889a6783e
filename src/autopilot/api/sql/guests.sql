-- lock_user: Guests of one user are counted and made one at a time.
select pg_advisory_xact_lock(hashtextextended('autopilot.api.guests_of:' || $1::bigint, 0));

-- count_of_user: How many guests a user has who may read, or come yet.
select count(*)::int from api.guest
where invited_by = $1 and revoked_at is null and expires_at > clock_timestamp();

-- is_signed_in: Whether a session has not ended.
select exists (select from api.session where session_id = $1 and ended_at is null);

-- invite: A guest who may come; $6 is for how many seconds they may read, $7 the device that invites.
with made as (
    insert into api.guest (guest_id, invited_by, name, worker_ids, secret_digest, expires_at, device_id)
    values ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6), $7)
    returning guest_id, name, worker_ids, created_at, expires_at, entered_at, device_id
)
select made.*, d.name as device_name from made left join api.device d using (device_id);

-- of_user: A user's guests who may read, or come yet, the newest first.
select g.guest_id, g.name, g.worker_ids, g.created_at, g.expires_at, g.entered_at, g.device_id, d.name as device_name
from api.guest g left join api.device d using (device_id)
where g.invited_by = $1 and g.revoked_at is null and g.expires_at > clock_timestamp()
order by g.created_at desc, g.guest_id;

-- enter: The link is used; no row where it lets nobody in.
update api.guest set entered_at = clock_timestamp()
where secret_digest = $1 and entered_at is null and revoked_at is null and expires_at > clock_timestamp()
returning guest_id, invited_by, name, worker_ids, created_at, expires_at, entered_at;

-- enter_again: Who came in by this link less than $4 seconds ago, with these tokens, and has used up neither.
select g.guest_id, g.invited_by, g.name, g.worker_ids, g.created_at, g.expires_at, g.entered_at,
    extract(epoch from a.expires_at - clock_timestamp())::float8 as seconds_left
from api.guest g
join api.session s on s.guest_id = g.guest_id and s.ended_at is null
join api.refresh_token r on r.session_id = s.session_id and r.token_digest = $2 and r.replaced_at is null
join api.access_token a on a.session_id = s.session_id and a.token_digest = $3 and a.expires_at > clock_timestamp()
where g.secret_digest = $1 and g.entered_at > clock_timestamp() - make_interval(secs => $4)
    and g.revoked_at is null and g.expires_at > clock_timestamp();

-- guest: One who may read.
select guest_id, name, worker_ids, created_at, expires_at, entered_at from api.guest where guest_id = $1;

-- create_device: What a guest reads on.
insert into api.device (device_id, guest_id, name, surface, address) values ($1, $2, $3, $4, $5);

-- create_session: A guest's one session.
insert into api.session (session_id, guest_id, device_id, scopes) values ($1, $2, $3, array['observe']);

-- revoke: A guest reads nothing from now on, and the link lets nobody in.
update api.guest set revoked_at = clock_timestamp()
where guest_id = $1 and invited_by = $2 and revoked_at is null and expires_at > clock_timestamp()
returning guest_id, name;

-- revoke_invited_from: The guests that these devices invited read nothing from now on, and their links let nobody in.
update api.guest set revoked_at = clock_timestamp()
where device_id = any ($1::text[]) and revoked_at is null and expires_at > clock_timestamp()
returning guest_id, name, device_id;

-- end_sessions: No token of these guests speaks for anyone from now on.
update api.session set ended_at = clock_timestamp(), end_reason = 'revoked'
where guest_id = any ($1::text[]) and ended_at is null
returning session_id;

-- sweep: Forget guests who ended long ago, their devices and sessions with them; the audit keeps what they were.
delete from api.guest where expires_at < clock_timestamp() - interval '30 days';
