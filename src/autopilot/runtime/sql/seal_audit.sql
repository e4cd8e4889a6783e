-- log: the audit log; none while nothing was ever written to it
select h.log_no, h.latest_seq, h.updated_at, coalesce(s.to_seq, 0) as sealed_seq
from audit_head h
left join lateral (
    select to_seq from seal where source = $1 and log_no = h.log_no order by to_seq desc limit 1
) s on true
where h.latest_seq > 0 or s.to_seq is not null;

-- is_gone: whether it was sealed, and its head is not there any more
select exists (select from seal where source = $1) and not exists (select from audit_head);

-- entries: a page of rows after a seq
select * from audit_entry where seq > $1 order by seq limit $2;
