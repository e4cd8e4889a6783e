-- is_wanted: Whether there is anybody to tell.
select exists (select from api.push_subscription);

-- make_reader: The row that says how far, where nobody read before.
insert into api.push_reader (after_no) values (0) on conflict (sole) do nothing;

-- lock_reader: How far transitions were read; nothing where somebody else reads now.
select coalesce(after_no, 0) as after_no from api.push_reader for update skip locked;

-- read_to: They were read up to there.
update api.push_reader set after_no = $1;

-- members: Who is in these teams.
select team_id, user_id from api.membership where team_id = any ($1::text[]);

-- devices: The subscriptions of these users whose sessions live, with what their users want to hear.
select p.subscription_id, p.user_id, p.created_at, s.device_id, to_jsonb(g)::text as settings
from api.push_subscription p
join api.session s using (session_id)
join api.device d on d.device_id = s.device_id
left join api.push_settings g on g.user_id = p.user_id
where p.user_id = any ($1::bigint[]) and s.ended_at is null and d.revoked_at is null;

-- told_of: The devices that were told of a question and not of its end, or are about to be.
select m.message_no, m.subscription_id, m.ended_at, m.claimed_until, s.device_id
from api.push_message m
join api.push_subscription p using (subscription_id)
join api.session s using (session_id)
where m.approval_id = $1 and m.kind = 'approval' and (m.ended_at is null or m.outcome = 'sent')
order by m.message_no
for update of m;

-- close: What was said of a question holds no longer.
update api.push_message set ended_at = coalesce(ended_at, $2), outcome = 'closed', claimed_until = null
where message_no = $1;

-- add: A notification that is due; nothing where there is one of this event already.
insert into api.push_message (subscription_id, kind, tag, worker_id, seq, approval_id, request_id, occurred_at, due_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (subscription_id, worker_id, seq, kind) do nothing
returning message_no;

-- replace: Those of the same tag before it that nobody has begun to send are sent no more; how many.
with gone as (
    update api.push_message set ended_at = $4, outcome = 'replaced'
    where subscription_id = $1 and tag = $2 and message_no < $3 and ended_at is null
        and (claimed_until is null or claimed_until < $4)
    returning message_no
)
select count(*)::int from gone;

-- end: It is over, one way or the other.
update api.push_message set ended_at = $2, outcome = $3, claimed_until = null
where message_no = $1 and ended_at is null
returning message_no;

-- claim: What is due and nobody is at, for one who sends; they have it until then. Not to these services ($4), nor of
-- these users ($5), nor where the service wants to be left alone.
update api.push_message m set claimed_until = $2, tries = tries + 1
from (
    select d.message_no, split_part(p.endpoint, '/', 3) as service, p.user_id
    from api.push_message d
    join api.push_subscription p using (subscription_id)
    where d.ended_at is null and d.due_at <= $1 and (d.claimed_until is null or d.claimed_until < $1)
        and (p.not_before is null or p.not_before <= $1)
        and split_part(p.endpoint, '/', 3) <> all ($4::text[]) and p.user_id <> all ($5::bigint[])
    order by d.due_at, d.message_no
    limit $3
    for update of d skip locked
) due
where m.message_no = due.message_no
returning m.message_no, m.subscription_id, m.kind, m.tag, m.worker_id, m.seq, m.approval_id, m.request_id,
    m.occurred_at, m.tries, due.service, due.user_id;

-- oldest_unsent: Since when the oldest waits of those that are neither sent nor given up.
select min(occurred_at) from api.push_message where ended_at is null;

-- target: Where it goes, and in whose name it is asked for; no row where the device is signed in no more.
select p.subscription_id, p.user_id, p.endpoint, p.p256dh, p.auth, p.key_id, p.session_id, s.device_id, s.scopes,
    (select json_object_agg(m.team_id, m.role) from api.membership m where m.user_id = p.user_id)::text as roles,
    to_jsonb(g)::text as settings,
    (select max(l.until) from api.push_looking l
        where l.user_id = p.user_id and l.until > $3 and $2 = any (l.worker_ids)) as looking_until
from api.push_subscription p
join api.session s using (session_id)
join api.device d on d.device_id = s.device_id
left join api.push_settings g on g.user_id = p.user_id
where p.subscription_id = $1 and s.ended_at is null and d.revoked_at is null and s.machine_id is null
    and (exists (select from api.refresh_token r where r.session_id = s.session_id and r.expires_at > clock_timestamp())
        or exists (select from api.browser b where b.session_id = s.session_id and b.expires_at > clock_timestamp()));

-- postpone: Not yet.
update api.push_message set due_at = $2, claimed_until = null where message_no = $1 and ended_at is null;

-- sweep: Forget what is long over.
delete from api.push_message where occurred_at < $1;
