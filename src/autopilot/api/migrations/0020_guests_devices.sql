-- From which device a guest was invited: they end with it when it is revoked, or when somebody else may have it.
alter table guest add column device_id text;   -- null: before this was kept
create index guest_from on guest (device_id) where revoked_at is null;
