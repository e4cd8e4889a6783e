-- use: A nonce is good once, over all processes and restarts, within $4 seconds of the time $3 by the clock all nodes share.
-- It is remembered for as long as anybody takes that time for new. Losing the last of them in a crash of the database
-- is no harm that is worth a disk write for every call.
with clock as materialized (select clock_timestamp() as now, set_config('synchronous_commit', 'off', true)),
timely as (select now from clock where abs(extract(epoch from now) - $3::bigint) <= $4::int),
used as (
    insert into api.signature_nonce (device_id, nonce, expires_at)
    select $1, $2, to_timestamp($3::bigint + 2 * $4::int) from timely
    on conflict do nothing returning nonce
)
select now, exists (select from timely) as is_timely, exists (select from used) as is_new from clock;

-- forget: Past their time they can't come again.
delete from api.signature_nonce where expires_at < clock_timestamp();

-- set_key: The key of a device from now on.
update api.device set public_key = $2 where device_id = $1 and public_key is null and revoked_at is null
returning device_id;
