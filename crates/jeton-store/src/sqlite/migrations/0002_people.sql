-- What people and roles need beyond tokens. The kind of a token may be 'login' from here on: what somebody who logs in
-- with a password gets.

ALTER TABLE members ADD COLUMN family_name TEXT NOT NULL DEFAULT '';
ALTER TABLE roles ADD COLUMN description TEXT NOT NULL DEFAULT '';
