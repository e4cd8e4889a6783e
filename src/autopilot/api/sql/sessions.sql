-- create_device: A device that signs in.
insert into api.device (device_id, user_id, name, surface, platform, address, public_key)
values ($1, $2, $3, $4, $5, $6, $7);

-- create_session: One sign-in of one device.
insert into api.session (session_id, user_id, device_id, scopes, machine_id) values ($1, $2, $3, $4, $5);

-- create_access_token: A short-lived token; $3 is its life in seconds.
insert into api.access_token (token_digest, session_id, expires_at)
values ($1, $2, clock_timestamp() + make_interval(secs => $3));

-- create_refresh_token: The newest of its family; $3 is its life in seconds.
insert into api.refresh_token (token_digest, session_id, expires_at)
values ($1, $2, clock_timestamp() + make_interval(secs => $3));

-- find_grant: Whom an access token speaks for, while it does.
select s.session_id, s.user_id, s.device_id, s.machine_id, d.surface, u.email, u.is_owner,
    case when u.is_owner or u.is_admin then s.scopes else array_remove(s.scopes, 'admin') end as scopes,
    extract(epoch from t.expires_at - clock_timestamp())::float8 as seconds_left,
    d.last_seen_at < clock_timestamp() - interval '1 minute' as is_due,
    extract(epoch from s.stepped_up_until - clock_timestamp())::float8 as step_up_seconds_left,
    d.public_key,
    (select json_object_agg(m.team_id, m.role) from api.membership m where m.user_id = s.user_id
        and s.machine_id is null)::text as roles,
    (select json_object_agg(m.team_id, m.membership_no) from api.membership m where m.user_id = s.user_id
        and s.machine_id is null)::text as memberships,
    s.guest_id, g.worker_ids, g.invited_by,
    extract(epoch from g.expires_at - clock_timestamp())::float8 as guest_seconds_left
from api.access_token t
join api.session s using (session_id)
join api.device d on d.device_id = s.device_id
left join api.user_account u on u.user_id = s.user_id
left join api.guest g on g.guest_id = s.guest_id
where t.token_digest = $1 and t.expires_at > clock_timestamp() and s.ended_at is null and d.revoked_at is null
    and (s.guest_id is null or (g.revoked_at is null and g.expires_at > clock_timestamp()));

-- live_tokens: Those of the given access tokens that still speak for someone, and the roles of whom they speak for.
select t.token_digest,
    (select json_object_agg(m.team_id, m.role) from api.membership m where m.user_id = s.user_id
        and s.machine_id is null)::text as roles
from api.access_token t
join api.session s using (session_id)
join api.device d on d.device_id = s.device_id
left join api.guest g on g.guest_id = s.guest_id
where t.token_digest = any ($1::bytea[])
    and t.expires_at > clock_timestamp() and s.ended_at is null and d.revoked_at is null
    and (s.guest_id is null or (g.revoked_at is null and g.expires_at > clock_timestamp()));

-- live_sessions: Those of these sessions that have not ended.
select s.session_id from api.session s
join api.device d on d.device_id = s.device_id
where s.session_id = any ($1::text[]) and s.ended_at is null and d.revoked_at is null;

-- lock_family: The session a refresh token belongs to, held while it is rotated.
select s.session_id, s.user_id, s.device_id, s.ended_at, d.revoked_at, d.surface, u.email, u.is_owner, s.guest_id,
    g.guest_id is not null and (g.revoked_at is not null or g.expires_at <= clock_timestamp()) as guest_ended
from api.session s
join api.device d on d.device_id = s.device_id
left join api.user_account u on u.user_id = s.user_id
left join api.guest g on g.guest_id = s.guest_id
where s.session_id = (select session_id from api.refresh_token where token_digest = $1)
for update of s;

-- find_refresh: A refresh token, how long ago it was replaced, and whether its successor was itself used.
select t.token_digest, t.expires_at <= clock_timestamp() as expired, t.successor_salt,
    extract(epoch from clock_timestamp() - t.replaced_at)::float8 as replaced_seconds_ago,
    coalesce(n.replaced_at is not null, false) as successor_used
from api.refresh_token t
left join api.refresh_token n on n.token_digest = t.successor_digest
where t.token_digest = $1;

-- end_of_family: How the session of a refresh token ended, where it has.
select s.end_reason, d.revoked_at
from api.refresh_token t
join api.session s using (session_id)
join api.device d on d.device_id = s.device_id
where t.token_digest = $1;

-- replace_refresh: A refresh token was used; its successor can be made again from it and this salt.
update api.refresh_token set replaced_at = clock_timestamp(), successor_salt = $2, successor_digest = $3
where token_digest = $1 and replaced_at is null;

-- touch_device: The device was heard of, if that was not noted within the last minute.
update api.device set last_seen_at = clock_timestamp(), address = $2
where device_id = $1 and (last_seen_at < clock_timestamp() - interval '1 minute' or address is distinct from $2);

-- find_device: The device of a session.
select d.device_id, d.name, d.platform, d.surface, d.created_at, d.last_seen_at, d.address, d.public_key, s.scopes,
    s.machine_id, case when s.held_until > clock_timestamp() then s.held_until end as held_until
from api.device d join api.session s using (device_id) where s.session_id = $1;

-- decline_pairings: What a session that ends now may have begun or confirmed lets nobody in any more.
update api.pairing set state = 'declined' where user_id = $1 and state not in ('done', 'declined');

-- end_session: No token of it speaks for anyone from now on; the runtime is to be told of its device.
with ended as (
    update api.session set ended_at = clock_timestamp(), end_reason = $2
    where session_id = $1 and ended_at is null
    returning session_id, device_id, user_id
), untold as (
    insert into api.untold_revocation (device_id, session_id, user_id, x_request_id)
    select device_id, session_id, user_id, $3 from ended where user_id is not null  -- a guest asks for nothing
    on conflict (device_id) do nothing
)
select session_id from ended;

-- untold_revocations: What the runtime does not know yet, oldest first; but for what it refused lately.
select device_id, session_id, user_id, x_request_id from api.untold_revocation
where device_id <> all ($2::text[]) order by ended_at, device_id limit $1;

-- told: The runtime knows.
delete from api.untold_revocation where device_id = $1;

-- sweep_access: Forget access tokens that ended.
delete from api.access_token where expires_at < clock_timestamp() - interval '1 hour';

-- sweep_refresh: Forget refresh tokens that ended; until then a reuse of one is noticed.
delete from api.refresh_token where expires_at < clock_timestamp();
