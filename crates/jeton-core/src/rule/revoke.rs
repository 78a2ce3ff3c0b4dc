//! Revoking a token.

use crate::caller::Caller;
use crate::change::{Event, Expectation, Proposal};
use crate::policy::action;
use crate::refusal::Refusal;
use crate::timestamp::Timestamp;
use crate::token::Token;

use super::amend::require;
use super::see::may_see;

/// Decides whether the caller may revoke the token. A token may revoke itself, if it may revoke at all.
///
/// # Errors
/// [`Refusal::NoSuchToken`], [`Refusal::NotAllowed`].
pub fn revoke(caller: &Caller, token: &Token, now: Timestamp) -> Result<Proposal, Refusal> {
    require(caller, token, action::DELETE_ACCESS_TOKEN, may_see(caller, token))?;
    let mut expects = caller.basis().to_vec();
    expects.push(Expectation::Token { id: token.id, revision: token.revision });
    Ok(Proposal {
        at: now,
        account: caller.account,
        actor: caller.actor(),
        event: Event::TokenRevoked { token: token.clone() },
        expects,
    })
}

/// What becomes of a token whose secret is presented to be killed (RFC 7009). Whoever holds a secret may end it, whatever
/// it may do besides. One that was replaced and works only until its grace ends dies alone: the one in its place goes on.
pub fn revoke_by_secret(caller: &Caller, token: &Token, now: Timestamp) -> Proposal {
    let event = if caller.retiring {
        let after = Token { retiring: None, modified_at: now, ..token.clone() };
        Event::TokenChanged { before: token.clone(), after }
    } else {
        Event::TokenRevoked { token: token.clone() }
    };
    Proposal {
        at: now,
        account: caller.account,
        actor: caller.actor(),
        event,
        expects: vec![Expectation::Token { id: token.id, revision: token.revision }],
    }
}
