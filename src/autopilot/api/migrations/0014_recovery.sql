-- A session that a code from the mail opened although its user has passkeys: until then it may not shut others out.
alter table session add column held_until timestamptz;
