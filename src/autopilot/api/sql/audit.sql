-- add: One act.
insert into api.audit (audit_id, action, outcome, user_id, guest_scope, device_id, session_id, machine_id, surface,
    address, x_request_id, subject, detail)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- untold: What the runtime does not know yet, oldest first; but for what it refused lately.
select a.* from api.untold_audit u join api.audit a using (audit_no) where u.audit_no <> all ($2::bigint[])
order by u.audit_no limit $1;

-- told: The runtime knows.
delete from api.untold_audit where audit_no = any ($1::bigint[]);
