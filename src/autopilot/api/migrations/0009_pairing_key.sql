-- What is let in may bring the key that signs its writes: its first session has it already.
alter table pairing add column public_key bytea check (octet_length(public_key) = 32);   -- Ed25519
alter table pairing add check (public_key is null or kind = 'device');
