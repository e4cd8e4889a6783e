-- lock: One change of who owns and manages at a time; the same lock as for new accounts.
select pg_advisory_xact_lock(hashtextextended('autopilot.api.sign_up', 0));

-- everybody: Who manages the installation.
select user_id, email, is_owner from api.user_account where is_owner or is_admin order by is_owner desc, user_id;

-- find: A user, by address; there until the transaction ends, so that nobody hands over to an account that is just deleted.
select user_id, is_owner, is_admin from api.user_account where email_key = $1 for update;

-- may_manage: Whether a user is one of them.
select is_owner or is_admin from api.user_account where user_id = $1;

-- owner: Who owns it.
select user_id, email from api.user_account where is_owner;

-- set_admin: A user manages it, or does not.
update api.user_account set is_admin = $2 where user_id = $1;

-- disown: Nobody owns it, within the transaction in which somebody else does.
update api.user_account set is_owner = false where is_owner;

-- own: This user owns it.
update api.user_account set is_owner = true, is_admin = false where user_id = $1;

-- rename_owner: The owner's address from now on.
update api.user_account set email = $1, email_key = $2 where is_owner returning user_id;
