//! Who may ask about the secrets of others.

use crate::caller::Caller;
use crate::policy::{Resource, action};
use crate::refusal::Refusal;
use crate::token::TokenKind;

/// Whether the caller may ask whether other tokens of the account are good: every service token may, and whoever is
/// allowed `verifyToken` on the account. About itself every token may ask.
///
/// # Errors
/// [`Refusal::NotAllowed`].
pub fn may_verify(caller: &Caller) -> Result<(), Refusal> {
    match caller.kind {
        TokenKind::Service => Ok(()),
        TokenKind::Personal | TokenKind::Login => caller.require(action::VERIFY_TOKEN, Resource::account()),
    }
}
