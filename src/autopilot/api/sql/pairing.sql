-- start: A pairing begins; no row where its locator is taken. $13 is its life in seconds.
insert into api.pairing (pairing_id, way, kind, secret_digest, locator, code_digest, code_attempts_left, commitment,
    user_id, ticket_digest, device_name, device_platform, installation_id, machine_id, surface, device_address,
    public_key, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $14, $15, $16, $17, $18,
    clock_timestamp() + make_interval(secs => $13))
on conflict (locator) do nothing
returning pairing_id;

-- lock_counted: What is under way of one user, or of one network address, is counted and begun one at a time.
select pg_advisory_xact_lock(hashtextextended('autopilot.api.pairings_of:' || $1::text, 0));

-- count_live: How many a user, or a network address, has under way; declined ones too, whose codes are not free yet.
select count(*)::int as live from api.pairing
where expires_at > clock_timestamp() and state <> 'done'
    and (user_id = $1 or (way = 'request' and device_address = $2));

-- by_secret: The pairing of a secret.
select *, expires_at > clock_timestamp() as is_live, null::text as account
from api.pairing where secret_digest = $1 and way = $2 for update;

-- by_locator: The pairing that a short code names.
select *, expires_at > clock_timestamp() as is_live, null::text as account
from api.pairing where locator = $1 and way = $2 for update;

-- lock_by_ticket: The pairing of what is let in; $2 is how long after its end it may still fetch its tokens, in seconds.
select p.*, p.expires_at > clock_timestamp() as is_live,
    p.expires_at + make_interval(secs => $2) > clock_timestamp() as is_collectable, u.email as account
from api.pairing p left join api.user_account u using (user_id)
where p.ticket_digest = $1 for update of p;

-- lock_by_id: The pairing of a user.
select p.*, p.expires_at > clock_timestamp() as is_live, u.email as account
from api.pairing p join api.user_account u using (user_id)
where p.pairing_id = $1 and p.user_id = $2 for update of p;

-- count_wrong_code: A guess at the short code of this pairing.
update api.pairing set code_attempts_left = greatest(code_attempts_left - 1, 0), wrong_codes = wrong_codes + 1
where pairing_id = $1 returning code_attempts_left;

-- contest: Somebody else came with the right secret.
update api.pairing set contested = true where pairing_id = $1;

-- claim_offer: What is to be let in is there.
update api.pairing set state = 'claimed', ticket_digest = $2, device_name = $3, device_platform = $4,
    installation_id = $5, machine_id = $6, surface = $7, device_address = $8, public_key = $9
where pairing_id = $1;

-- claim_request: The person who may let in is there.
update api.pairing set state = 'claimed', user_id = $2 where pairing_id = $1;

-- answer: The nonce of the side that came.
update api.pairing set state = 'answered', claimer_nonce = $2 where pairing_id = $1;

-- reveal: The nonce of the side that began.
update api.pairing set state = 'compared', starter_nonce = $2 where pairing_id = $1;

-- decide: Confirmed or declined.
update api.pairing set state = $2 where pairing_id = $1;

-- finish: The tokens were made.
update api.pairing set state = 'done', session_id = $2, token_salt = $3 where pairing_id = $1;

-- known_device: The device that this is, where it was signed in before: by its machine, or by its installation.
select d.device_id from api.device d join api.session s using (device_id)
where d.user_id = $1 and d.revoked_at is null and s.ended_at is null
    and case when $3::text is null
        then d.installation_id = $2 and s.machine_id is null
        else s.machine_id = $3 and d.surface = 'companion' end
order by d.last_seen_at desc, d.device_id limit 1;

-- replace_sessions: What a device was signed in by before it was paired anew.
update api.session set ended_at = clock_timestamp(), end_reason = 'replaced'
where device_id = $1 and ended_at is null
returning session_id;

-- redescribe_device: What it says of itself now, and its key: one that it had before ended with its session.
update api.device set name = $2, surface = $3, platform = $4, address = $5, public_key = $6,
    last_seen_at = clock_timestamp()
where device_id = $1;

-- remember_installation: By which it is known again.
update api.device set installation_id = $2 where device_id = $1;

-- lock_user: One pairing of a user ends at a time, so that one device stays one.
select user_id, email, is_owner from api.user_account where user_id = $1 for update;

-- made_tokens: The tokens that a pairing made, while nobody has used them up.
select s.session_id, s.device_id, extract(epoch from a.expires_at - clock_timestamp())::float8 as seconds_left
from api.session s
join api.refresh_token r on r.session_id = s.session_id and r.token_digest = $2
join api.access_token a on a.session_id = s.session_id and a.token_digest = $3
where s.session_id = $1 and s.ended_at is null and r.replaced_at is null and a.expires_at > clock_timestamp();

-- sweep: Forget pairings that ended an hour ago.
delete from api.pairing where expires_at < clock_timestamp() - interval '1 hour';
