-- use: a nonce is good once, over all processes and restarts; no row when it was used before
-- Losing the last of them in a crash of the database is no harm that is worth a disk write for every call.
insert into nonce (nonce, expires_at)
select $1, $2 from (select set_config('synchronous_commit', 'off', true)) as local
on conflict do nothing returning nonce

-- forget: past their signature's expiry they can't come again
delete from nonce where expires_at < $1
