-- step_up: A session's user has just proved who they are; $3: for how many seconds that counts. More than the mail box
-- ends a hold.
update api.session set stepped_up_until = clock_timestamp() + make_interval(secs => $3), stepped_up_by = $2,
    held_until = case when $2 = 'email_code' then held_until end
where session_id = $1 and ended_at is null
returning stepped_up_until;

-- hold: It was opened by mail although its user has passkeys; $2: for how many seconds it is held. No row: they have none.
update api.session s set held_until = clock_timestamp() + make_interval(secs => $2)
where s.session_id = $1
    and exists (select from api.passkey p where p.user_id = s.user_id and p.suspected_at is null)
returning held_until;

-- held_until: Until when a session is held; no row: it isn't.
select held_until from api.session where session_id = $1 and held_until > clock_timestamp();

-- held: Of these users what came in without a passkey and is held, the oldest first.
select s.user_id, d.device_id, d.name, d.platform, d.surface, d.address, s.created_at, s.held_until
from api.session s
join api.device d using (device_id)
where s.user_id = any ($1::bigint[]) and s.held_until > clock_timestamp() and s.ended_at is null and d.revoked_at is null
order by s.created_at, d.device_id;

-- confirm: Its user has said, elsewhere, that this device is theirs; no row where none of theirs is signed in so.
update api.session s set held_until = null
from api.device d
where d.device_id = s.device_id and d.user_id = $1 and d.device_id = $2 and d.revoked_at is null and s.ended_at is null
returning s.session_id;

-- until: Until when a session is stepped up.
select stepped_up_until from api.session where session_id = $1 and stepped_up_until > clock_timestamp();

-- session_of: The session of an access token that still speaks for a person.
select s.session_id, s.user_id, s.device_id
from api.access_token t
join api.session s using (session_id)
join api.device d on d.device_id = s.device_id
where t.token_digest = $1 and t.expires_at > clock_timestamp() and s.ended_at is null and s.machine_id is null
    and d.revoked_at is null;
