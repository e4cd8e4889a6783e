-- keep: The cookie stands for the session of this access token from now on, and one whose answer was lost for none; $3 is
-- for how many seconds.
insert into api.browser (cookie_digest, session_id, expires_at)
select $1, session_id, clock_timestamp() + make_interval(secs => $3) from api.access_token where token_digest = $2
on conflict (session_id) do update set cookie_digest = excluded.cookie_digest, expires_at = excluded.expires_at
returning session_id;

-- session: The session of a cookie, while both last.
select s.session_id, b.expires_at < clock_timestamp() + make_interval(secs => $2) as is_due
from api.browser b
join api.session s using (session_id)
join api.device d using (device_id)
left join api.guest g on g.guest_id = s.guest_id
where b.cookie_digest = $1 and b.expires_at > clock_timestamp() and s.ended_at is null and d.revoked_at is null
    and (s.guest_id is null or (g.revoked_at is null and g.expires_at > clock_timestamp()));

-- prolong: A cookie in use lasts; $2 is for how many seconds from now.
update api.browser set expires_at = clock_timestamp() + make_interval(secs => $2) where cookie_digest = $1;

-- sweep: Forget cookies that ended, or whose session did.
delete from api.browser b using api.session s
where s.session_id = b.session_id and (b.expires_at < clock_timestamp() or s.ended_at is not null);
