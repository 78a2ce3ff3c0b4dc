-- The records and the change log. Ids are 12 bytes that begin with the millisecond of their making, so that every table
-- and every index grows at its end. The digests have no index: the index in memory knows them all, and 256 random bits
-- don't collide. An index over them would cost a scattered page for each token at every checkpoint.

CREATE TABLE accounts (
    id          BLOB PRIMARY KEY,
    name        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,           -- milliseconds since the Unix epoch, as are all instants
    revision    INTEGER NOT NULL            -- the change that last touched the row, as everywhere
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    id           BLOB PRIMARY KEY,
    account      BLOB NOT NULL REFERENCES accounts (id),
    number       INTEGER NOT NULL,
    email        TEXT NOT NULL COLLATE NOCASE,
    name         TEXT NOT NULL,
    role         TEXT NOT NULL,             -- a base role
    custom_roles TEXT NOT NULL,             -- JSON array of role ids, or empty
    standing     TEXT NOT NULL,             -- pending, active, blocked, removed
    password     TEXT,                      -- argon2id in PHC form, over a value keyed with the server key
    created_at   INTEGER NOT NULL,
    revision     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX members_number ON members (account, number);
CREATE UNIQUE INDEX members_email ON members (email, account) WHERE standing <> 'removed'; -- a login names no account

CREATE TABLE roles (
    id               BLOB PRIMARY KEY,
    account          BLOB NOT NULL REFERENCES accounts (id),
    key              TEXT NOT NULL,
    name             TEXT NOT NULL,
    base_permissions TEXT NOT NULL,
    policy           TEXT NOT NULL,         -- JSON array of statements
    created_at       INTEGER NOT NULL,
    revision         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX roles_key ON roles (account, key);

CREATE TABLE tokens (
    id                 BLOB PRIMARY KEY,
    account            BLOB NOT NULL REFERENCES accounts (id),
    owner              BLOB NOT NULL REFERENCES members (id),
    kind               TEXT NOT NULL,       -- personal, service
    name               TEXT NOT NULL,
    description        TEXT NOT NULL,
    scope              TEXT NOT NULL,       -- JSON
    ceiling            TEXT NOT NULL,       -- JSON, or empty for none
    api_version        INTEGER NOT NULL,
    issued_at          INTEGER NOT NULL,
    modified_at        INTEGER NOT NULL,
    expires_at         INTEGER,
    digest             BLOB NOT NULL,       -- HMAC-SHA-256(server key, SHA-256(secret)); the secret is nowhere
    last_four          TEXT NOT NULL,
    retiring_digest    BLOB,                -- the secret before, during the grace of a rotation
    retiring_last_four TEXT,
    retiring_ends_at   INTEGER,
    last_used_at       INTEGER,             -- written in batches, and no part of the log
    revision           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The change log: dense from 1. A row is written in the transaction of the state it describes, or not at all.
CREATE TABLE changes (
    revision     INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    account      BLOB NOT NULL,
    actor_token  BLOB,                      -- NULL: jeton itself, or an operator on the machine
    actor_member BLOB,
    event        TEXT NOT NULL,
    before       TEXT,                      -- JSON of the record, if there was one
    after        TEXT                       -- JSON of the record, if there is one
) STRICT;

-- What the installation knows of itself, under a handful of keys.
CREATE TABLE installation (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
