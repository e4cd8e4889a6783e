-- keep: the last fact of each kind; the rows that are another now
insert into machine_fact as f (machine_id, method, params, occurred_at)
select $1, said.method, said.params, said.occurred_at
from unnest($2::text[], $3::text[], $4::timestamptz[]) as said (method, params, occurred_at)
order by said.method
on conflict (machine_id, method) do update set params = excluded.params, occurred_at = excluded.occurred_at
where (f.params, f.occurred_at) is distinct from (excluded.params, excluded.occurred_at)
returning f.method

-- forget_oldest: a machine keeps so many kinds, those said last
delete from machine_fact where machine_id = $1 and method in (
    select method from machine_fact where machine_id = $1 order by occurred_at desc, method offset $2
)

-- of_machines: everything known of these
select machine_id, method, params, occurred_at from machine_fact where machine_id = any ($1::text[])
order by machine_id, method
