//! Roles: the five base roles, and the custom roles that accounts define by policy.

use crate::id::{AccountId, RoleId};
use crate::policy::Policy;
use crate::revision::Revision;
use crate::timestamp::Timestamp;

/// A base role. The order is the order of power: `NoAccess < Reader < Writer < Admin < Owner`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BaseRole {
    /// Nothing at all; the ground that custom roles build on.
    NoAccess,
    /// May look.
    Reader,
    /// May change resources, but not people.
    Writer,
    /// May do everything but decide who owns the account.
    Admin,
    /// May do everything. An account has exactly one.
    Owner,
}

impl BaseRole {
    /// All roles, weakest first.
    pub const ALL: [Self; 5] = [Self::NoAccess, Self::Reader, Self::Writer, Self::Admin, Self::Owner];

    /// The name that LaunchDarkly gives the role.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAccess => "no_access",
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Reads the name that [`BaseRole::as_str`] writes.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Whether Canvus would call a user with this role an administrator.
    pub fn is_administrator(self) -> bool {
        self >= Self::Admin
    }
}

/// What a custom role grants before its policy is asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BasePermissions {
    /// Nothing.
    NoAccess,
    /// Every action that begins with `view`, unless the policy denies it.
    Reader,
}

impl BasePermissions {
    /// Its name, in policies, in the log and on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAccess => "no_access",
            Self::Reader => "reader",
        }
    }
}

/// A custom role: a named policy that members and tokens can hold.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CustomRole {
    /// The id; tokens and members name the role by it.
    pub id: RoleId,
    /// The account that defined the role.
    pub account: AccountId,
    /// The key, unique in the account.
    pub key: String,
    /// The name as it is shown.
    pub name: String,
    /// More about it; may be empty.
    pub description: String,
    /// What is granted before the policy is asked.
    pub base_permissions: BasePermissions,
    /// What the role allows and denies.
    pub policy: Policy,
    /// When it was defined.
    pub created_at: Timestamp,
    /// The change that last touched this record.
    pub revision: Revision,
}
