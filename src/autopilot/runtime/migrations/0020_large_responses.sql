-- What the response of a receipt leaves out because it is too large: references (JSON) to artifacts of its worker.
alter table receipt add column artifacts text;
