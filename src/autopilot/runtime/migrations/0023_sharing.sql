-- Every change of who shares what raises the version, in its own transaction: whoever reads through a team looks again.
create table share_head (
    share_no smallint primary key check (share_no = 1),
    version bigint not null
);

-- Memberships that have ended, as the API says: none of them puts a machine into its team any more, however long the
-- call was on its way.
create table departed_membership (
    membership_no bigint primary key,
    departed_at timestamptz not null default clock_timestamp()
);
create index machine_owner on machine (owner_user_id) where owner_user_id is not null;
