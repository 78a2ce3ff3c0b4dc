//! Authority: what somebody may do, as a list of grants that must all agree.
//!
//! A personal token may do what its scope allows *and* what its owner may now *and* what its ceiling leaves. Each of
//! these is a [`Grant`], and an [`Authority`] is their conjunction, so that a narrowing is never more than one grant
//! added. The ceiling of a token is an authority too: the one its maker had, frozen.

use crate::id::MemberId;
use crate::policy::{Attributes, Decision, Policy, Request, Resource, Statement};
use crate::role::{BasePermissions, BaseRole};

/// The longest ceiling. Each mint by a narrow token can add to the chain, and it must not grow for ever.
pub const MAX_GRANTS: usize = 16;

/// The weight of the heaviest ceiling, in bytes, as [`Policy::weight`] counts: a ceiling is read with every use of its
/// token and written with every change of it.
pub const MAX_WEIGHT: usize = 64 * 1024;

/// Grants that must all agree. Without any, everything is allowed: an unbounded ceiling.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Authority(Vec<Grant>);

impl Authority {
    /// The conjunction of these grants, each kept once.
    pub fn all_of(grants: impl IntoIterator<Item = Grant>) -> Self {
        let mut kept = Vec::new();
        for grant in grants {
            if !kept.contains(&grant) {
                kept.push(grant);
            }
        }
        Self(kept)
    }

    /// The grants.
    pub fn grants(&self) -> &[Grant] {
        &self.0
    }

    /// What the policies in it weigh together.
    pub fn weight(&self) -> usize {
        let policies = self.0.iter().flat_map(|grant| match grant {
            Grant::AnyOf(grants) => grants.as_slice(),
            Grant::Base(_) | Grant::Member { .. } => &[],
        });
        policies.map(|grant| grant.policy.weight()).sum()
    }

    /// The same authority with each policy put through `replace`, for sharing equal ones.
    #[must_use]
    pub fn map_policies(&self, mut replace: impl FnMut(&Policy) -> Policy) -> Self {
        let mut shared = |grant: &PolicyGrant| PolicyGrant {
            base_permissions: grant.base_permissions,
            policy: replace(&grant.policy),
        };
        let grant = |grant: &Grant| match grant {
            Grant::AnyOf(grants) => Grant::AnyOf(grants.iter().map(&mut shared).collect()),
            other => other.clone(),
        };
        Self(self.0.iter().map(grant).collect())
    }

    /// Whether every grant allows the action on the resource.
    pub fn allows(&self, action: &str, resource: Resource<'_>) -> bool {
        self.0.iter().all(|grant| grant.allows(action, resource))
    }

    /// Whether this is an administrator's authority: LaunchDarkly's "Admin role", Canvus's `admin`.
    pub fn is_administrator(&self) -> bool {
        self.0.iter().all(|grant| grant.base_role().is_some_and(BaseRole::is_administrator))
    }

    /// The strongest base role that may be handed on. Policies have no place in the order of base roles; what they
    /// leave is bounded by the ceiling instead.
    pub fn highest_base_role(&self) -> BaseRole {
        self.0.iter().filter_map(Grant::base_role).min().unwrap_or(BaseRole::Owner)
    }

    /// Whether whoever has this authority surely may whatever `other` may.
    ///
    /// The question whether one policy contains another has no cheap answer, so a grant by policy counts as covering
    /// only where `other` is bounded by the very same grant. This errs on the side of refusal.
    pub fn surely_covers(&self, other: &Self) -> bool {
        self.0.iter().all(|grant| match grant.base_role() {
            Some(BaseRole::Owner) => true,
            Some(BaseRole::Admin) => other.0.iter().any(|theirs| theirs.base_role() != Some(BaseRole::Owner)),
            _ => other.0.contains(grant),
        })
    }
}

/// One source of rights.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Grant {
    /// A base role as a token's scope. In a scope only administrators manage tokens.
    Base(BaseRole),
    /// A base role as a member's right: everybody but `no_access` manages their own tokens.
    Member {
        /// The member whose right it is.
        id: MemberId,
        /// The member's base role.
        role: BaseRole,
    },
    /// Roles or policies of which one suffices. An empty list grants nothing.
    AnyOf(Vec<PolicyGrant>),
}

/// A policy on the ground of some base permissions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PolicyGrant {
    /// What is granted before the policy is asked.
    pub base_permissions: BasePermissions,
    /// What is allowed and denied.
    pub policy: Policy,
}

impl Grant {
    /// Whether this grant allows the action on the resource.
    pub fn allows(&self, action: &str, resource: Resource<'_>) -> bool {
        match self {
            Self::Base(role) => base_allows(*role, action, resource),
            Self::Member { id, role } => member_allows(*id, *role, action, resource),
            Self::AnyOf(grants) => grants.iter().any(|grant| grant.allows(action, resource)),
        }
    }

    /// The statement that denies it, if this grant does not allow it and one denies it.
    pub(crate) fn denying(&self, action: &str, resource: Resource<'_>) -> Option<&Statement> {
        let Self::AnyOf(grants) = self else { return None };
        if self.allows(action, resource) {
            return None;
        }
        grants.iter().find_map(|grant| match grant.says(action, resource) {
            Says::Denies { statement } => grant.policy.statements().get(statement),
            Says::Allows { .. } | Says::Nothing => None,
        })
    }

    fn base_role(&self) -> Option<BaseRole> {
        match self {
            Self::Base(role) | Self::Member { role, .. } => Some(*role),
            Self::AnyOf(_) => None,
        }
    }
}

/// What somebody says about a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Says {
    /// It is allowed: by this statement, or, where there is none, by a base role or base permissions.
    Allows {
        /// Index of the statement.
        statement: Option<usize>,
    },
    /// This statement denies it.
    Denies {
        /// Index of the statement.
        statement: usize,
    },
    /// Nothing, which grants nothing.
    Nothing,
}

impl PolicyGrant {
    /// What the policy says, and where it is silent, the base permissions.
    pub(crate) fn says(&self, action: &str, resource: Resource<'_>) -> Says {
        let attributes = Attributes::default();
        match self.policy.evaluate(&Request { action, resource, attributes: &attributes }) {
            Decision::Allowed { statement } => Says::Allows { statement: Some(statement) },
            Decision::Denied { statement } => Says::Denies { statement },
            Decision::Silent if self.base_permissions == BasePermissions::Reader && is_view(action) => {
                Says::Allows { statement: None }
            }
            Decision::Silent => Says::Nothing,
        }
    }

    fn allows(&self, action: &str, resource: Resource<'_>) -> bool {
        matches!(self.says(action, resource), Says::Allows { .. })
    }
}

fn base_allows(role: BaseRole, action: &str, resource: Resource<'_>) -> bool {
    match role {
        BaseRole::NoAccess => false,
        BaseRole::Reader => is_view(action),
        BaseRole::Writer => is_view(action) || !resource.is_about_people(),
        BaseRole::Admin | BaseRole::Owner => true,
    }
}

fn member_allows(id: MemberId, role: BaseRole, action: &str, resource: Resource<'_>) -> bool {
    let own = id.hex();
    base_allows(role, action, resource)
        || (role != BaseRole::NoAccess
            && (resource.is_token_of(own.as_str())
                || (resource.is_service_token() && action == crate::policy::action::CREATE_ACCESS_TOKEN)))
}

fn is_view(action: &str) -> bool {
    action.starts_with("view")
}
