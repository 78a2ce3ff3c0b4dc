//! Commands: what callers ask for, in the core's own words. A dialect translates its wire form into one of these.

use crate::id::MemberId;
use crate::member::{PasswordHash, Standing};
use crate::policy::Policy;
use crate::role::{BasePermissions, BaseRole};
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

/// Add a member to the account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddMember {
    /// The e-mail address.
    pub email: String,
    /// The given name, or the whole one.
    pub name: String,
    /// The family name.
    pub family_name: String,
    /// The base role.
    pub role: BaseRole,
    /// Custom roles, by id or key. Where there are any, they take the place of the base role.
    pub custom_roles: Vec<String>,
    /// Whether the member may use the account at once.
    pub standing: Standing,
    /// The password, hashed.
    pub password: Option<PasswordHash>,
}

/// Change some of a member's fields. `None` leaves a field alone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ChangeMember {
    /// A new e-mail address.
    pub email: Option<String>,
    /// A new given name.
    pub name: Option<String>,
    /// A new family name.
    pub family_name: Option<String>,
    /// A new base role.
    pub role: Option<BaseRole>,
    /// New custom roles, by id or key.
    pub custom_roles: Option<Vec<String>>,
    /// Blocked, unblocked, approved. A removal is no change, but a command of its own.
    pub standing: Option<Standing>,
    /// A new password, hashed.
    pub password: Option<PasswordHash>,
}

/// Define a custom role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DefineRole {
    /// The key, unique in the account.
    pub key: String,
    /// The name.
    pub name: String,
    /// More about it.
    pub description: String,
    /// What is granted before the policy is asked.
    pub base_permissions: BasePermissions,
    /// What it allows and denies.
    pub policy: Policy,
}

/// Change some of a custom role's fields. `None` leaves a field alone. The key stays: others name the role by it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ChangeRole {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// New base permissions.
    pub base_permissions: Option<BasePermissions>,
    /// A new policy.
    pub policy: Option<Policy>,
}
