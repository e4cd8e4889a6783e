-- A session is stepped up for a while by a fresh proof of who uses it: what is most dangerous takes that.
alter table session add column stepped_up_until timestamptz;
alter table session add column stepped_up_by text;   -- of step_up.Method
alter table session add check ((stepped_up_until is null) = (stepped_up_by is null));
-- A code either signs in (null) or steps up this one session; neither is good for the other.
alter table login_code add column session_id text references session on delete cascade;
create index login_code_session on login_code (session_id) where session_id is not null;
