-- Devices whose sign-in has ended. What they asked for and no machine was handed yet is rejected.
create table revoked_device (
    device_id text primary key,
    revoked_at timestamptz not null
);
create index revoked_device_at on revoked_device (revoked_at);

-- Undelivered requests by the device that asked.
create index receipt_undelivered on receipt ((actor::json ->> 'device_id')) where state = 'accepted';
