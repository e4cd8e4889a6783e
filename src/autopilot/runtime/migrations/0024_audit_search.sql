-- Who searches the audit for a person, a device or a call reads their lines, not everybody's.
create index audit_entry_device on audit_entry (device_id, at desc, audit_id desc) where device_id is not null;
create index audit_entry_request on audit_entry (x_request_id) where x_request_id is not null;
create index receipt_user on receipt (((actor::json ->> 'user_id')::bigint), created_at desc);
create index receipt_device on receipt ((actor::json ->> 'device_id'), created_at desc);
create index receipt_call on receipt (x_request_id) where x_request_id is not null;

-- Who decided, and which option: apart from the decision, which may hold what no operator of Postgres for JSON can read (a
-- person's words with \u0000). The last actor in a decision is the one that the server stamped; words before it stand
-- with their quotes escaped, and a form's fields before it.
alter table approval add column decided_by text, add column decided_option text;
update approval
set decided_by = substring(decision from '^.*"actor":(\{[^{}]*\}),"decided_at":"'),
    decided_option = substring(decision from '^\{"option_id":"((?:[^"\\]|\\.)*)"')
where decision is not null;
create index approval_user on approval (((decided_by::json ->> 'user_id')::bigint), decided_at desc)
    where decided_at is not null;
create index approval_device on approval ((decided_by::json ->> 'device_id'), decided_at desc)
    where decided_at is not null;
create index approval_call on approval (x_request_id) where decided_at is not null and x_request_id is not null;
