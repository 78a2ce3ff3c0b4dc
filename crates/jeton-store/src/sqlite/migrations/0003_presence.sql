-- When members were last here: written in batches, and no part of the log, as when tokens were last used. What is known of
-- the tokens of a member is known of the member; when they logged in nobody wrote down until now.

ALTER TABLE members ADD COLUMN last_seen_at INTEGER;
ALTER TABLE members ADD COLUMN last_login_at INTEGER;

UPDATE members SET last_seen_at = used.at
FROM (SELECT owner, max(last_used_at) AS at FROM tokens WHERE kind <> 'service' GROUP BY owner) AS used
WHERE used.owner = members.id;
