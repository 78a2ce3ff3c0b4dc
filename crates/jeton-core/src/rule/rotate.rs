//! Rotating a token: a new secret, with or without a grace for the old one.

use crate::authority::Authority;
use crate::caller::Caller;
use crate::change::{Event, Expectation, Proposal};
use crate::command::Rotate;
use crate::policy::action;
use crate::refusal::Refusal;
use crate::timestamp::Timestamp;
use crate::token::{RetiringSecret, Token, TokenKind};

use super::amend::require;
use super::issue::Issued;
use super::see::may_see;
use super::{Fresh, Mint};

/// Decides whether the caller may have a new secret of this token.
///
/// The answer holds a secret, so a rotation is a mint: nobody gets the personal secret of another, administrators and
/// service tokens included, and nobody gets a secret that is good for more than their own. `theirs` is what bounds the
/// token now.
///
/// A token has two secrets at the most: a second rotation during a grace ends the oldest secret at once.
///
/// # Errors
/// [`Refusal::NoSuchToken`], [`Refusal::NotAllowed`], [`Refusal::SecretOfAnother`], [`Refusal::StrongerThanCaller`].
pub fn rotate(
    caller: &Caller,
    before: &Token,
    theirs: &Authority,
    command: &Rotate,
    mint: &Mint,
    now: Timestamp,
    fresh: &Fresh,
) -> Result<Issued, Refusal> {
    require(caller, before, action::RESET_ACCESS_TOKEN, may_see(caller, before))?;
    if before.kind == TokenKind::Personal && !caller.is_person(before.owner) {
        return Err(Refusal::SecretOfAnother);
    }
    if before.id == caller.token && caller.retiring {
        return Err(Refusal::RetiringSecret);
    }
    if before.id != caller.token && !caller.authority().surely_covers(theirs) {
        return Err(Refusal::StrongerThanCaller);
    }
    let (secret, record) = mint.strike(before.kind, fresh);
    let mut after = before.clone();
    after.secret = record;
    after.retiring = command
        .retire_at
        .filter(|end| !end.has_come(now))
        .map(|ends_at| RetiringSecret { record: before.secret, ends_at });
    after.modified_at = now;
    let mut expects = caller.basis().to_vec();
    expects.push(Expectation::Token { id: before.id, revision: before.revision });
    let proposal = Proposal {
        at: now,
        account: caller.account,
        actor: caller.actor(),
        event: Event::TokenRotated { before: before.clone(), after },
        expects,
    };
    Ok(Issued { proposal, secret })
}
