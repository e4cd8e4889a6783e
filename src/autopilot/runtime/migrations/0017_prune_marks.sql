-- How far the payloads of each log were emptied by age: what is below is not looked at again.
create table prune_mark (
    worker_no bigint primary key references worker on delete cascade,
    seq bigint not null
) with (fillfactor = 50);
