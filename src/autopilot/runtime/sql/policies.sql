-- in_force: the latest documents of these subjects
select distinct on (subject_kind, subject_id) subject_kind, subject_id, version, contents
from policy_document
where (subject_kind, subject_id) in (select * from unnest($1::text[], $2::text[]))
order by subject_kind, subject_id, version desc

-- texts_in_force: the same with their texts
select distinct on (subject_kind, subject_id) *
from policy_document
where (subject_kind, subject_id) in (select * from unnest($1::text[], $2::text[]))
order by subject_kind, subject_id, version desc

-- latest_version: of one subject; null where there is none
select max(version) from policy_document where subject_kind = $1 and subject_id = $2

-- add: the next version, unless somebody else took its number
insert into policy_document (subject_kind, subject_id, version, format, text, contents, actor, x_request_id)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict do nothing
returning *

-- history: changes of one subject's document, the latest first
select subject_kind, subject_id, version, format, octet_length(text) as bytes, actor, x_request_id, created_at,
    version = (select max(version) from policy_document where subject_kind = $1 and subject_id = $2) as in_force
from policy_document
where subject_kind = $1 and subject_id = $2 and ($3::bigint is null or version < $3)
order by version desc
limit $4

-- version: one of them, with its text
select * from policy_document where subject_kind = $1 and subject_id = $2 and version = $3

-- execution_mode: of a worker
select execution_mode from worker where worker_no = $1

-- home_of_machine: the fact that tells its user's home folder; null where its companion did not
select params from machine_fact where machine_id = $1 and method = 'machine/home'
