//! Rows into records.

use jeton_core::change::{Actor, Change, Revision};
use jeton_core::credential::Credential;
use jeton_core::digest::Digest;
use jeton_core::id::{AccountId, MemberId, RoleId, TokenId};
use jeton_core::member::{Member, PasswordHash};
use jeton_core::role::CustomRole;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{RetiringSecret, SecretRecord, Token};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::text::given;
use crate::encoding::{self, unreadable};
use crate::{StoreError, StoredToken};

fn column<'row, T: FromSql<'row>>(row: &'row Row, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(|error| unreadable(&super::error::told(&error)))
}

pub(super) fn bytes<const N: usize>(row: &Row, at: usize) -> Result<[u8; N], StoreError> {
    column::<&[u8]>(row, at)?.try_into().map_err(|_| unreadable("column of another length"))
}

fn text(row: &Row, at: usize) -> Result<&str, StoreError> {
    column(row, at)
}

/// A text that a person wrote.
pub(super) fn written(row: &Row, at: usize) -> Result<String, StoreError> {
    text(row, at).map(given)
}

pub(super) fn instant(row: &Row, at: usize) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_millis(column(row, at)?))
}

pub(super) fn optional_instant(row: &Row, at: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(column::<Option<i64>>(row, at)?.map(Timestamp::from_millis))
}

pub(super) fn revision(row: &Row, at: usize) -> Result<Revision, StoreError> {
    let number: i64 = column(row, at)?;
    u64::try_from(number).map(Revision::new).map_err(|_| unreadable("negative revision"))
}

pub(super) fn number(row: &Row, at: usize) -> Result<u32, StoreError> {
    let number: i64 = column(row, at)?;
    u32::try_from(number).map_err(|_| unreadable("number that is too large"))
}

fn secret(row: &Row, digest: usize, last_four: usize) -> Result<SecretRecord, StoreError> {
    Ok(SecretRecord {
        digest: Digest::from_bytes(bytes(row, digest)?),
        last_four: encoding::last_four(text(row, last_four)?)?,
    })
}

pub(super) fn stored_token(row: &Row) -> Result<StoredToken, StoreError> {
    let retiring = match optional_instant(row, 16)? {
        Some(ends_at) => Some(RetiringSecret { record: secret(row, 14, 15)?, ends_at }),
        None => None,
    };
    let token = Token {
        id: TokenId::from_bytes(bytes(row, 0)?),
        account: AccountId::from_bytes(bytes(row, 1)?),
        owner: MemberId::from_bytes(bytes(row, 2)?),
        kind: encoding::kind(text(row, 3)?)?,
        name: written(row, 4)?,
        description: written(row, 5)?,
        scope: encoding::scope_from(text(row, 6)?)?,
        ceiling: encoding::ceiling_from(text(row, 7)?)?,
        api_version: encoding::api_version(number(row, 8)?)?,
        issued_at: instant(row, 9)?,
        modified_at: instant(row, 10)?,
        expires_at: optional_instant(row, 11)?,
        secret: secret(row, 12, 13)?,
        retiring,
        revision: revision(row, 17)?,
    };
    Ok(StoredToken { token, last_used_at: optional_instant(row, 18)? })
}

pub(super) fn credential_from(row: &Row) -> Result<Credential, StoreError> {
    let retiring = match optional_instant(row, 10)? {
        Some(ends_at) => Some((Digest::from_bytes(bytes(row, 9)?), ends_at)),
        None => None,
    };
    Ok(Credential {
        id: TokenId::from_bytes(bytes(row, 0)?),
        account: AccountId::from_bytes(bytes(row, 1)?),
        owner: MemberId::from_bytes(bytes(row, 2)?),
        rights: encoding::rights_from(text(row, 3)?, text(row, 4)?, text(row, 5)?, number(row, 6)?)?,
        expires_at: optional_instant(row, 7)?,
        digest: Digest::from_bytes(bytes(row, 8)?),
        retiring,
        revision: revision(row, 11)?,
    })
}

pub(super) fn member_from(row: &Row) -> Result<Member, StoreError> {
    Ok(Member {
        id: MemberId::from_bytes(bytes(row, 0)?),
        account: AccountId::from_bytes(bytes(row, 1)?),
        number: number(row, 2)?,
        email: written(row, 3)?,
        name: written(row, 4)?,
        role: encoding::role(text(row, 5)?)?,
        custom_roles: encoding::role_ids_from(text(row, 6)?)?,
        standing: encoding::standing(text(row, 7)?)?,
        password: column::<Option<String>>(row, 8)?.map(PasswordHash::new),
        created_at: instant(row, 9)?,
        revision: revision(row, 10)?,
        family_name: written(row, 11)?,
    })
}

pub(super) fn role_from(row: &Row) -> Result<CustomRole, StoreError> {
    Ok(CustomRole {
        id: RoleId::from_bytes(bytes(row, 0)?),
        account: AccountId::from_bytes(bytes(row, 1)?),
        key: written(row, 2)?,
        name: written(row, 3)?,
        base_permissions: encoding::base_permissions(text(row, 4)?)?,
        policy: encoding::policy_from(text(row, 5)?)?,
        created_at: instant(row, 6)?,
        revision: revision(row, 7)?,
        description: written(row, 8)?,
    })
}

pub(super) fn change_from(row: &Row) -> Result<Change, StoreError> {
    let is_somebody =
        column::<Option<&[u8]>>(row, 3)?.is_some() && column::<Option<&[u8]>>(row, 4)?.is_some();
    let actor = if is_somebody {
        let (token, member) = (TokenId::from_bytes(bytes(row, 3)?), MemberId::from_bytes(bytes(row, 4)?));
        Actor::Token { token, member }
    } else {
        Actor::System
    };
    Ok(Change {
        revision: revision(row, 0)?,
        at: instant(row, 1)?,
        account: AccountId::from_bytes(bytes(row, 2)?),
        actor,
        event: encoding::event_from(text(row, 5)?, column(row, 6)?, column(row, 7)?)?,
    })
}
