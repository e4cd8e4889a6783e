-- An artifact of which nobody is known who could still bring the rest: the machine that announced it lost the worker, was
-- signed out, or let a month go by. Whoever brings it after all is welcome.
alter table artifact drop constraint artifact_state_check;
alter table artifact add constraint artifact_state_check check (state in ('pending', 'stored', 'pruned', 'lost'));
alter table artifact add column lost_reason text;
create index artifact_pending on artifact (announced_at) where state = 'pending';
