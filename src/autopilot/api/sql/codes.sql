-- lock_email: Codes of one address are counted and made one at a time.
select pg_advisory_xact_lock(hashtextextended('autopilot.api.code:' || $1, 0));

-- count_recent: How many codes an address was sent within $2 seconds, and in how many seconds the oldest is forgotten.
select count(*)::int as sent,
    coalesce(extract(epoch from min(created_at) + make_interval(secs => $2) - clock_timestamp()), 0)::float8
        as oldest_forgotten_in_seconds
from api.login_code
where email_key = $1 and session_id is not distinct from $3
    and created_at > clock_timestamp() - make_interval(secs => $2);

-- create_code: A code that was sent.
insert into api.login_code (email, email_key, code_digest, address, expires_at, attempts_left, session_id)
values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5), $6, $7);

-- live_of_email: The codes that could still sign this address in, or step up the session $2.
select code_no, email, email_key, code_digest from api.login_code
where email_key = $1 and session_id is not distinct from $2 and used_at is null and attempts_left > 0 and expires_at > clock_timestamp()
order by code_no for update;

-- live_of_address: The codes that were asked for from this network address and could still sign in.
select code_no, email, email_key, code_digest from api.login_code
where address = $1 and session_id is null and used_at is null and attempts_left > 0 and expires_at > clock_timestamp()
order by code_no for update;

-- use_codes: A sign-in uses up its code, and every other one of that address; a step-up those of its session.
update api.login_code set used_at = clock_timestamp()
where email_key = $1 and session_id is not distinct from $2 and used_at is null;

-- count_attempt: A wrong guess counts against every code it might have hit.
update api.login_code set attempts_left = attempts_left - 1 where code_no = any ($1::bigint[]) and attempts_left > 0;

-- sweep: Forget codes that count for nothing any more.
delete from api.login_code where created_at < clock_timestamp() - interval '1 day';
