//! Rows into records: the columns of a record stand in the same order in the queries of every adapter, so they are
//! understood in one place. An adapter says only how it reads a column.

use jeton_core::account::Account;
use jeton_core::change::{Actor, Change, Revision};
use jeton_core::credential::Credential;
use jeton_core::digest::Digest;
use jeton_core::id::{AccountId, MemberId, RoleId, TokenId};
use jeton_core::member::{Member, PasswordHash};
use jeton_core::role::CustomRole;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{RetiringSecret, SecretRecord, Token};

use super::rights::{KnownScopes, ceiling_from, policy_from, rights_from, scope_from};
use super::words::{api_version, base_permissions, kind, last_four, role, standing, unreadable};
use super::{event_from, role_ids_from};
use crate::{Presence, StoreError, StoredToken};

/// A row of a database. Whoever asks for a column knows what is in it.
pub(crate) trait Columns {
    fn number(&self, at: usize) -> Result<i64, StoreError>;
    fn optional_number(&self, at: usize) -> Result<Option<i64>, StoreError>;
    fn bytes(&self, at: usize) -> Result<&[u8], StoreError>;
    fn optional_bytes(&self, at: usize) -> Result<Option<&[u8]>, StoreError>;
    fn text(&self, at: usize) -> Result<&str, StoreError>;
    fn optional_text(&self, at: usize) -> Result<Option<&str>, StoreError>;
    /// A text that a person wrote, as they did.
    fn written(&self, at: usize) -> Result<String, StoreError>;
}

pub(crate) fn bytes<const N: usize>(row: &impl Columns, at: usize) -> Result<[u8; N], StoreError> {
    exactly(row.bytes(at)?)
}

fn optional_bytes<const N: usize>(row: &impl Columns, at: usize) -> Result<Option<[u8; N]>, StoreError> {
    row.optional_bytes(at)?.map(exactly).transpose()
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| unreadable("column of another length"))
}

pub(crate) fn instant(row: &impl Columns, at: usize) -> Result<Timestamp, StoreError> {
    row.number(at).map(Timestamp::from_millis)
}

fn optional_instant(row: &impl Columns, at: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.optional_number(at)?.map(Timestamp::from_millis))
}

pub(crate) fn revision(row: &impl Columns, at: usize) -> Result<Revision, StoreError> {
    u64::try_from(row.number(at)?).map(Revision::new).map_err(|_| unreadable("negative revision"))
}

pub(crate) fn number(row: &impl Columns, at: usize) -> Result<u32, StoreError> {
    u32::try_from(row.number(at)?).map_err(|_| unreadable("number that is too large"))
}

fn secret(row: &impl Columns, digest: usize, end: usize) -> Result<SecretRecord, StoreError> {
    Ok(SecretRecord {
        digest: Digest::from_bytes(bytes(row, digest)?),
        last_four: last_four(row.text(end)?)?,
    })
}

pub(crate) fn stored_token(row: &impl Columns) -> Result<StoredToken, StoreError> {
    let retiring = match optional_instant(row, 16)? {
        Some(ends_at) => Some(RetiringSecret { record: secret(row, 14, 15)?, ends_at }),
        None => None,
    };
    let token = Token {
        id: TokenId::from_bytes(bytes(row, 0)?),
        account: AccountId::from_bytes(bytes(row, 1)?),
        owner: MemberId::from_bytes(bytes(row, 2)?),
        kind: kind(row.text(3)?)?,
        name: row.written(4)?,
        description: row.written(5)?,
        scope: scope_from(row.text(6)?)?,
        ceiling: ceiling_from(row.text(7)?)?,
        api_version: api_version(number(row, 8)?)?,
        issued_at: instant(row, 9)?,
        modified_at: instant(row, 10)?,
        expires_at: optional_instant(row, 11)?,
        secret: secret(row, 12, 13)?,
        retiring,
        revision: revision(row, 17)?,
    };
    Ok(StoredToken { token, last_used_at: optional_instant(row, 18)? })
}

pub(crate) fn credential_from(
    row: &impl Columns,
    scopes: &mut KnownScopes,
) -> Result<Credential, StoreError> {
    let retiring = match optional_instant(row, 10)? {
        Some(ends_at) => Some((Digest::from_bytes(bytes(row, 9)?), ends_at)),
        None => None,
    };
    Ok(Credential {
        id: TokenId::from_bytes(bytes(row, 0)?),
        account: AccountId::from_bytes(bytes(row, 1)?),
        owner: MemberId::from_bytes(bytes(row, 2)?),
        rights: rights_from(scopes, row.text(3)?, row.text(4)?, row.text(5)?, number(row, 6)?)?,
        expires_at: optional_instant(row, 7)?,
        digest: Digest::from_bytes(bytes(row, 8)?),
        retiring,
        revision: revision(row, 11)?,
    })
}

pub(crate) fn member_from(row: &impl Columns) -> Result<Member, StoreError> {
    Ok(Member {
        id: MemberId::from_bytes(bytes(row, 0)?),
        account: AccountId::from_bytes(bytes(row, 1)?),
        number: number(row, 2)?,
        email: row.written(3)?,
        name: row.written(4)?,
        role: role(row.text(5)?)?,
        custom_roles: role_ids_from(row.text(6)?)?,
        standing: standing(row.text(7)?)?,
        password: row.optional_text(8)?.map(|hash| PasswordHash::new(hash.to_owned())),
        created_at: instant(row, 9)?,
        revision: revision(row, 10)?,
        family_name: row.written(11)?,
    })
}

/// When a member was last here, from two columns of which this is the first.
pub(crate) fn presence_from(row: &impl Columns, at: usize) -> Result<Presence, StoreError> {
    Ok(Presence { last_seen_at: optional_instant(row, at)?, last_login_at: optional_instant(row, at + 1)? })
}

pub(crate) fn role_from(row: &impl Columns) -> Result<CustomRole, StoreError> {
    Ok(CustomRole {
        id: RoleId::from_bytes(bytes(row, 0)?),
        account: AccountId::from_bytes(bytes(row, 1)?),
        key: row.written(2)?,
        name: row.written(3)?,
        base_permissions: base_permissions(row.text(4)?)?,
        policy: policy_from(row.text(5)?)?,
        created_at: instant(row, 6)?,
        revision: revision(row, 7)?,
        description: row.written(8)?,
    })
}

pub(crate) fn account_from(row: &impl Columns) -> Result<Account, StoreError> {
    Ok(Account {
        id: AccountId::from_bytes(bytes(row, 0)?),
        name: row.written(1)?,
        created_at: instant(row, 2)?,
        revision: revision(row, 3)?,
    })
}

pub(crate) fn change_from(row: &impl Columns) -> Result<Change, StoreError> {
    let actor = match (optional_bytes(row, 3)?, optional_bytes(row, 4)?) {
        (Some(token), Some(member)) => {
            Actor::Token { token: TokenId::from_bytes(token), member: MemberId::from_bytes(member) }
        }
        _ => Actor::System,
    };
    Ok(Change {
        revision: revision(row, 0)?,
        at: instant(row, 1)?,
        account: AccountId::from_bytes(bytes(row, 2)?),
        actor,
        event: event_from(row.text(5)?, row.optional_text(6)?, row.optional_text(7)?)?,
    })
}
