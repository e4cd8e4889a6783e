-- lock: one writer at a time; the seq of the last entry, and the time
insert into audit_head (log_no) values (1)
on conflict (log_no) do update set updated_at = clock_timestamp()
returning latest_seq, updated_at;

-- known: those of these lines that are here
select audit_id from audit_entry where audit_id = any($1::text[]);

-- add: one entry
insert into audit_entry (seq, audit_id, recorded_at, at, action, outcome, user_id, guest_scope, device_id, session_id,
    machine_id, surface, address, x_request_id, subject, detail)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16);

-- set_end: the log ends here now
update audit_head set latest_seq = $1 where log_no = 1;

-- custom_plans: what is not asked for must not be planned for, or no index serves what is
set local plan_cache_mode = force_custom_plan;

-- search: lines of the audit log, requests, and decisions by people, the latest first
with line as (
    (select at, audit_id as id, 'audit' as source, action, outcome, user_id, guest_scope, device_id, session_id,
        machine_id, surface, address, x_request_id, subject, detail, 1::bigint as log_no, seq
    from audit_entry
    where ($1::bigint is null or user_id = $1) and ($2::text is null or guest_scope = $2)
        and ($3::text is null or action = $3) and ($4::text is null or x_request_id = $4)
        and ($5::text is null or device_id = $5)
        and ($12::text is null or surface = $12) and ($13::text is null or outcome = $13)
        and at >= $6 and at < $7 and ($8::timestamptz is null or (at, audit_id) < ($8, $9::text))
    order by at desc, audit_id desc limit $10)
    union all
    (select r.created_at, 'request:' || r.target_kind || ':' || r.target_id || '/' || r.request_id, 'request',
        case when r.method = $11 then 'stop' else 'request' end,
        case when r.state = 'rejected' then 'refused' else 'done' end,
        (r.actor::json ->> 'user_id')::bigint, r.actor::json ->> 'guest_scope', r.actor::json ->> 'device_id', null,
        r.actor::json ->> 'machine_id', r.actor::json ->> 'surface', null, r.x_request_id,
        r.target_kind || ':' || r.target_id,
        json_build_object('request_id', r.request_id, 'method', r.method, 'state', r.state)::text,
        w.worker_no, r.accepted_seq
    from receipt r
    left join worker w on r.target_kind = 'worker' and w.worker_id = r.target_id
    where ($1::bigint is null or (r.actor::json ->> 'user_id')::bigint = $1)
        and ($2::text is null or r.actor::json ->> 'guest_scope' = $2)
        and ($3::text is null or $3 = case when r.method = $11 then 'stop' else 'request' end)
        and ($4::text is null or r.x_request_id = $4) and ($5::text is null or r.actor::json ->> 'device_id' = $5)
        and ($12::text is null or r.actor::json ->> 'surface' = $12)
        and ($13::text is null or $13 = case when r.state = 'rejected' then 'refused' else 'done' end)
        and r.created_at >= $6 and r.created_at < $7 and ($8::timestamptz is null or r.created_at <= $8)
        and ($8::timestamptz is null or (r.created_at,
            'request:' || r.target_kind || ':' || r.target_id || '/' || r.request_id) < ($8, $9::text))
    order by r.created_at desc, 2 desc limit $10)
    union all
    (select a.decided_at, 'approval:' || a.approval_id, 'approval', 'approval_decided', 'done',
        (a.decided_by::json ->> 'user_id')::bigint, a.decided_by::json ->> 'guest_scope',
        a.decided_by::json ->> 'device_id', null, a.decided_by::json ->> 'machine_id',
        a.decided_by::json ->> 'surface', null, a.x_request_id, 'approval:' || a.approval_id,
        json_build_object('worker_id', w.worker_id, 'kind', a.kind, 'option_id', a.decided_option)::text,
        a.worker_no, a.decided_seq
    from approval a
    join worker w using (worker_no)
    where a.decided_at is not null
        and ($1::bigint is null or (a.decided_by::json ->> 'user_id')::bigint = $1)
        and ($2::text is null or a.decided_by::json ->> 'guest_scope' = $2)
        and ($3::text is null or $3 = 'approval_decided')
        and ($4::text is null or a.x_request_id = $4)
        and ($5::text is null or a.decided_by::json ->> 'device_id' = $5)
        and ($12::text is null or a.decided_by::json ->> 'surface' = $12) and ($13::text is null or $13 = 'done')
        and a.decided_at >= $6 and a.decided_at < $7 and ($8::timestamptz is null or a.decided_at <= $8)
        and ($8::timestamptz is null or (a.decided_at, 'approval:' || a.approval_id) < ($8, $9::text))
    order by a.decided_at desc, 2 desc limit $10)
)
select line.*, s.seal_no
from line
left join lateral (
    select seal_no from seal
    where source = case line.source when 'audit' then 'audit' else 'worker' end
        and log_no = line.log_no and to_seq >= line.seq
    order by to_seq limit 1
) s on true
order by at desc, id desc
limit $10;
