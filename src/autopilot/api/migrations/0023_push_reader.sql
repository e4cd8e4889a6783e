-- A database that was only migrated has no rows: that of the reader is made when somebody first reads.
delete from push_reader;
