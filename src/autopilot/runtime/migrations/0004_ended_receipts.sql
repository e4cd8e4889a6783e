-- Receipts by when they ended: a principal's stream tells what ended lately.
create index receipt_ended on receipt (ended_at) where ended_at is not null;
