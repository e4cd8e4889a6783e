-- teams: Those of a user, in the order in which they are locked.
select team_id from api.membership where user_id = $1 order by team_id;

-- lock_user: The account, until the transaction ends.
select user_id, email_key, is_owner from api.user_account where user_id = $1 for update;

-- standing: What a user is to a team that is locked.
select m.role,
    (select count(*)::int from api.membership o where o.team_id = m.team_id and o.user_id <> m.user_id) as others,
    (select count(*)::int from api.membership o
        where o.team_id = m.team_id and o.user_id <> m.user_id and o.role = 'owner') as other_owners
from api.membership m where m.team_id = $1 and m.user_id = $2;

-- leave_all: No membership any more.
delete from api.membership where user_id = $1 returning membership_no;

-- live: Devices and sessions that end now.
select s.session_id, s.device_id, s.machine_id from api.session s where s.user_id = $1 and s.ended_at is null;

-- ended_untold: Devices that ended before, of which the runtime does not know yet: the account takes that note with it.
select device_id from api.untold_revocation where user_id = $1;

-- orphan: What could still be refreshed.
insert into api.orphaned_token (token_digest, expires_at)
select r.token_digest, r.expires_at from api.refresh_token r join api.session s using (session_id)
where s.user_id = $1 and s.ended_at is null and r.expires_at > clock_timestamp();

-- remember: The id, for ever, and what the runtime is to be told.
insert into api.deleted_account (user_id, device_ids, x_request_id) values ($1, $2, $3);

-- forget_codes: Codes that went to this address.
delete from api.login_code where email_key = $1;

-- forget_invitations: Invitations for this address, used ones too.
delete from api.invitation where email_key = $1;

-- forget_user: The account, and with it all that is its own.
delete from api.user_account where user_id = $1;

-- is_orphaned: Whether a refresh token was of an account that was deleted.
select exists (select from api.orphaned_token where token_digest = $1);

-- untold: What the runtime does not know yet, oldest first; but for what it refused lately.
select user_id, device_ids, x_request_id from api.deleted_account
where told_at is null and user_id <> all ($2::bigint[]) order by deleted_at, user_id limit $1;

-- told: The runtime knows; what it was told of is kept no longer.
update api.deleted_account set told_at = clock_timestamp(), device_ids = '{}', x_request_id = null where user_id = $1;

-- sweep: Forget tokens that ended anyway.
delete from api.orphaned_token where expires_at < clock_timestamp();
