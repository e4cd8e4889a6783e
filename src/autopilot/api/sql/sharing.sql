-- membership: A user's membership in a team.
select membership_no, role from api.membership where team_id = $1 and user_id = $2;

-- sign: Who ended these memberships, or made them a viewer's, from where; within the transaction that did.
update api.untold_departure
set by_user_id = $2, device_id = $3, session_id = $4, surface = $5, address = $6, x_request_id = $7
where membership_no = any ($1::bigint[]);

-- untold: What the runtime does not know yet, oldest first; but for what it refused lately.
select membership_no, team_id, user_id, stays, by_user_id, device_id, session_id, surface, address, x_request_id
from api.untold_departure where membership_no <> all ($2::bigint[]) order by ended_at, membership_no limit $1;

-- told: The runtime knows.
delete from api.untold_departure where membership_no = $1;
