-- A database that was only migrated has no rows: the head is made at the first look.
delete from transition_head where latest_no = 0;
