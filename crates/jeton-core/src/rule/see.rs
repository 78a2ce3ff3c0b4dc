//! Who sees which tokens. There is no `view` action for tokens in the policy language; these rules are all there is:
//! everybody sees the account's service tokens and their own personal ones, an administrator sees everybody's.

use crate::caller::Caller;
use crate::change::{Change, Event};
use crate::member::Member;
use crate::refusal::Refusal;
use crate::token::{Token, TokenKind};

/// Whether the caller may know that the token exists.
pub fn may_see(caller: &Caller, token: &Token) -> bool {
    token.account == caller.account
        && match token.kind {
            TokenKind::Service => true,
            TokenKind::Personal => caller.is_person(token.owner) || caller.is_administrator(),
            // What a login made ends with a logout, and is nobody's to manage.
            TokenKind::Login => false,
        }
}

/// Whether the caller may know of a change: everybody knows the members and the roles of their account, and hears of a
/// token only what they may see of it.
pub fn may_see_change(caller: &Caller, change: &Change) -> bool {
    change.account == caller.account
        && match &change.event {
            Event::TokenIssued { token }
            | Event::TokenChanged { after: token, .. }
            | Event::TokenRotated { after: token, .. }
            | Event::TokenRevoked { token } => may_see(caller, token),
            Event::AccountFounded { .. }
            | Event::MemberAdded { .. }
            | Event::MemberChanged { .. }
            | Event::RoleDefined { .. }
            | Event::RoleChanged { .. }
            | Event::RoleRemoved { .. } => true,
        }
}

/// Whether the caller may list the personal tokens of every member.
pub fn may_list_all(caller: &Caller) -> bool {
    caller.is_administrator()
}

/// Whether the caller may turn to the tokens of one member: their own, or an administrator to anybody's.
///
/// `member` is `None` where the account has no such member. Only an administrator learns that: to everybody else, a
/// member that is missing is answered like one that is somebody else.
///
/// # Errors
/// [`Refusal::AdministratorsOnly`], [`Refusal::NoSuchMember`].
pub fn tokens_of<M: AsRef<Member>>(caller: &Caller, member: Option<M>) -> Result<M, Refusal> {
    match member {
        Some(member) if caller.is_person(member.as_ref().id) => Ok(member),
        _ if !caller.is_administrator() => Err(Refusal::AdministratorsOnly),
        Some(member) if member.as_ref().account == caller.account => Ok(member),
        _ => Err(Refusal::NoSuchMember),
    }
}
