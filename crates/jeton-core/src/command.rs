//! Commands: what callers ask for, in the core's own words. A dialect translates its wire form into one of these.

use crate::id::MemberId;
use crate::policy::Policy;
use crate::role::BaseRole;
use crate::timestamp::Timestamp;
use crate::token::{ApiVersion, TokenKind};

/// Issue a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issue {
    /// Personal or service.
    pub kind: TokenKind,
    /// Whose token it is to be; the caller's own member, or for an administrator anybody.
    pub owner: MemberId,
    /// What people will call it.
    pub name: String,
    /// More about it.
    pub description: String,
    /// What it is to be allowed.
    pub scope: ScopeRequest,
    /// The API version that answers it; the newest if `None`.
    pub api_version: Option<ApiVersion>,
    /// When it ends; never if `None`.
    pub expires_at: Option<Timestamp>,
}

/// The scope that somebody asks for. Roles are named by id or key, and not yet looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScopeRequest {
    /// The owner's own rights.
    Member,
    /// A base role.
    Base(BaseRole),
    /// Custom roles, by id or key.
    Roles(Vec<String>),
    /// A policy.
    Inline(Policy),
}

/// Change some of a token's fields. `None` leaves a field alone; what is given must be allowed even where it changes
/// nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Amend {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// A new scope.
    pub scope: Option<ScopeRequest>,
    /// A new end; `Some(None)` takes the end away.
    pub expires_at: Option<Option<Timestamp>>,
    /// A new API version.
    pub api_version: Option<ApiVersion>,
}

/// A field that [`Amend`] can change. Each needs a permission of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Field {
    /// The name.
    Name,
    /// The description.
    Description,
    /// The scope.
    Scope,
    /// The end.
    Expiry,
    /// The API version.
    ApiVersion,
}

impl Amend {
    /// The fields that are given.
    pub fn fields(&self) -> impl Iterator<Item = Field> + Clone {
        [
            self.name.is_some().then_some(Field::Name),
            self.description.is_some().then_some(Field::Description),
            self.scope.is_some().then_some(Field::Scope),
            self.expires_at.is_some().then_some(Field::Expiry),
            self.api_version.is_some().then_some(Field::ApiVersion),
        ]
        .into_iter()
        .flatten()
    }
}

/// Give a token a new secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rotate {
    /// Until when the old secret works beside the new one. An instant that has come, like `None`, means not at all.
    pub retire_at: Option<Timestamp>,
}
