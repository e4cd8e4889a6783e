-- A push service that is busy says when it wants to hear of this device again: until then nothing is sent there.
alter table push_subscription add column not_before timestamptz;
