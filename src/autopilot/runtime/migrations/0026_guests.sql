-- Guests read single workers that somebody showed them. What one may read beside one's own comes as one array: teams, and
-- workers after a slash, which no id of either has in it.
create function shown_in(reach text[]) returns text[]
language sql immutable parallel safe as
'select coalesce(array_agg(substr(one, 2)), ''{}'') from unnest(reach) as one where one like ''/%''';

-- The predicate of lists of workers and of what hangs on them; machines and spend have the one without a worker.
create function visible(owner_user_id bigint, owner_guest_scope text, team_id text, worker_id text,
    my_user_id bigint, my_guest_scope text, reach text[]) returns boolean
language sql immutable parallel safe as
'select owner_user_id = my_user_id or owner_guest_scope = my_guest_scope or team_id = any (reach)
    or worker_id = any (shown_in(reach))';
