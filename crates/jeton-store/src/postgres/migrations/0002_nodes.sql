-- The nodes that share this database. A node is one start of one process; whoever commits waits for those that are here.

CREATE TABLE nodes (
    id        bytea PRIMARY KEY,            -- 8 random bytes, drawn at each start
    name      text NOT NULL,
    address   text NOT NULL,
    version   text NOT NULL,
    joined_at bigint NOT NULL,
    beat      bigint NOT NULL,              -- counts the signs of life
    beat_at   bigint NOT NULL,              -- by the database's clock, for people to read
    revision  bigint NOT NULL               -- up to where the log was followed
);
