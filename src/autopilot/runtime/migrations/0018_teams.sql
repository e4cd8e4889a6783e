-- The team that a machine is shared with, and its workers: a worker's is that of the machine which holds its lease, or
-- held it last, and follows it in the same transaction.
alter table machine add column team_id text;
alter table worker add column team_id text;
create index machine_team on machine (team_id) where team_id is not null;
create index worker_team on worker (team_id) where team_id is not null;

-- A worker with all that a snapshot is made of, and now the team that shares it.
create or replace view worker_view as
select w.worker_no, w.worker_id, w.owner_user_id, w.owner_guest_scope, w.workspace_ref, w.codex_home_ref, w.adapter,
       w.metadata, w.execution_mode, w.created_at,
       h.latest_seq, h.oldest_seq, h.log_bytes, h.updated_at,
       s.status, s.started_at, s.stopped_at, s.stop_reason, s.stop_verified, s.facts,
       b.last_heartbeat_at,
       l.machine_id, l.generation, l.claimed_at, l.expires_at, l.released_at, l.ttl_ms,
       m.name as machine_name, m.codex_version, mb.last_heard_at,
       (select count(*) from approval a
        where a.worker_no = w.worker_no and a.ended_at is null and a.state = 'pending') as pending_approvals,
       f.params as codex_said,
       w.team_id
from worker w
join worker_head h using (worker_no)
join worker_state s using (worker_no)
left join worker_beat b using (worker_no)
left join lease l using (worker_no)
left join machine m on m.machine_id = l.machine_id
left join machine_beat mb on mb.machine_id = l.machine_id
left join machine_fact f on f.machine_id = l.machine_id and f.method = 'desktop/codex';

-- An approval with all that its readers are told, and now the team that shares its worker.
create or replace view approval_view as
select a.*, w.worker_id, w.owner_user_id, w.owner_guest_scope, m.name as machine_name, mb.last_heard_at, w.team_id
from approval a
join worker w using (worker_no)
left join machine m on m.machine_id = a.machine_id
left join machine_beat mb on mb.machine_id = a.machine_id;
