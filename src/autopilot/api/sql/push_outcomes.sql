-- note: What came of the last message, and until when its push service wants to be left alone.
update api.push_subscription set last_failure = $2, last_sent_at = coalesce($3, last_sent_at),
    not_before = greatest(not_before, $4)
where subscription_id = $1;

-- end: Its push service says that it is over.
delete from api.push_subscription where subscription_id = $1 returning user_id, session_id;
