-- of_user: The devices that are signed in, each with its session, the last one heard of first.
select d.device_id, d.name, d.platform, d.surface, d.created_at, d.last_seen_at, d.address, d.public_key, s.scopes,
    s.machine_id, case when s.held_until > clock_timestamp() then s.held_until end as held_until
from api.device d
join api.session s using (device_id)
where d.user_id = $1 and d.revoked_at is null and s.ended_at is null
    and ($2::text is null or d.device_id = $2)
    and exists (select from api.refresh_token r where r.session_id = s.session_id and r.expires_at > clock_timestamp())
order by d.last_seen_at desc, d.device_id;

-- rename: What its owner calls it from now on; no row where it is not one of theirs.
update api.device set name = $3 where user_id = $1 and device_id = $2 and revoked_at is null returning device_id;

-- revoke: One device, or with $3 all others; those that were not revoked before.
update api.device set revoked_at = clock_timestamp()
where user_id = $1 and revoked_at is null and (device_id = $2) <> $3
    and exists (select from api.session s where s.device_id = device.device_id and s.ended_at is null)
returning device_id, name;

-- end_sessions: No token of these devices speaks for anyone from now on; the runtime is to be told of them.
with ended as (
    update api.session set ended_at = clock_timestamp(), end_reason = 'revoked'
    where device_id = any ($1::text[]) and ended_at is null
    returning session_id, device_id, user_id
), told as (
    insert into api.untold_revocation (device_id, session_id, user_id, x_request_id)
    select device_id, session_id, user_id, $2 from ended
    on conflict (device_id) do nothing
)
select session_id from ended;
