-- How far retention has looked through a log for previews that are spent; no row: not at all.
create table preview_mark (
    worker_no bigint primary key references worker on delete cascade,
    resume_seq bigint not null,                -- look on after this: what came later may still become spent
    seen_seq bigint not null                   -- looked through up to here: without anything newer there is no news
) with (fillfactor = 50);
