//! The readers: records by id, the snapshot, the change log.

use jeton_core::change::{Actor, Change, Revision};
use jeton_core::credential::Credential;
use jeton_core::digest::Digest;
use jeton_core::id::{AccountId, MemberId, RoleId, TokenId};
use jeton_core::member::{Member, PasswordHash};
use jeton_core::role::CustomRole;
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{RetiringSecret, SecretRecord, Token};
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, Row, params};

use super::error::failure;
use crate::encoding::{self, unreadable};
use crate::{Presence, StoreError, StoredToken};

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

pub(super) fn presences(connection: &Connection) -> Result<Vec<(MemberId, Presence)>, StoreError> {
    let sql = "SELECT id, last_seen_at, last_login_at FROM members
        WHERE last_seen_at IS NOT NULL OR last_login_at IS NOT NULL";
    let mut found = Vec::new();
    each_row(connection, sql, params![], |row| {
        let (last_seen_at, last_login_at) = (optional_instant(row, 1)?, optional_instant(row, 2)?);
        found.push((MemberId::from_bytes(column(row, 0)?), Presence { last_seen_at, last_login_at }));
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn snapshot(
    connection: &Connection,
    announce: &mut dyn FnMut(u64),
    sink: &mut dyn FnMut(Record),
) -> Result<Revision, StoreError> {
    // One transaction, so that all of it is as of one revision.
    let transaction = connection.unchecked_transaction().map_err(|error| failure(&error))?;
    let revision = last_revision(&transaction).map_err(|error| failure(&error))?;
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
    each_row(&transaction, credentials, params![], |row| {
        sink(Record::Credential(credential_from(row)?));
        Ok(())
    })?;
    Ok(revision)
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

pub(super) fn column<T: FromSql>(row: &Row<'_>, at: usize) -> Result<T, StoreError> {
    row.get(at).map_err(|error| unreadable(&error.to_string()))
}

/// The fingerprint of a server key.
pub(super) fn fingerprint(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| unreadable("fingerprint of the server key"))
}

/// A text column without a copy.
fn text<'row>(row: &'row Row<'_>, at: usize) -> Result<&'row str, StoreError> {
    match row.get_ref(at) {
        Ok(value @ ValueRef::Text(_)) => value.as_str().map_err(|error| unreadable(&error.to_string())),
        _ => Err(unreadable("column that should be text")),
    }
}

fn optional_text<'row>(row: &'row Row<'_>, at: usize) -> Result<Option<&'row str>, StoreError> {
    match row.get_ref(at) {
        Ok(ValueRef::Null) => Ok(None),
        _ => text(row, at).map(Some),
    }
}

pub(super) fn instant(row: &Row<'_>, at: usize) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_millis(column(row, at)?))
}

pub(super) fn optional_instant(row: &Row<'_>, at: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(column::<Option<i64>>(row, at)?.map(Timestamp::from_millis))
}

pub(super) fn revision(row: &Row<'_>, at: usize) -> Result<Revision, StoreError> {
    Ok(Revision::new(column(row, at)?))
}

fn secret(row: &Row<'_>, digest: usize, last_four: usize) -> Result<SecretRecord, StoreError> {
    Ok(SecretRecord {
        digest: Digest::from_bytes(column(row, digest)?),
        last_four: encoding::last_four(text(row, last_four)?)?,
    })
}

pub(super) fn stored_token(row: &Row<'_>) -> Result<StoredToken, StoreError> {
    let retiring = match optional_instant(row, 16)? {
        Some(ends_at) => Some(RetiringSecret { record: secret(row, 14, 15)?, ends_at }),
        None => None,
    };
    let token = Token {
        id: TokenId::from_bytes(column(row, 0)?),
        account: AccountId::from_bytes(column(row, 1)?),
        owner: MemberId::from_bytes(column(row, 2)?),
        kind: encoding::kind(text(row, 3)?)?,
        name: column(row, 4)?,
        description: column(row, 5)?,
        scope: encoding::scope_from(text(row, 6)?)?,
        ceiling: encoding::ceiling_from(text(row, 7)?)?,
        api_version: encoding::api_version(column(row, 8)?)?,
        issued_at: instant(row, 9)?,
        modified_at: instant(row, 10)?,
        expires_at: optional_instant(row, 11)?,
        secret: secret(row, 12, 13)?,
        retiring,
        revision: revision(row, 17)?,
    };
    Ok(StoredToken { token, last_used_at: optional_instant(row, 18)? })
}

fn credential_from(row: &Row<'_>) -> Result<Credential, StoreError> {
    let retiring = match optional_instant(row, 10)? {
        Some(ends_at) => Some((Digest::from_bytes(column(row, 9)?), ends_at)),
        None => None,
    };
    Ok(Credential {
        id: TokenId::from_bytes(column(row, 0)?),
        account: AccountId::from_bytes(column(row, 1)?),
        owner: MemberId::from_bytes(column(row, 2)?),
        rights: encoding::rights_from(text(row, 3)?, text(row, 4)?, text(row, 5)?, column(row, 6)?)?,
        expires_at: optional_instant(row, 7)?,
        digest: Digest::from_bytes(column(row, 8)?),
        retiring,
        revision: revision(row, 11)?,
    })
}

pub(super) fn member_from(row: &Row<'_>) -> Result<Member, StoreError> {
    Ok(Member {
        id: MemberId::from_bytes(column(row, 0)?),
        account: AccountId::from_bytes(column(row, 1)?),
        number: column(row, 2)?,
        email: column(row, 3)?,
        name: column(row, 4)?,
        role: encoding::role(text(row, 5)?)?,
        custom_roles: encoding::role_ids_from(text(row, 6)?)?,
        standing: encoding::standing(text(row, 7)?)?,
        password: column::<Option<String>>(row, 8)?.map(PasswordHash::new),
        created_at: instant(row, 9)?,
        revision: revision(row, 10)?,
        family_name: column(row, 11)?,
    })
}

pub(super) fn role_from(row: &Row<'_>) -> Result<CustomRole, StoreError> {
    Ok(CustomRole {
        id: RoleId::from_bytes(column(row, 0)?),
        account: AccountId::from_bytes(column(row, 1)?),
        key: column(row, 2)?,
        name: column(row, 3)?,
        base_permissions: encoding::base_permissions(text(row, 4)?)?,
        policy: encoding::policy_from(text(row, 5)?)?,
        created_at: instant(row, 6)?,
        revision: revision(row, 7)?,
        description: column(row, 8)?,
    })
}

pub(super) fn change_from(row: &Row<'_>) -> Result<Change, StoreError> {
    let actor = match (column(row, 3)?, column(row, 4)?) {
        (Some(token), Some(member)) => {
            Actor::Token { token: TokenId::from_bytes(token), member: MemberId::from_bytes(member) }
        }
        _ => Actor::System,
    };
    Ok(Change {
        revision: revision(row, 0)?,
        at: instant(row, 1)?,
        account: AccountId::from_bytes(column(row, 2)?),
        actor,
        event: encoding::event_from(text(row, 5)?, optional_text(row, 6)?, optional_text(row, 7)?)?,
    })
}
