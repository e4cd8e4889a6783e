-- For which team something was used: the one that shared the worker when the report was recorded, as the report's own
-- frame says. Empty where none did, and for everything that was recorded before frames said it.
alter table spend_day add column team_id text not null default '';
alter table spend_day drop constraint spend_day_pkey;
alter table spend_day add primary key (worker_no, day, thread_id, model, machine_id, team_id);
create index spend_day_team on spend_day (team_id, day) where team_id <> '';
