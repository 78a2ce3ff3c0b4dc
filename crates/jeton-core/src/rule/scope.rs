//! What a token may be given: the caller's own strength is the bound, in base roles by their order, in everything else
//! by a ceiling.

use crate::authority::{Authority, Grant, MAX_GRANTS, MAX_WEIGHT};
use crate::caller::{Caller, Roles};
use crate::command::ScopeRequest;
use crate::id::{MemberId, RoleId};
use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::role::BaseRole;
use crate::token::{Scope, TokenKind};

/// Turns a request into a scope: looks roles up by id or key, and refuses a base role above the caller's.
pub(super) fn resolve(
    caller: &Caller,
    request: &ScopeRequest,
    roles: &impl Roles,
    limits: &Limits,
) -> Result<Scope, Refusal> {
    match request {
        ScopeRequest::Member => Ok(Scope::Member),
        ScopeRequest::Base(role) if *role > caller.authority().highest_base_role() => {
            Err(Refusal::RoleAboveCaller)
        }
        ScopeRequest::Base(role) => Ok(Scope::Base(*role)),
        ScopeRequest::Roles(names) => find_all(caller, names, roles, limits).map(Scope::Roles),
        ScopeRequest::Inline(policy) => Ok(Scope::Inline(policy.clone())),
    }
}

/// Looks custom roles up by id or key, each kept once.
pub(super) fn find_all(
    caller: &Caller,
    names: &[String],
    roles: &impl Roles,
    limits: &Limits,
) -> Result<Vec<RoleId>, Refusal> {
    if names.len() > limits.roles {
        return Err(Refusal::TooManyRoles { limit: limits.roles });
    }
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        let id = find(caller, name, roles).ok_or_else(|| Refusal::NoSuchRole { name: name.clone() })?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn find(caller: &Caller, name: &str, roles: &impl Roles) -> Option<RoleId> {
    let by_id = RoleId::parse(name).and_then(|id| roles.by_id(caller.account, id));
    by_id.or_else(|| roles.by_key(caller.account, name)).map(|role| role.id)
}

/// The ceiling of a token that the caller gives its scope: whatever bounds the caller bounds the token, for ever.
///
/// The owner's own rights are left out where they are looked up at every use anyway. So is an owner's grant: it bounds
/// nothing.
pub(super) fn ceiling(
    caller: &Caller,
    kind: TokenKind,
    owner: MemberId,
    already: &Authority,
) -> Result<Authority, Refusal> {
    let follows_caller = kind.is_of_a_person() && caller.is_person(owner);
    let bounds = if follows_caller { caller.inherent().clone() } else { caller.authority() };
    let bounds = bounds.grants().iter().filter(|grant| !is_owners(grant)).cloned();
    let ceiling = Authority::all_of(already.grants().iter().cloned().chain(bounds));
    if ceiling.grants().len() > MAX_GRANTS || ceiling.weight() > MAX_WEIGHT {
        return Err(Refusal::CeilingTooDeep);
    }
    Ok(ceiling)
}

fn is_owners(grant: &Grant) -> bool {
    matches!(grant, Grant::Base(BaseRole::Owner) | Grant::Member { role: BaseRole::Owner, .. })
}
