//! The readers: records by id, the snapshot, the change log.

use jeton_core::change::{Change, Revision};
use jeton_core::id::{AccountId, MemberId, TokenId};
use jeton_core::member::Member;
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use rusqlite::types::{FromSqlResult, ValueRef};
use rusqlite::{Connection, Row, params};

use super::error::failure;
use crate::encoding::rows::{
    Columns, bytes, change_from, credential_from, member_from, presence_from, role_from, stored_token,
};
use crate::encoding::{KnownScopes, unreadable};
use crate::{Head, Presence, StoreError, StoredToken};

const MEMBER: &str = "SELECT id, account, number, email, name, role, custom_roles, standing, password, created_at, revision, family_name FROM members";
const TOKENS: &str = "SELECT id, account, owner, kind, name, description, scope, ceiling, api_version, issued_at,
    modified_at, expires_at, digest, last_four, retiring_digest, retiring_last_four, retiring_ends_at, revision,
    last_used_at FROM tokens WHERE id >= ?1 ORDER BY id";

pub(super) fn last_revision(connection: &Connection) -> rusqlite::Result<Revision> {
    let last: u64 =
        connection.query_row("SELECT ifnull(max(revision), 0) FROM changes", [], |row| row.get(0))?;
    Ok(Revision::new(last))
}

pub(super) fn token(
    connection: &Connection,
    account: AccountId,
    id: TokenId,
) -> Result<Option<StoredToken>, StoreError> {
    Ok(tokens(connection, account, &[id])?.pop())
}

/// Tokens by id, in the order of the ids.
///
/// A page of a long list asks for neighbours: from a token that was found the walk goes on to the row after it, instead
/// of searching for each from the root of the table, as long as that finds more than it misses.
pub(super) fn tokens(
    connection: &Connection,
    account: AccountId,
    ids: &[TokenId],
) -> Result<Vec<StoredToken>, StoreError> {
    let mut statement = connection.prepare_cached(TOKENS).map_err(|error| failure(&error))?;
    let mut found = Vec::with_capacity(ids.len());
    let (mut at, mut neighbours, mut strangers) = (0, 0, 0);
    while let Some(sought) = ids.get(at) {
        let mut rows = statement.query([sought.as_bytes()]).map_err(|error| failure(&error))?;
        let first = at;
        while at < ids.len() && (at == first || neighbours >= strangers) {
            let Some(row) = rows.next().map_err(|error| failure(&error))? else { break };
            let stored = stored_token(row)?;
            if stored.token.id != ids[at] {
                strangers += usize::from(at > first);
                break;
            }
            neighbours += usize::from(at > first);
            if stored.token.account == account {
                found.push(stored);
            }
            at += 1;
        }
        // What was searched for and is not there does not exist.
        at = at.max(first + 1);
    }
    Ok(found)
}

pub(super) fn member(
    connection: &Connection,
    account: AccountId,
    id: MemberId,
) -> Result<Option<Member>, StoreError> {
    let sql = format!("{MEMBER} WHERE account = ?1 AND id = ?2");
    Ok(members(connection, &sql, params![account.as_bytes(), id.as_bytes()])?.pop())
}

pub(super) fn members_by_email(connection: &Connection, email: &str) -> Result<Vec<Member>, StoreError> {
    members(connection, &format!("{MEMBER} WHERE email = ?1 AND standing <> 'removed'"), params![email])
}

