-- Who searches the audit for a person, a device or a call reads their lines, not everybody's.
create index audit_entry_device on audit_entry (device_id, at desc, audit_id desc) where device_id is not null;
create index audit_entry_request on audit_entry (x_request_id) where x_request_id is not null;
create index receipt_user on receipt (((actor::json ->> 'user_id')::bigint), created_at desc);
create index receipt_device on receipt ((actor::json ->> 'device_id'), created_at desc);
create index receipt_call on receipt (x_request_id) where x_request_id is not null;
create index approval_user on approval (((decision::json -> 'actor' ->> 'user_id')::bigint), decided_at desc)
    where decided_at is not null;
create index approval_device on approval ((decision::json -> 'actor' ->> 'device_id'), decided_at desc)
    where decided_at is not null;
create index approval_call on approval (x_request_id) where decided_at is not null and x_request_id is not null;
