-- ended: Of these tokens, access or refresh, those whose session was ended or whose device was revoked, and whose they were.
select t.token_digest, s.session_id, s.user_id, s.device_id, s.machine_id, d.surface
from (
    select token_digest, session_id from api.access_token where token_digest = any ($1::bytea[])
    union all
    select token_digest, session_id from api.refresh_token where token_digest = any ($1::bytea[])
) t
join api.session s using (session_id)
join api.device d on d.device_id = s.device_id
where s.ended_at is not null or d.revoked_at is not null;
