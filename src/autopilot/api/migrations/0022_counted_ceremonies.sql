-- Whose open questions to authenticators are counted together: a user's, or those of a network address.
alter table passkey_ceremony add column whose text;    -- null: before they were counted
create index passkey_ceremony_whose on passkey_ceremony (whose);
