-- What a device says of itself beside its name, and where it was last heard from.
alter table device add column platform text;   -- `iOS 26`, `Linux`
alter table device add column address text;    -- an IPv4 address or an IPv6 /64
