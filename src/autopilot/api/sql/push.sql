-- of_user: A user's subscriptions, the newest first, or the one of this id.
select p.subscription_id, p.session_id, p.user_id, p.endpoint, p.p256dh, p.auth, p.key_id, p.created_at, p.last_sent_at,
    p.last_failure, d.device_id, d.name
from api.push_subscription p
join api.session s using (session_id)
join api.device d on d.device_id = s.device_id
where p.user_id = $1 and s.ended_at is null and d.revoked_at is null and ($2::text is null or p.subscription_id = $2)
order by p.created_at desc, p.subscription_id;

-- lock_user: A user's subscriptions are counted and made one at a time.
select pg_advisory_xact_lock(hashtextextended('autopilot.api.push_of:' || $1::bigint, 0));

-- of_session: What this session has subscribed.
select subscription_id, endpoint, p256dh, auth, key_id from api.push_subscription where session_id = $1;

-- count_of_user: How many others the user has.
select count(*)::int from api.push_subscription where user_id = $1 and session_id <> $2;

-- drop_of_session: In the place of which another one comes.
delete from api.push_subscription where session_id = $1;

-- subscribe: A session's device is told something there; none where the session has ended meanwhile.
insert into api.push_subscription (subscription_id, session_id, user_id, endpoint, p256dh, auth, key_id)
select $1, s.session_id, s.user_id, $4, $5, $6, $7 from api.session s
where s.session_id = $2 and s.user_id = $3 and s.ended_at is null
for share
returning subscription_id;

-- remove: Nothing goes there any more.
delete from api.push_subscription where subscription_id = $1 and user_id = $2 returning endpoint;

-- settings: What a user wants to hear, where they have said it.
select * from api.push_settings where user_id = $1;

-- lock_settings: The same, held until the transaction ends; made with the defaults where there are none.
insert into api.push_settings (user_id) values ($1)
on conflict (user_id) do update set user_id = excluded.user_id
returning *;

-- set_settings: What it is from now on.
update api.push_settings set approvals = $2, failures = $3, turns = $4, requests = $5, team_machines = $6, content = $7,
    quiet_hours = $8, quiet_from = $9, quiet_to = $10, time_zone = $11, quiet_approvals = $12
where user_id = $1;

-- look_at: What a session shows, until then.
insert into api.push_looking (session_id, user_id, worker_ids, until) values ($1, $2, $3, $4)
on conflict (session_id) do update set worker_ids = excluded.worker_ids, until = excluded.until;

-- look_away: It shows nothing any more.
delete from api.push_looking where session_id = $1;

-- sweep_looking: Forget what was shown.
delete from api.push_looking where until < $1;
