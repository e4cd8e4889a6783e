-- hold: the machine stays in its team until this transaction ends
select team_id from machine where machine_id = $1 for share

-- lock_machines: nobody claims for these machines, and nobody else moves them, until this transaction ends
select machine_id from machine where machine_id = any($1::text[]) order by machine_id for no key update

-- machines_of_user: all machines of a user, in the order of their locks
select machine_id from machine where owner_user_id = $1 order by machine_id

-- lock_workers: the workers whose leases these machines hold or held last, in the order of all locks of workers
select h.worker_no
from lease l join worker w using (worker_no) join worker_head h using (worker_no)
where l.machine_id = any($1::text[])
order by w.worker_id for update of h

-- move_workers: they follow their machine; one that another machine has claimed meanwhile does not
update worker w set team_id = $3
from lease l
where l.worker_no = w.worker_no and l.machine_id = any($1::text[]) and w.worker_no = any($2::bigint[])
    and w.team_id is distinct from $3

-- move_machines: shared with this team from now on, or with none
update machine set team_id = $2 where machine_id = any($1::text[])

-- inherit: a worker is shared with whom its machine is shared with
update worker set team_id = $2 where worker_no = $1

-- changed: whoever reads through a team looks again
insert into share_head (share_no, version) values (1, 1)
on conflict (share_no) do update set version = share_head.version + 1

-- version: how often something changed
select coalesce((select version from share_head where share_no = 1), 0)

-- belongings: whose these workers are, and with whom they are shared
select worker_no, worker_id, owner_user_id, owner_guest_scope, team_id from worker where worker_no = any($1::bigint[])
