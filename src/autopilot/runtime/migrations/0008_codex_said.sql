-- A worker with all that a snapshot is made of, and now what its machine said last of the Codex it works on.
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
       f.params as codex_said
from worker w
join worker_head h using (worker_no)
join worker_state s using (worker_no)
left join worker_beat b using (worker_no)
left join lease l using (worker_no)
left join machine m on m.machine_id = l.machine_id
left join machine_beat mb on mb.machine_id = l.machine_id
left join machine_fact f on f.machine_id = l.machine_id and f.method = 'desktop/codex';
