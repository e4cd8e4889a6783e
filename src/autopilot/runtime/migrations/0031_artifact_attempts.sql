-- What is stored of an artifact is of one attempt at it: what begins again, or is pruned, is at the next one, so that
-- nobody reads half of this and half of that. What an attempt leaves behind is deleted later, in bounded steps and outside
-- of every lock; until then it is noted here.
alter table artifact add column attempt integer not null default 0;
alter table artifact_chunk add column attempt integer not null default 0;
alter table artifact_chunk drop constraint artifact_chunk_artifact_no_fkey;
alter table artifact_chunk drop constraint artifact_chunk_pkey;
alter table artifact_chunk add primary key (artifact_no, attempt, start_byte);
create table artifact_remains (
    artifact_no bigint not null,
    attempt integer not null,
    primary key (artifact_no, attempt)
);

-- How much all artifacts of a worker take: nobody adds them up for each piece that arrives.
create table artifact_total (
    worker_no bigint primary key references worker on delete cascade,
    stored_bytes bigint not null
) with (fillfactor = 50);
insert into artifact_total (worker_no, stored_bytes)
select worker_no, sum(stored_bytes) from artifact where state <> 'pruned' group by worker_no;
update artifact set attempt = 1 where state = 'pruned';

create function artifact_counted() returns trigger language plpgsql as $$
declare
    before bigint := case when tg_op = 'INSERT' or old.state = 'pruned' then 0 else old.stored_bytes end;
    after bigint := case when tg_op = 'DELETE' or new.state = 'pruned' then 0 else new.stored_bytes end;
begin
    if tg_op = 'DELETE' then  -- perhaps with its worker
        update artifact_total set stored_bytes = stored_bytes - before where worker_no = old.worker_no and before <> 0;
    elsif after <> before then
        insert into artifact_total as t (worker_no, stored_bytes)
        values (new.worker_no, after - before)
        on conflict (worker_no) do update set stored_bytes = t.stored_bytes + excluded.stored_bytes;
    end if;
    if tg_op = 'DELETE' or old.attempt <> new.attempt then
        insert into artifact_remains (artifact_no, attempt) values (old.artifact_no, old.attempt) on conflict do nothing;
    end if;
    return null;
end $$;
create trigger artifact_counted after insert or update of state, stored_bytes, attempt or delete on artifact
    for each row execute function artifact_counted();
