//! Topics: which changes somebody may want to hear of together.

use jeton_core::change::{Change, Event};
use jeton_core::id::{AccountId, MemberId, TokenId};

/// Changes that somebody may want to hear of together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Topic {
    /// Everything in an account.
    Account(AccountId),
    /// The members of an account.
    Members(AccountId),
    /// The custom roles of an account.
    Roles(AccountId),
    /// One member, and the tokens that they own.
    TokensOf(MemberId),
    /// One member.
    Member(MemberId),
    /// One token.
    Token(TokenId),
}

/// The topics that a change belongs to.
pub(super) fn topics(change: &Change) -> impl Iterator<Item = Topic> {
    let account = Topic::Account(change.account);
    let others = match &change.event {
        Event::AccountFounded { .. } => [None; 3],
        Event::MemberAdded { .. } => [Some(Topic::Members(change.account)), None, None],
        Event::MemberChanged { after, .. } => [
            Some(Topic::Members(change.account)),
            Some(Topic::TokensOf(after.id)),
            Some(Topic::Member(after.id)),
        ],
        Event::RoleDefined { .. } | Event::RoleChanged { .. } | Event::RoleRemoved { .. } => {
            [Some(Topic::Roles(change.account)), None, None]
        }
        Event::TokenIssued { token }
        | Event::TokenChanged { after: token, .. }
        | Event::TokenRotated { after: token, .. }
        | Event::TokenRevoked { token } => {
            [Some(Topic::TokensOf(token.owner)), Some(Topic::Token(token.id)), None]
        }
    };
    std::iter::once(account).chain(others.into_iter().flatten())
}

impl Topic {
    /// Whether a change belongs to this topic.
    pub(super) fn holds(self, change: &Change) -> bool {
        topics(change).any(|topic| topic == self)
    }
}
