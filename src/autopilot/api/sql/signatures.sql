-- use: A nonce is good once, over all processes and restarts; no row when it was used before.
-- Losing the last of them in a crash of the database is no harm that is worth a disk write for every call.
insert into api.signature_nonce (device_id, nonce, expires_at)
select $1, $2, $3 from (select set_config('synchronous_commit', 'off', true)) as local
on conflict do nothing returning nonce;

-- forget: Past their time they can't come again.
delete from api.signature_nonce where expires_at < clock_timestamp();

-- now: By the clock that all nodes share.
select clock_timestamp();

-- set_key: The key of a device from now on.
update api.device set public_key = $2 where device_id = $1 and public_key is null and revoked_at is null
returning device_id;
