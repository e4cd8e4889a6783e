-- lock_user: Guests of one user are counted and made one at a time.
select pg_advisory_xact_lock(hashtextextended('autopilot.api.guests_of:' || $1::bigint, 0));

-- count_of_user: How many guests a user has who may read, or come yet.
select count(*)::int from api.guest
where invited_by = $1 and revoked_at is null and expires_at > clock_timestamp();

-- invite: A guest who may come; $6 is for how many seconds they may read.
insert into api.guest (guest_id, invited_by, name, worker_ids, secret_digest, expires_at)
values ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))
returning guest_id, name, worker_ids, created_at, expires_at, entered_at;

-- of_user: A user's guests who may read, or come yet, the newest first.
select guest_id, name, worker_ids, created_at, expires_at, entered_at
from api.guest
where invited_by = $1 and revoked_at is null and expires_at > clock_timestamp()
order by created_at desc, guest_id;

-- enter: The link is used; no row where it lets nobody in.
update api.guest set entered_at = clock_timestamp()
where secret_digest = $1 and entered_at is null and revoked_at is null and expires_at > clock_timestamp()
returning guest_id, invited_by, name, worker_ids, created_at, expires_at, entered_at;

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

-- end_sessions: No token of a guest speaks for anyone from now on.
update api.session set ended_at = clock_timestamp(), end_reason = 'revoked'
where guest_id = $1 and ended_at is null
returning session_id;

-- sweep: Forget guests who ended long ago, their devices and sessions with them; the audit keeps what they were.
delete from api.guest where expires_at < clock_timestamp() - interval '30 days';
