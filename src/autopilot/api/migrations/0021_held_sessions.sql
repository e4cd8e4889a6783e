-- What is held is asked for once a second, of all who follow everything.
create index session_held on session (user_id) where held_until is not null;
