-- Whether somebody may read what belongs to this owner and is shared with this team: the one predicate of all lists. Plain
-- SQL, so that the planner puts its text into the query and finds the indexes of owners and teams.
create function visible(owner_user_id bigint, owner_guest_scope text, team_id text,
    my_user_id bigint, my_guest_scope text, my_teams text[]) returns boolean
language sql immutable parallel safe as
'select owner_user_id = my_user_id or owner_guest_scope = my_guest_scope or team_id = any (my_teams)';
