-- forget: Answers that this device was offered before to this question are good no more.
delete from api.push_action where subscription_id = $1 and approval_id = $2;

-- issue: An answer that may be given by who has the token, in the session of the device that it goes to.
insert into api.push_action (token_digest, subscription_id, session_id, approval_id, option_id, expires_at)
select $1, p.subscription_id, p.session_id, $3, $4, $5 from api.push_subscription p where p.subscription_id = $2;

-- lock: What a token stands for, held until it is used; no row where it is not this session's, used or over.
select approval_id, option_id from api.push_action
where token_digest = $1 and session_id = $2 and used_at is null and expires_at > $3
for update;

-- use: It is good no more, and neither is any other answer to the same question on this device.
update api.push_action set used_at = $2
where subscription_id = (select subscription_id from api.push_action where token_digest = $1)
    and approval_id = (select approval_id from api.push_action where token_digest = $1);

-- sweep: Forget those that are over.
delete from api.push_action where expires_at < $1;
