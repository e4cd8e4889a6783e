-- use: a nonce is good once; no row when it was used before
insert into nonce (nonce, expires_at) values ($1, $2) on conflict do nothing returning nonce

-- forget: past their signature's expiry they can't come again
delete from nonce where expires_at < $1
