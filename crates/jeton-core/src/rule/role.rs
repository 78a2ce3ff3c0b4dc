//! Custom roles: defining, changing, deleting.
//!
//! A role works on everybody who holds it, so nobody gives a role more than they may themselves: an administrator
//! anything, anybody else only what their own bounds already say word for word.

use crate::authority::{Authority, Grant, PolicyGrant};
use crate::caller::Caller;
use crate::change::{Event, Expectation, Proposal, Revision};
use crate::command::{ChangeRole, DefineRole};
use crate::id::RoleId;
use crate::limits::Limits;
use crate::policy::{Resource, action};
use crate::refusal::Refusal;
use crate::role::CustomRole;
use crate::timestamp::Timestamp;

use super::Fresh;

const LONGEST_KEY: usize = 256;

/// Decides whether the caller may define this role. `taken` tells whether another has the key, `count` how many roles
/// there are.
///
/// # Errors
/// Refusals about rights, the key, texts and limits.
pub fn define_role(
    caller: &Caller,
    command: &DefineRole,
    (taken, count): (bool, usize),
    limits: &Limits,
    now: Timestamp,
    fresh: &Fresh,
) -> Result<Proposal, Refusal> {
    caller.require(action::CREATE_ROLE, Resource::role(&command.key))?;
    check_key(&command.key)?;
    check_texts(&command.name, &command.description, limits)?;
    let role = CustomRole {
        id: RoleId::new(now, fresh.id),
        account: caller.account,
        key: command.key.clone(),
        name: command.name.clone(),
        description: command.description.clone(),
        base_permissions: command.base_permissions,
        policy: command.policy.clone(),
        created_at: now,
        revision: Revision::ZERO,
    };
    check_gift(caller, &role)?;
    if taken {
        return Err(Refusal::RoleKeyTaken { key: command.key.clone() });
    }
    if count >= limits.custom_roles {
        return Err(Refusal::RoleLimit { limit: limits.custom_roles });
    }
    Ok(proposal(caller, now, Event::RoleDefined { role }, None))
}

/// Decides whether the caller may change this role so. `None` means that they may, and nothing would be different.
///
/// # Errors
/// Refusals about rights and texts.
pub fn change_role(
    caller: &Caller,
    before: &CustomRole,
    command: &ChangeRole,
    limits: &Limits,
    now: Timestamp,
) -> Result<Option<Proposal>, Refusal> {
    let resource = Resource::role(&before.key);
    let needed = [
        (command.name.is_some(), action::UPDATE_NAME),
        (command.description.is_some(), action::UPDATE_DESCRIPTION),
        (command.base_permissions.is_some(), action::UPDATE_BASE_PERMISSIONS),
        (command.policy.is_some(), action::UPDATE_POLICY),
    ];
    for (_, action) in needed.into_iter().filter(|(asked, _)| *asked) {
        caller.require(action, resource)?;
    }
    let mut after = before.clone();
    if let Some(name) = &command.name {
        after.name.clone_from(name);
    }
    if let Some(description) = &command.description {
        after.description.clone_from(description);
    }
    check_texts(&after.name, &after.description, limits)?;
    after.base_permissions = command.base_permissions.unwrap_or(before.base_permissions);
    if let Some(policy) = &command.policy {
        after.policy = policy.clone();
    }
    if (after.base_permissions, &after.policy) != (before.base_permissions, &before.policy) {
        check_gift(caller, &after)?;
    }
    if after == *before {
        return Ok(None);
    }
    let event = Event::RoleChanged { before: before.clone(), after };
    Ok(Some(proposal(caller, now, event, Some(before))))
}

/// Decides whether the caller may delete this role. Whoever holds it loses what it granted.
///
/// # Errors
/// [`Refusal::NotAllowed`].
pub fn remove_role(caller: &Caller, before: &CustomRole, now: Timestamp) -> Result<Proposal, Refusal> {
    caller.require(action::DELETE_ROLE, Resource::role(&before.key))?;
    Ok(proposal(caller, now, Event::RoleRemoved { role: before.clone() }, Some(before)))
}

/// A key goes into paths and policies, and must not be taken for an id.
fn check_key(key: &str) -> Result<(), Refusal> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let good = !key.is_empty() && key.len() <= LONGEST_KEY && key.bytes().all(word);
    if good && RoleId::parse(key).is_none() { Ok(()) } else { Err(Refusal::BadRoleKey) }
}

fn check_texts(name: &str, description: &str, limits: &Limits) -> Result<(), Refusal> {
    Refusal::check_text("name", name, limits)?;
    Refusal::check_text("description", description, limits)
}

fn check_gift(caller: &Caller, role: &CustomRole) -> Result<(), Refusal> {
    let grant = PolicyGrant { base_permissions: role.base_permissions, policy: role.policy.clone() };
    let given = Authority::all_of([Grant::AnyOf(vec![grant])]);
    if caller.authority().surely_covers(&given) { Ok(()) } else { Err(Refusal::RightsAboveCaller) }
}

fn proposal(caller: &Caller, now: Timestamp, event: Event, before: Option<&CustomRole>) -> Proposal {
    let mut expects = caller.basis().to_vec();
    let stands = before.map(|role| Expectation::Role { id: role.id, revision: role.revision });
    expects.extend(stands.filter(|stands| !expects.contains(stands)));
    Proposal { at: now, account: caller.account, actor: caller.actor(), event, expects }
}
