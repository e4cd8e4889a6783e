-- register: make or refresh a machine of this owner; no row when it belongs to somebody else
insert into machine as m (machine_id, owner_user_id, owner_guest_scope, name, platform, companion_version,
    codex_version, desktop_session_id, registered_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (machine_id) do update set
    name = excluded.name,
    platform = excluded.platform,
    companion_version = excluded.companion_version,
    codex_version = excluded.codex_version,
    desktop_session_id = excluded.desktop_session_id
where m.owner_user_id is not distinct from excluded.owner_user_id
    and m.owner_guest_scope is not distinct from excluded.owner_guest_scope
returning machine_id

-- add_feed: a machine has exactly one feed, from its registration on
insert into feed_head (machine_id) values ($1) on conflict do nothing

-- touch: the machine was heard of
insert into machine_beat (machine_id, last_heard_at) values ($1, $2)
on conflict (machine_id) do update set last_heard_at = greatest(machine_beat.last_heard_at, excluded.last_heard_at)

-- touch_session: a heartbeat names the companion's present incarnation
update machine set desktop_session_id = $2 where machine_id = $1 and desktop_session_id is distinct from $2

-- machine: one machine with when it was last heard of
select m.machine_id, m.owner_user_id, m.owner_guest_scope, m.team_id, m.name, m.platform, m.companion_version, m.codex_version,
    m.desktop_session_id, m.registered_at, b.last_heard_at
from machine m left join machine_beat b using (machine_id)
where m.machine_id = $1

-- machines_of: all machines of one owner, the last one heard of first
select m.machine_id, m.owner_user_id, m.owner_guest_scope, m.team_id, m.name, m.platform, m.companion_version, m.codex_version,
    m.desktop_session_id, m.registered_at, b.last_heard_at
from machine m left join machine_beat b using (machine_id)
where visible(m.owner_user_id, m.owner_guest_scope, m.team_id, $1, $2, $3)
order by b.last_heard_at desc nulls last, m.machine_id
