-- begin: A question to an authenticator; $5 is its life in seconds.
insert into api.passkey_ceremony (ceremony_digest, kind, challenge_digest, session_id, expires_at, whose)
values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5), $6);

-- lock_counted: Open questions of one user, or of one network address, are counted and begun one at a time.
select pg_advisory_xact_lock(hashtextextended('autopilot.api.ceremonies_of:' || $1::text, 0));

-- count_open: How many of them are open.
select count(*)::int from api.passkey_ceremony where whose = $1 and expires_at > clock_timestamp();

-- end: The challenge of a question that is open, which is over with this.
delete from api.passkey_ceremony
where ceremony_digest = $1 and kind = $2 and session_id is not distinct from $3
returning challenge_digest, expires_at > clock_timestamp() as is_live;

-- sweep: Forget questions that nobody answered.
delete from api.passkey_ceremony where expires_at < clock_timestamp();

-- lock_user: One account's passkeys are added one at a time; $2: its handle, where it has none yet.
update api.user_account set passkey_handle = coalesce(passkey_handle, $2) where user_id = $1
returning passkey_handle;

-- of_user: A user's passkeys, or the one of this id.
select * from api.passkey where user_id = $1 and ($2::text is null or passkey_id = $2) order by created_at, passkey_id;

-- add: A new one; no row where its credential is registered already, whoever has it.
insert into api.passkey (passkey_id, user_id, credential_id, public_key, rp_id, name, sign_count, backup_eligible,
    backed_up, transports)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (credential_id) do nothing
returning passkey_id;

-- rename: What its owner calls it from now on; no row where it is not one of theirs.
update api.passkey set name = $3 where user_id = $1 and passkey_id = $2 returning passkey_id;

-- remove: It proves nothing from now on; no row where it is not one of theirs.
delete from api.passkey where user_id = $1 and passkey_id = $2 returning name;

-- lock_credential: The passkey of a credential, and whose it is.
select p.*, u.passkey_handle, u.email, u.is_owner
from api.passkey p join api.user_account u using (user_id)
where p.credential_id = $1 for update of p;

-- used: It has proved something.
update api.passkey set sign_count = $2, backed_up = $3, last_used_at = clock_timestamp() where passkey_id = $1;

-- suspect: There is a copy of it.
update api.passkey set suspected_at = coalesce(suspected_at, clock_timestamp()) where passkey_id = $1;

-- count_of_session: How many passkeys of this site the user of a session could step up with.
select count(*)::int from api.passkey p join api.session s using (user_id)
where s.session_id = $1 and p.rp_id = $2 and p.suspected_at is null;
