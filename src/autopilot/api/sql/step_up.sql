-- step_up: A session's user has just proved who they are; $3: for how many seconds that counts.
update api.session set stepped_up_until = clock_timestamp() + make_interval(secs => $3), stepped_up_by = $2
where session_id = $1 and ended_at is null
returning stepped_up_until;

-- until: Until when a session is stepped up.
select stepped_up_until from api.session where session_id = $1 and stepped_up_until > clock_timestamp();

-- session_of: The session of an access token that still speaks for a person.
select s.session_id, s.user_id, s.device_id
from api.access_token t
join api.session s using (session_id)
join api.device d on d.device_id = s.device_id
where t.token_digest = $1 and t.expires_at > clock_timestamp() and s.ended_at is null and s.machine_id is null
    and d.revoked_at is null;
