-- Through which membership somebody asked or decided; null: as who owns it, or the runtime itself. 0: nobody said which.
-- A membership that ends, or shrinks to a viewer's, takes back what it asked for and no machine was handed.
alter table receipt add column membership_no bigint;
alter table approval add column decided_membership_no bigint;

create index receipt_undelivered_of_members on receipt (membership_no) where state = 'accepted' and membership_no is not null;
create index approval_undelivered_of_members on approval (decided_membership_no)
    where ended_at is null and state = 'decided' and decided_membership_no is not null;
