//! What is written beside the log: uses and presences, the end of old changes, the key.

use std::collections::HashMap;

use jeton_core::id::{MemberId, TokenId};
use jeton_core::timestamp::Timestamp;

use super::row::{instant, revision};
use super::session::{ReadError, Session};
use super::write::revision_number;
use crate::Presence;
use crate::encoding::unreadable;

// GREATEST passes over NULL, which stands for never.
const TOUCH_TOKENS: &str = "UPDATE tokens SET last_used_at = greatest(tokens.last_used_at, used.at)
    FROM (SELECT unnest($1::bytea[]) AS id, unnest($2::bigint[]) AS at) AS used WHERE tokens.id = used.id";
const TOUCH_MEMBERS: &str = "UPDATE members SET
        last_seen_at = greatest(members.last_seen_at, here.seen),
        last_login_at = greatest(members.last_login_at, here.login)
    FROM (SELECT unnest($1::bytea[]) AS id, unnest($2::bigint[]) AS seen, unnest($3::bigint[]) AS login) AS here
    WHERE members.id = here.id";
const OLDEST: &str = "SELECT revision, at FROM changes ORDER BY revision LIMIT $1";
const FORGET: &str =
    "DELETE FROM changes WHERE revision <= $1 AND revision < (SELECT max(revision) FROM changes)";
const BIND: &str = "INSERT INTO installation (key, value) VALUES ('server_key_fingerprint', $1)
    ON CONFLICT (key) DO NOTHING";
const BOUND: &str = "SELECT value FROM installation WHERE key = 'server_key_fingerprint'";

/// A row is changed once by a statement, so each is named once here.
pub(super) async fn touch(
    session: &Session,
    used: &[(TokenId, Timestamp)],
    present: &[(MemberId, Presence)],
) -> Result<(), ReadError> {
    let mut tokens: HashMap<TokenId, Timestamp> = HashMap::new();
    for (id, at) in used {
        tokens.entry(*id).and_modify(|known| *known = (*known).max(*at)).or_insert(*at);
    }
    let mut members: HashMap<MemberId, Presence> = HashMap::new();
    for (id, presence) in present {
        members.entry(*id).and_modify(|known| *known = known.merged(*presence)).or_insert(*presence);
    }
    let ids: Vec<&[u8]> = tokens.keys().map(|id| &id.as_bytes()[..]).collect();
    let at: Vec<i64> = tokens.values().map(|at| at.as_millis()).collect();
    session.execute(TOUCH_TOKENS, &[&ids, &at]).await?;
    let ids: Vec<&[u8]> = members.keys().map(|id| &id.as_bytes()[..]).collect();
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let seen: Vec<Option<i64>> = members.values().map(|presence| millis(presence.last_seen_at)).collect();
    let login: Vec<Option<i64>> = members.values().map(|presence| millis(presence.last_login_at)).collect();
    session.execute(TOUCH_MEMBERS, &[&ids, &seen, &login]).await?;
    Ok(())
}

/// From the beginning only: where a clock was set back older instants may follow younger ones, and the log has to stay
/// without a gap.
pub(super) async fn compact(session: &Session, before: Timestamp, limit: usize) -> Result<usize, ReadError> {
    let rows = session.query(OLDEST, &[&i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
    let mut last = None;
    for row in &rows {
        if instant(row, 1)? >= before {
            break;
        }
        last = Some(revision(row, 0)?);
    }
    let Some(last) = last else { return Ok(0) };
    let forgotten = session.execute(FORGET, &[&revision_number(last)]).await?;
    Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
}

pub(super) async fn bind_key(session: &Session, fingerprint: [u8; 32]) -> Result<bool, ReadError> {
    session.execute(BIND, &[&&fingerprint[..]]).await?;
    let rows = session.query(BOUND, &[]).await?;
    let bound = rows.first().ok_or_else(|| unreadable("fingerprint of the server key"))?;
    Ok(bound.try_get::<_, &[u8]>(0)? == fingerprint)
}
