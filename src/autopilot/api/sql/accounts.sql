-- lock_sign_up: One new account at a time, so that there is exactly one first one.
select pg_advisory_xact_lock(hashtextextended('autopilot.api.sign_up', 0));

-- find_by_email: The account of a folded address.
select user_id, email, is_owner from api.user_account where email_key = $1;

-- find_owner: The owner of the installation, claimed or not.
select user_id, email, is_owner from api.user_account where is_owner;

-- find_user: One account.
select user_id, email, is_owner from api.user_account where user_id = $1;

-- create_user: A new account.
insert into api.user_account (email, email_key, is_owner) values ($1, $2, $3)
returning user_id, email, is_owner;

-- claim_owner: The unclaimed owner gets an address.
update api.user_account set email = $1, email_key = $2 where is_owner and email is null
returning user_id, email, is_owner;

-- is_expected: Whether an address has an account, or is invited into a team.
select exists (select from api.user_account where email_key = $1)
    or exists (select from api.invitation where email_key = $1 and used_at is null and withdrawn_at is null
        and expires_at > clock_timestamp());
