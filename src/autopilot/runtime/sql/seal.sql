-- take_turn: one sealer at a time in the whole installation, for this transaction
select pg_advisory_xact_lock($1, $2);

-- try_turn: the same, without waiting
select pg_try_advisory_xact_lock($1, $2);

-- head: the latest seal, and the database's time
select seal_no, digest, clock_timestamp() as now from seal order by seal_no desc limit 1;

-- heads: the latest seal, and the one of a number; the latest first
select seal_no, digest from seal
where seal_no = $1 or seal_no = (select seal_no from seal order by seal_no desc limit 1)
order by seal_no desc;

-- digest_at: of one seal
select digest from seal where seal_no = $1;

-- last_of_log: where the seals of a log end, and its state there
select to_seq, state from seal where source = $1 and log_no = $2 order by to_seq desc limit 1;

-- state_before: the state of a log at the end of the last seal that ends before a seq
select to_seq, state from seal where source = $1 and log_no = $2 and to_seq < $3 order by to_seq desc limit 1;

-- horizon: what commits from now on has moved its log after this time, give or take the interval
select least(clock_timestamp(), min(xact_start)) - $1::interval
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid();

-- add: one more link
insert into seal (seal_no, source, log_no, log_id, from_seq, to_seq, state, sealed_at, previous, digest, key_id, signature)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- chain: all seals
select seal_no, source, log_no, log_id, from_seq, to_seq, state, sealed_at, previous, digest, key_id, signature
from seal order by seal_no;

-- seals_of_log: those of one log, in the order they were made
select seal_no, source, log_no, log_id, from_seq, to_seq, state, sealed_at, previous, digest, key_id, signature
from seal where source = $1 and log_no = $2 order by seal_no;

-- floor: where retention cut a log off
select floor_seq, state, key_id, signature from seal_floor where source = $1 and log_no = $2;

-- set_floor: say where
insert into seal_floor (source, log_no, floor_seq, state, key_id, signature)
values ($1, $2, $3, $4, $5, $6)
on conflict (source, log_no) do update
set floor_seq = excluded.floor_seq, state = excluded.state, key_id = excluded.key_id, signature = excluded.signature;
