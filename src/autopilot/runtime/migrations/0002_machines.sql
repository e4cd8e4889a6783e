-- The end of a lease by the clock is told once.
alter table lease add column expiry_recorded_at timestamptz; -- when worker.lease.expired was written; null: not yet
create index lease_expiry on lease (expires_at) where released_at is null and expiry_recorded_at is null;

-- Where a worker's present span began: names its stop.
create index event_started on event (worker_no, seq) where event_type = 'worker.started';
