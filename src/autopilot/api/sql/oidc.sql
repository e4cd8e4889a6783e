-- lock_counted: What is under way of one network address is counted and begun one at a time.
select pg_advisory_xact_lock(hashtextextended('autopilot.api.sign_ins_of:' || $1::text, 0));

-- count_live: How many a network address has under way.
select count(*)::int from api.oidc_sign_in
where address = $1 and state in ('open', 'asked', 'proved') and expires_at > clock_timestamp();

-- begin: A sign-in begins; no row where the verifier was used before. $7 is its life in seconds.
insert into api.oidc_sign_in (sign_in_id, state_digest, verifier_digest, salt, address, attempts_left, expires_at)
values ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7))
on conflict do nothing
returning sign_in_id;

-- ask: The browser came back: the one time that this state is good.
update api.oidc_sign_in set state = 'asked'
where state_digest = $1 and state = 'open' and expires_at > clock_timestamp()
returning sign_in_id, salt, address;

-- prove: The provider said who it is.
update api.oidc_sign_in set state = 'proved', user_id = $2, code_digest = $3
where sign_in_id = $1 and state = 'asked'
returning sign_in_id;

-- refuse: It signs nobody in any more.
update api.oidc_sign_in set state = 'refused', user_id = null, code_digest = null
where sign_in_id = $1 and state in ('open', 'asked', 'proved');

-- lock_by_verifier: The sign-in of a device.
select o.*, o.expires_at > clock_timestamp() as is_live, u.email, u.is_owner
from api.oidc_sign_in o left join api.user_account u using (user_id)
where o.verifier_digest = $1 for update of o;

-- count_wrong_code: A guess at what the browser shows.
update api.oidc_sign_in set attempts_left = greatest(attempts_left - 1, 0) where sign_in_id = $1
returning attempts_left;

-- finish: The tokens were made.
update api.oidc_sign_in set state = 'done', session_id = $2, token_salt = $3 where sign_in_id = $1;

-- find_identity: Whose account this subject is.
select u.user_id, u.email, u.is_owner
from api.oidc_identity i join api.user_account u using (user_id)
where i.issuer = $1 and i.subject = $2;

-- link: From now on this subject is that account; no row where the account has another one of this issuer.
insert into api.oidc_identity (issuer, subject, user_id) values ($1, $2, $3)
on conflict do nothing
returning user_id;

-- used: The identity signed in.
update api.oidc_identity set used_at = clock_timestamp() where issuer = $1 and subject = $2;

-- sweep: Forget sign-ins that ended an hour ago.
delete from api.oidc_sign_in where expires_at < clock_timestamp() - interval '1 hour';