fn members(
    connection: &Connection,
    sql: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<Member>, StoreError> {
    let mut found = Vec::new();
    each_row(connection, sql, values, |row| {
        found.push(member_from(row)?);
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn presences(
    connection: &Connection,
    since: Option<Timestamp>,
) -> Result<Vec<(MemberId, Presence)>, StoreError> {
    let sql =
        "SELECT id, last_seen_at, last_login_at FROM members WHERE last_seen_at >= ?1 OR last_login_at >= ?1";
    let since = since.map_or(i64::MIN, Timestamp::as_millis);
    let mut found = Vec::new();
    each_row(connection, sql, params![since], |row| {
        found.push((MemberId::from_bytes(bytes(row, 0)?), presence_from(row, 1)?));
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn snapshot(
    connection: &Connection,
    announce: &mut dyn FnMut(u64),
    sink: &mut dyn FnMut(Record),
) -> Result<Head, StoreError> {
    // One transaction, so that all of it is as of one revision.
    let transaction = connection.unchecked_transaction().map_err(|error| failure(&error))?;
    let revision = last_revision(&transaction).map_err(|error| failure(&error))?;
    let before = Revision::new(revision.number().saturating_sub(1));
    let change = changes(&transaction, before, 1)?.pop();
    let count = transaction.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0));
    announce(count.map_err(|error| failure(&error))?);
    each_row(&transaction, MEMBER, params![], |row| {
        sink(Record::Member(member_from(row)?));
        Ok(())
    })?;
    let roles = "SELECT id, account, key, name, base_permissions, policy, created_at, revision, description FROM roles";
    each_row(&transaction, roles, params![], |row| {
        sink(Record::Role(role_from(row)?));
        Ok(())
    })?;
    let credentials = "SELECT id, account, owner, kind, scope, ceiling, api_version, expires_at, digest,
        retiring_digest, retiring_ends_at, revision FROM tokens";
    let mut scopes = KnownScopes::default();
    each_row(&transaction, credentials, params![], |row| {
        sink(Record::Credential(credential_from(row, &mut scopes)?));
        Ok(())
    })?;
    Ok(Head { revision, change })
}

pub(super) fn changes(
    connection: &Connection,
    after: Revision,
    limit: usize,
) -> Result<Vec<Change>, StoreError> {
    let sql = "SELECT revision, at, account, actor_token, actor_member, event, before, after FROM changes
        WHERE revision > ?1 ORDER BY revision LIMIT ?2";
    // SQLite's numbers end at 2⁶³ - 1, and neither a revision nor a log comes near.
    let after = i64::try_from(after.number()).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    each_row(connection, sql, params![after, limit], |row| {
        found.push(change_from(row)?);
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn each_row(
    connection: &Connection,
    sql: &str,
    values: &[&dyn rusqlite::ToSql],
    mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(|error| failure(&error))?;
    let mut rows = statement.query(values).map_err(|error| failure(&error))?;
    while let Some(row) = rows.next().map_err(|error| failure(&error))? {
        take(row)?;
    }
    Ok(())
}

/// The fingerprint of a server key.
pub(super) fn fingerprint(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| unreadable("fingerprint of the server key"))
}

/// Without a copy.
fn column<'row>(row: &'row Row<'_>, at: usize) -> Result<ValueRef<'row>, StoreError> {
    row.get_ref(at).map_err(|error| unreadable(&error.to_string()))
}

fn understood<T>(value: FromSqlResult<T>) -> Result<T, StoreError> {
    value.map_err(|error| unreadable(&error.to_string()))
}

impl Columns for Row<'_> {
    fn number(&self, at: usize) -> Result<i64, StoreError> {
        understood(column(self, at)?.as_i64())
    }

    fn optional_number(&self, at: usize) -> Result<Option<i64>, StoreError> {
        understood(column(self, at)?.as_i64_or_null())
    }

    fn bytes(&self, at: usize) -> Result<&[u8], StoreError> {
        understood(column(self, at)?.as_blob())
    }

    fn optional_bytes(&self, at: usize) -> Result<Option<&[u8]>, StoreError> {
        understood(column(self, at)?.as_blob_or_null())
    }

    fn text(&self, at: usize) -> Result<&str, StoreError> {
        understood(column(self, at)?.as_str())
    }

    fn optional_text(&self, at: usize) -> Result<Option<&str>, StoreError> {
        understood(column(self, at)?.as_str_or_null())
    }

    fn written(&self, at: usize) -> Result<String, StoreError> {
        self.text(at).map(str::to_owned)
    }
}
