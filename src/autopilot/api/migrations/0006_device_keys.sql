-- A device may register a key; its writes then carry signatures, each nonce of which is good once (signatures.py).
alter table device add column public_key bytea check (octet_length(public_key) = 32);   -- Ed25519
create table signature_nonce (
    device_id text not null references device on delete cascade,
    nonce text not null,
    expires_at timestamptz not null,
    primary key (device_id, nonce)
);
create index signature_nonce_expiry on signature_nonce (expires_at);
