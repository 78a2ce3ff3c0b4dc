//! The readers: records by id, the snapshot, the change log.

use jeton_core::change::{Change, Revision};
use jeton_core::id::{AccountId, MemberId, TokenId};
use jeton_core::member::Member;
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use tokio::sync::mpsc::Sender;
use tokio_postgres::Row;

use super::row::{
    change_from, credential_from, member_from, presence_from, revision, role_from, stored_token,
};
use super::session::{ReadError, Session};
use super::text::email_key;
use crate::encoding::{KnownScopes, unreadable};
use crate::{Head, Presence, StoreError, StoredToken};

pub(super) const HEAD: &str = "SELECT revision FROM head";
const TOKENS: &str = "SELECT id, account, owner, kind, name, description, scope, ceiling, api_version, issued_at,
    modified_at, expires_at, digest, last_four, retiring_digest, retiring_last_four, retiring_ends_at, revision,
    last_used_at FROM tokens WHERE account = $1 AND id = ANY($2)";
macro_rules! member_where {
    ($condition:literal) => {
        concat!(
            "SELECT id, account, number, email, name, role, custom_roles, standing, password, created_at, revision, \
             family_name FROM members WHERE ",
            $condition
        )
    };
}
const MEMBER: &str = member_where!("account = $1 AND id = $2");
const MEMBERS_BY_EMAIL: &str = member_where!("email_key = $1 ORDER BY account");
const MEMBERS: &str = member_where!("id > $1 ORDER BY id LIMIT $2");
const ROLES: &str =
    "SELECT id, account, key, name, base_permissions, policy, created_at, revision, description
    FROM roles WHERE id > $1 ORDER BY id LIMIT $2";
const CREDENTIALS: &str = "SELECT id, account, owner, kind, scope, ceiling, api_version, expires_at, digest,
    retiring_digest, retiring_ends_at, revision FROM tokens WHERE id > $1 ORDER BY id LIMIT $2";
pub(super) const CHANGES: &str =
    "SELECT revision, at, account, actor_token, actor_member, event, before, after
    FROM changes WHERE revision > $1 ORDER BY revision LIMIT $2";
const PRESENCES: &str = "SELECT id, last_seen_at, last_login_at FROM members
    WHERE last_seen_at >= $1 OR last_login_at >= $1";

/// Rows of a snapshot that are asked for at once: few enough for any memory, many enough that the ways between don't count.
const PAGE: i64 = 4096;

/// A part of a snapshot, on its way to whoever builds an index.
pub(super) enum Part {
    /// So many tokens are to come.
    Tokens(u64),
    /// Some records.
    Records(Vec<Record>),
}

pub(super) async fn tokens(
    session: &Session,
    account: AccountId,
    ids: &[TokenId],
) -> Result<Vec<StoredToken>, ReadError> {
    let sought: Vec<&[u8]> = ids.iter().map(|id| &id.as_bytes()[..]).collect();
    let rows = session.query(TOKENS, &[&&account.as_bytes()[..], &sought]).await?;
    let mut found = rows.iter().map(stored_token).collect::<Result<Vec<_>, _>>()?;
    found.sort_unstable_by_key(|stored| stored.token.id);
    let at = |id: &TokenId| found.binary_search_by_key(id, |stored| stored.token.id).ok();
    Ok(ids.iter().filter_map(|id| at(id).map(|at| found[at].clone())).collect())
}

pub(super) async fn member(
    session: &Session,
    account: AccountId,
    id: MemberId,
) -> Result<Option<Member>, ReadError> {
    let rows = session.query(MEMBER, &[&&account.as_bytes()[..], &&id.as_bytes()[..]]).await?;
    Ok(rows.first().map(member_from).transpose()?)
}

pub(super) async fn members_by_email(session: &Session, email: &str) -> Result<Vec<Member>, ReadError> {
    let rows = session.query(MEMBERS_BY_EMAIL, &[&email_key(email)]).await?;
    Ok(rows.iter().map(member_from).collect::<Result<_, _>>()?)
}

pub(super) async fn presences(
    session: &Session,
    since: Option<Timestamp>,
) -> Result<Vec<(MemberId, Presence)>, ReadError> {
    let presence = |row: &Row| -> Result<_, StoreError> {
        Ok((MemberId::from_bytes(super::row::bytes(row, 0)?), presence_from(row, 1)?))
    };
    let since = since.map_or(i64::MIN, Timestamp::as_millis);
    let rows = session.query(PRESENCES, &[&since]).await?;
    Ok(rows.iter().map(presence).collect::<Result<_, _>>()?)
}

pub(super) async fn changes(
    session: &Session,
    after: Revision,
    limit: usize,
) -> Result<Vec<Change>, ReadError> {
    let after = i64::try_from(after.number()).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = session.query(CHANGES, &[&after, &limit]).await?;
    Ok(rows.iter().map(change_from).collect::<Result<_, _>>()?)
}

/// Sends a snapshot in parts. One transaction, so that all of it is as of one revision.
pub(super) async fn snapshot(session: &Session, to: &Sender<Part>) -> Result<Head, ReadError> {
    session.client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let head = session.query(HEAD, &[]).await?;
    let head = head.first().ok_or_else(|| unreadable("database without a last revision"))?;
    let revision = revision(head, 0)?;
    let change = changes(session, Revision::new(revision.number().saturating_sub(1)), 1).await?.pop();
    let count = session.query("SELECT count(*) FROM tokens", &[]).await?;
    let count: i64 = count.first().map_or(Ok(0), |row| row.try_get(0))?;
    hand(to, Part::Tokens(count.unsigned_abs())).await?;
    pages(session, MEMBERS, to, |row| member_from(row).map(Record::Member)).await?;
    pages(session, ROLES, to, |row| role_from(row).map(Record::Role)).await?;
    let mut scopes = KnownScopes::default();
    pages(session, CREDENTIALS, to, |row| credential_from(row, &mut scopes).map(Record::Credential)).await?;
    session.client.batch_execute("COMMIT").await?;
    Ok(Head { revision, change })
}

/// Walks a table in the order of its ids.
async fn pages(
    session: &Session,
    sql: &'static str,
    to: &Sender<Part>,
    mut record: impl FnMut(&Row) -> Result<Record, StoreError>,
) -> Result<(), ReadError> {
    let mut after: Vec<u8> = Vec::new();
    loop {
        let rows = session.query(sql, &[&after, &PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.try_get(0)?;
        hand(to, Part::Records(rows.iter().map(&mut record).collect::<Result<_, _>>()?)).await?;
    }
}

async fn hand(to: &Sender<Part>, part: Part) -> Result<(), StoreError> {
    to.send(part).await.map_err(|_| StoreError::Broken("nobody waits for the snapshot any more".to_owned()))
}
