//! Words and numbers: how names of kinds, roles and standings, ids and digests are written.

use jeton_core::digest::Digest;
use jeton_core::id::{AccountId, MemberId, RoleId};
use jeton_core::member::Standing;
use jeton_core::role::{BasePermissions, BaseRole};
use jeton_core::secret::LastFour;
use jeton_core::token::{ApiVersion, TokenKind};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// Says what could not be read.
pub(crate) fn unreadable(what: &str) -> StoreError {
    StoreError::Unreadable(what.to_owned())
}

pub(crate) fn kind(name: &str) -> Result<TokenKind, StoreError> {
    match name {
        "personal" => Ok(TokenKind::Personal),
        "service" => Ok(TokenKind::Service),
        "login" => Ok(TokenKind::Login),
        _ => Err(unreadable("kind of a token")),
    }
}

pub(super) fn standing(name: &str) -> Result<Standing, StoreError> {
    match name {
        "pending" => Ok(Standing::Pending),
        "active" => Ok(Standing::Active),
        "blocked" => Ok(Standing::Blocked),
        "removed" => Ok(Standing::Removed),
        _ => Err(unreadable("standing of a member")),
    }
}

pub(super) fn role(name: &str) -> Result<BaseRole, StoreError> {
    BaseRole::parse(name).ok_or_else(|| unreadable("base role"))
}

pub(super) fn base_permissions(name: &str) -> Result<BasePermissions, StoreError> {
    match name {
        "no_access" => Ok(BasePermissions::NoAccess),
        "reader" => Ok(BasePermissions::Reader),
        _ => Err(unreadable("base permissions of a role")),
    }
}

pub(super) fn api_version(number: u32) -> Result<ApiVersion, StoreError> {
    ApiVersion::new(number).ok_or_else(|| unreadable("API version"))
}

pub(super) fn json<T: Serialize>(value: &T) -> String {
    // Room for a token, which is what is written most.
    let mut text = Vec::with_capacity(512);
    serde_json::to_writer(&mut text, value)
        .expect("these shapes have text keys only, so JSON can say them all");
    String::from_utf8(text).expect("JSON is text")
}

pub(super) fn parse<'a, T: Deserialize<'a>>(what: &str, text: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable(&format!("{what}: {error}")))
}

pub(super) fn role_ids(ids: &[String]) -> Result<Vec<RoleId>, StoreError> {
    ids.iter().map(|id| RoleId::parse(id).ok_or_else(|| unreadable("id of a role"))).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

pub(super) fn digest(text: &str) -> Result<Digest, StoreError> {
    let digit = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = digit(at * 2).ok_or_else(|| unreadable("digest"))?;
    }
    Ok(Digest::from_bytes(bytes))
}

pub(super) fn last_four(text: &str) -> Result<LastFour, StoreError> {
    LastFour::parse(text).ok_or_else(|| unreadable("last four characters of a secret"))
}

pub(super) fn account_id(text: &str) -> Result<AccountId, StoreError> {
    AccountId::parse(text).ok_or_else(|| unreadable("id of an account"))
}

pub(super) fn member_id(text: &str) -> Result<MemberId, StoreError> {
    MemberId::parse(text).ok_or_else(|| unreadable("id of a member"))
}
