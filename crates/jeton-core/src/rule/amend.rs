//! Changing a token: name, description, scope, expiry, API version.

use crate::caller::{Caller, Roles};
use crate::change::{Event, Expectation, Proposal};
use crate::command::{Amend, Field};
use crate::limits::Limits;
use crate::policy::action;
use crate::refusal::Refusal;
use crate::timestamp::Timestamp;
use crate::token::{Token, TokenKind};

use super::scope::{ceiling, resolve};
use super::see::may_see;
use super::with_resource;

/// Decides whether the caller may change the token so. `None` means that it may, and nothing would be different.
///
/// Every field that is given needs its own action, and one that is refused refuses all. A scope that somebody narrow
/// changes is bounded by the ceiling of that somebody from then on, so that no token widens itself or another.
///
/// # Errors
/// [`Refusal::NoSuchToken`] for a token that the caller may not know of, [`Refusal::NotAllowed`] for one that it may;
/// refusals about roles, texts and expiry.
pub fn amend(
    caller: &Caller,
    before: &Token,
    command: &Amend,
    roles: &impl Roles,
    limits: &Limits,
    now: Timestamp,
) -> Result<Option<Proposal>, Refusal> {
    may_amend(caller, before, command.fields())?;
    let mut after = before.clone();
    if let Some(name) = &command.name {
        Refusal::check_text("name", name, limits)?;
        after.name.clone_from(name);
    }
    if let Some(description) = &command.description {
        Refusal::check_text("description", description, limits)?;
        after.description.clone_from(description);
    }
    if let Some(expires_at) = command.expires_at {
        let changes = expires_at != before.expires_at;
        if changes && expires_at.is_some_and(|end| end.has_come(now)) {
            return Err(Refusal::ExpiryInThePast);
        }
        after.expires_at = expires_at;
    }
    if let Some(version) = command.api_version {
        after.api_version = version;
    }
    if let Some(request) = &command.scope {
        after.scope = resolve(caller, request, roles, limits)?;
        if after.scope != before.scope {
            after.ceiling = ceiling(caller, after.kind, after.owner, &before.ceiling)?;
        }
    }
    if after == *before {
        return Ok(None);
    }
    after.modified_at = now;
    let mut expects = caller.basis().to_vec();
    expects.push(Expectation::Token { id: before.id, revision: before.revision });
    Ok(Some(Proposal {
        at: now,
        account: caller.account,
        actor: caller.actor(),
        event: Event::TokenChanged { before: before.clone(), after },
        expects,
    }))
}

/// Decides whether the caller may change these fields of the token at all, whatever to.
///
/// It is asked before a patch is applied: how that fails tells what stands in the token.
///
/// # Errors
/// [`Refusal::NoSuchToken`], [`Refusal::NotAllowed`], [`Refusal::ServiceScopeFixed`].
pub fn may_amend(
    caller: &Caller,
    token: &Token,
    fields: impl IntoIterator<Item = Field>,
) -> Result<(), Refusal> {
    let visible = may_see(caller, token);
    let (mut any, mut scope) = (false, false);
    for field in fields {
        require(caller, token, action_for(field), visible)?;
        any = true;
        scope |= field == Field::Scope;
    }
    if !any && !visible {
        return Err(Refusal::NoSuchToken);
    }
    // For everybody, administrators included: what a service token may do was fixed when it was issued.
    if scope && token.kind == TokenKind::Service {
        return Err(Refusal::ServiceScopeFixed);
    }
    Ok(())
}

fn action_for(field: Field) -> &'static str {
    match field {
        Field::Name => action::UPDATE_ACCESS_TOKEN_NAME,
        Field::Description => action::UPDATE_ACCESS_TOKEN_DESCRIPTION,
        Field::Scope => action::UPDATE_ACCESS_TOKEN_POLICY,
        Field::Expiry => action::UPDATE_ACCESS_TOKEN_EXPIRY,
        Field::ApiVersion => action::UPDATE_ACCESS_TOKEN_DEFAULT_API_VERSION,
    }
}

/// Requires an action on an existing token. Who may not even know of the token is told that there is none.
pub(super) fn require(
    caller: &Caller,
    token: &Token,
    action: &'static str,
    visible: bool,
) -> Result<(), Refusal> {
    let allowed = with_resource(token, |resource| caller.require(action, resource));
    match allowed {
        Ok(()) if token.account == caller.account => Ok(()),
        Err(refusal) if visible => Err(refusal),
        _ => Err(Refusal::NoSuchToken),
    }
}
