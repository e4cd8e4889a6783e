-- A trace begins with a request's id, whatever it was addressed to.
create index receipt_request on receipt (request_id);
