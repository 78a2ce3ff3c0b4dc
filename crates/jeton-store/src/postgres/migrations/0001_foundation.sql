-- The records and the change log, as the embedded store keeps them, in SQL that every engine with PostgreSQL's protocol
-- knows: no sequence, no trigger, no partial index. Ids are 12 bytes that begin with the millisecond of their making.
-- Instants are milliseconds since the Unix epoch. A text that a person wrote may hold what PostgreSQL can't, a zero
-- character: see text.rs.

CREATE TABLE accounts (
    id          bytea PRIMARY KEY,
    name        text NOT NULL,
    created_at  bigint NOT NULL,
    revision    bigint NOT NULL             -- the change that last touched the row, as everywhere
);

CREATE TABLE members (
    id            bytea PRIMARY KEY,
    account       bytea NOT NULL REFERENCES accounts (id),
    number        bigint NOT NULL,
    email         text NOT NULL,
    email_key     text,                     -- in lower case as jeton folds it; NULL once the member is removed
    name          text NOT NULL,
    family_name   text NOT NULL,
    role          text NOT NULL,            -- a base role
    custom_roles  text NOT NULL,            -- JSON array of role ids, or empty
    standing      text NOT NULL,            -- pending, active, blocked, removed
    password      text,                     -- argon2id in PHC form, over a value keyed with the server key
    created_at    bigint NOT NULL,
    last_seen_at  bigint,                   -- written in batches, and no part of the log
    last_login_at bigint,
    revision      bigint NOT NULL
);

CREATE UNIQUE INDEX members_number ON members (account, number);
CREATE UNIQUE INDEX members_email ON members (email_key, account); -- a login names no account

CREATE TABLE roles (
    id               bytea PRIMARY KEY,
    account          bytea NOT NULL REFERENCES accounts (id),
    key              text NOT NULL,
    name             text NOT NULL,
    description      text NOT NULL,
    base_permissions text NOT NULL,
    policy           text NOT NULL,         -- JSON array of statements
    created_at       bigint NOT NULL,
    revision         bigint NOT NULL
);

CREATE UNIQUE INDEX roles_key ON roles (account, key);

CREATE TABLE tokens (
    id                 bytea PRIMARY KEY,
    account            bytea NOT NULL REFERENCES accounts (id),
    owner              bytea NOT NULL REFERENCES members (id),
    kind               text NOT NULL,       -- personal, service, login
    name               text NOT NULL,
    description        text NOT NULL,
    scope              text NOT NULL,       -- JSON
    ceiling            text NOT NULL,       -- JSON, or empty for none
    api_version        bigint NOT NULL,
    issued_at          bigint NOT NULL,
    modified_at        bigint NOT NULL,
    expires_at         bigint,
    digest             bytea NOT NULL,      -- HMAC-SHA-256(server key, SHA-256(secret)); the secret is nowhere
    last_four          text NOT NULL,
    retiring_digest    bytea,               -- the secret before, during the grace of a rotation
    retiring_last_four text,
    retiring_ends_at   bigint,
    last_used_at       bigint,              -- written in batches, and no part of the log
    revision           bigint NOT NULL
);

CREATE INDEX tokens_owner ON tokens (owner);

-- The change log: dense from 1. A row is written in the transaction of the state it describes, or not at all.
CREATE TABLE changes (
    revision     bigint PRIMARY KEY,
    at           bigint NOT NULL,
    account      bytea NOT NULL,
    actor_token  bytea,                     -- NULL: jeton itself, or an operator on the machine
    actor_member bytea,
    event        text NOT NULL,
    before       text,                      -- JSON of the record, if there was one
    after        text                       -- JSON of the record, if there is one
);

-- The last revision, in one row. Whoever commits locks it first: so commits come one after another, and revisions become
-- visible in their order, which those of a sequence would not.
CREATE TABLE head (
    number   bigint PRIMARY KEY,
    revision bigint NOT NULL
);

INSERT INTO head (number, revision) VALUES (1, 0);

-- What the installation knows of itself, under a handful of keys.
CREATE TABLE installation (
    key   text PRIMARY KEY,
    value bytea NOT NULL
);
