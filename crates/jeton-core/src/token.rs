//! Tokens: the records behind the secrets.

use crate::authority::Authority;
use crate::digest::Digest;
use crate::id::{AccountId, MemberId, RoleId, TokenId};
use crate::policy::Policy;
use crate::revision::Revision;
use crate::role::BaseRole;
use crate::secret::LastFour;
use crate::timestamp::Timestamp;

pub use crate::kind::TokenKind;

/// A token. The record never holds the secret, only what a presented secret is recognised by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// The id, the same in both dialects.
    pub id: TokenId,
    /// The account it belongs to.
    pub account: AccountId,
    /// The member whose token it is; for a service token, the member who made it.
    pub owner: MemberId,
    /// Personal or service.
    pub kind: TokenKind,
    /// What people call it: LaunchDarkly's `name`, Canvus's `description`. Kept byte for byte; may be empty.
    pub name: String,
    /// LaunchDarkly's `description`; may be empty. Canvus does not show it.
    pub description: String,
    /// What it may do, before the owner's rights and the ceiling are taken into account.
    pub scope: Scope,
    /// What it may never exceed, frozen when it was issued or its scope was last changed by somebody narrower.
    pub ceiling: Authority,
    /// The API version that answers it when a request names none.
    pub api_version: ApiVersion,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When the record last changed; using a token is no change.
    pub modified_at: Timestamp,
    /// When it ends by itself. `None` means never.
    pub expires_at: Option<Timestamp>,
    /// The secret that is good.
    pub secret: SecretRecord,
    /// The secret before it, during the grace of a rotation.
    pub retiring: Option<RetiringSecret>,
    /// The change that last touched this record.
    pub revision: Revision,
}

/// What is kept of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecretRecord {
    /// The keyed digest.
    pub digest: Digest,
    /// The end of the text, shown in lists.
    pub last_four: LastFour,
}

/// A secret that was replaced and still works for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetiringSecret {
    /// What is kept of it.
    pub record: SecretRecord,
    /// From this instant on it is refused.
    pub ends_at: Timestamp,
}

/// What a token may do by itself.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// Whatever its owner may: every token made through Canvus.
    Member,
    /// A base role.
    Base(BaseRole),
    /// Custom roles, in the order given. Any of them suffices. A role that was deleted grants nothing.
    Roles(Vec<RoleId>),
    /// A policy of its own.
    Inline(Policy),
}

/// A LaunchDarkly API version: a date written as a number, `yyyymmdd`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ApiVersion(u32);

impl ApiVersion {
    /// The versions that exist, oldest first.
    pub const ALL: [Self; 5] =
        [Self(20_160_426), Self(20_191_212), Self(20_210_729), Self(20_220_603), Self::LATEST];
    /// The newest version, and what a token gets when its maker names none.
    pub const LATEST: Self = Self(20_240_415);

    /// The version with this number, if it exists.
    pub fn new(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.0 == number)
    }

    /// The number, `yyyymmdd`.
    pub const fn number(self) -> u32 {
        self.0
    }
}
