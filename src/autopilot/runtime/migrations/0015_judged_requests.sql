-- Under which versions of the policy documents a request was judged, as JSON; null: none was asked. Of a worker's request its
-- log has the same; requests to machines are in no log.
alter table receipt add column policy_versions text;
