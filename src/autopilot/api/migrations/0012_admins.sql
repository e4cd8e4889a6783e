-- Who manages the installation beside its owner: by a grant that is made at the machine, and by nothing else.
alter table user_account add column is_admin boolean not null default false;
