//! The caller: who authenticated, and what they may do at this moment.

use std::sync::Arc;

use crate::authority::{Authority, Grant, PolicyGrant};
use crate::change::{Actor, Expectation};
use crate::id::{AccountId, MemberId, RoleId, TokenId};
use crate::member::Member;
use crate::policy::Resource;
use crate::refusal::Refusal;
use crate::role::{BasePermissions, CustomRole};
use crate::token::{ApiVersion, Scope, Token, TokenKind};

/// The custom roles of an account, as they are now.
pub trait Roles {
    /// The role with this id. `None` also for a role of another account.
    fn by_id(&self, account: AccountId, id: RoleId) -> Option<Arc<CustomRole>>;
    /// The role with this key. `None` also for a role of another account.
    fn by_key(&self, account: AccountId, key: &str) -> Option<Arc<CustomRole>>;
}

/// What a token may do by itself, and how it is answered: the part of its record that verification needs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rights {
    /// Personal or service.
    pub kind: TokenKind,
    /// What it may do by itself.
    pub scope: Scope,
    /// What it may never exceed.
    pub ceiling: Authority,
    /// The API version that answers it.
    pub api_version: ApiVersion,
}

impl From<&Token> for Rights {
    fn from(token: &Token) -> Self {
        Self {
            kind: token.kind,
            scope: token.scope.clone(),
            ceiling: token.ceiling.clone(),
            api_version: token.api_version,
        }
    }
}

/// Who authenticated, and what they may do at this moment.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account, whose wall nothing passes.
    pub account: AccountId,
    /// The token that was presented.
    pub token: TokenId,
    /// Its kind.
    pub kind: TokenKind,
    /// The API version that answers when the request names none.
    pub api_version: ApiVersion,
    /// The token's owner; for a service token the member who made it, whatever has become of them.
    pub member: Arc<Member>,
    /// Whether the secret was one that has been replaced and works only until its grace ends.
    pub retiring: bool,
    /// What the token brings: scope and ceiling.
    inherent: Authority,
    /// What the owner may now. A service token does not depend on it.
    member_now: Option<Grant>,
    /// The records all this was read from: a write on this authority holds only while they stand.
    basis: Vec<Expectation>,
}

impl Caller {
    /// The caller who presented a token with these rights.
    pub fn new(
        token: (TokenId, crate::change::Revision),
        rights: &Rights,
        owner: Arc<Member>,
        roles: &impl Roles,
    ) -> Self {
        let (token, revision) = token;
        let mut basis = vec![Expectation::Token { id: token, revision }];
        let scope = scope_grant(&rights.scope, owner.account, roles, &mut basis);
        let member_now = match rights.kind {
            TokenKind::Service => None,
            TokenKind::Personal | TokenKind::Login => {
                basis.push(Expectation::Member { id: owner.id, revision: owner.revision });
                Some(member_grant(&owner, roles, &mut basis))
            }
        };
        Self {
            account: owner.account,
            token,
            kind: rights.kind,
            api_version: rights.api_version,
            retiring: false,
            inherent: Authority::all_of(scope.into_iter().chain(rights.ceiling.grants().iter().cloned())),
            member_now,
            member: owner,
            basis,
        }
    }

    /// The same caller, who presented a secret that has been replaced.
    #[must_use]
    pub fn with_retiring_secret(self) -> Self {
        Self { retiring: true, ..self }
    }

    /// Whether the action on the resource is allowed.
    pub fn may(&self, action: &str, resource: Resource<'_>) -> bool {
        self.inherent.allows(action, resource)
            && self.member_now.as_ref().is_none_or(|grant| grant.allows(action, resource))
    }

    /// As [`Caller::may`], with the refusal to answer.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`].
    pub fn require(&self, action: &'static str, resource: Resource<'_>) -> Result<(), Refusal> {
        if self.may(action, resource) {
            Ok(())
        } else {
            let mut grants = self.inherent.grants().iter().chain(&self.member_now);
            let denied_by = grants.find_map(|grant| grant.denying(action, resource));
            let denied_by = denied_by.map(|statement| Box::new(statement.clone()));
            Err(Refusal::NotAllowed { action, resource: resource.to_string(), denied_by })
        }
    }

    /// Whether the caller is this member in person. A service token is nobody, not even whoever made it.
    pub fn is_person(&self, member: MemberId) -> bool {
        self.kind.is_of_a_person() && self.member.id == member
    }

    /// Whether the caller acts as an administrator.
    pub fn is_administrator(&self) -> bool {
        self.authority().is_administrator()
    }

    /// Everything that bounds the caller now.
    pub fn authority(&self) -> Authority {
        Authority::all_of(self.inherent.grants().iter().chain(&self.member_now).cloned())
    }

    /// What the token brings by itself, without its owner's rights: the bound that a token of the same owner inherits.
    pub fn inherent(&self) -> &Authority {
        &self.inherent
    }

    /// The records that this authority was read from.
    pub fn basis(&self) -> &[Expectation] {
        &self.basis
    }

    /// The caller as the change log names it.
    pub fn actor(&self) -> Actor {
        Actor::Token { token: self.token, member: self.member.id }
    }
}

/// Everything that bounds a token now, by the same formula that bounds a caller.
pub fn authority_of(token: &Token, owner: Arc<Member>, roles: &impl Roles) -> Authority {
    Caller::new((token.id, token.revision), &Rights::from(token), owner, roles).authority()
}

fn scope_grant(
    scope: &Scope,
    account: AccountId,
    roles: &impl Roles,
    basis: &mut Vec<Expectation>,
) -> Option<Grant> {
    match scope {
        Scope::Member => None,
        Scope::Base(role) => Some(Grant::Base(*role)),
        Scope::Roles(ids) => Some(roles_grant(ids, account, roles, basis)),
        // A policy on a token hides nothing that readers see, unless it denies it.
        Scope::Inline(policy) => Some(Grant::AnyOf(vec![PolicyGrant {
            base_permissions: BasePermissions::Reader,
            policy: policy.clone(),
        }])),
    }
}

pub(crate) fn member_grant(member: &Member, roles: &impl Roles, basis: &mut Vec<Expectation>) -> Grant {
    if member.custom_roles.is_empty() {
        Grant::Member { id: member.id, role: member.role }
    } else {
        roles_grant(&member.custom_roles, member.account, roles, basis)
    }
}

fn roles_grant(
    ids: &[RoleId],
    account: AccountId,
    roles: &impl Roles,
    basis: &mut Vec<Expectation>,
) -> Grant {
    let found = ids.iter().filter_map(|id| roles.by_id(account, *id));
    Grant::AnyOf(
        found
            .map(|role| {
                basis.push(Expectation::Role { id: role.id, revision: role.revision });
                PolicyGrant { base_permissions: role.base_permissions, policy: role.policy.clone() }
            })
            .collect(),
    )
}
