//! Changes: what happened, in one order, told so completely that state can be derived from it.
//!
//! A rule proposes; the store gives the proposal the next revision and writes what follows from its event together with
//! the event itself, in one transaction. There is no second description of the write: rows, the verification index and
//! streams all follow from the same [`Event`], so they can't disagree.

use crate::account::Account;
use crate::id::{AccountId, MemberId, RoleId, TokenId};
use crate::member::Member;
use crate::role::CustomRole;
use crate::timestamp::Timestamp;
use crate::token::Token;

pub use crate::revision::Revision;

/// A change that was committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Its place in the order of all changes.
    pub revision: Revision,
    /// When it was decided.
    pub at: Timestamp,
    /// The account it belongs to.
    pub account: AccountId,
    /// Who did it.
    pub actor: Actor,
    /// What happened.
    pub event: Event,
}

/// A change that a rule proposes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// When it was decided.
    pub at: Timestamp,
    /// The account it belongs to.
    pub account: AccountId,
    /// Who asks for it.
    pub actor: Actor,
    /// What is to happen.
    pub event: Event,
    /// What must still be true for the decision to hold.
    pub expects: Vec<Expectation>,
}

impl Proposal {
    /// The change that this proposal becomes at `revision`, with the revision stamped into the records it touches.
    pub fn at_revision(self, revision: Revision) -> Change {
        let mut event = self.event;
        match &mut event {
            Event::AccountFounded { account } => account.revision = revision,
            Event::MemberAdded { member } | Event::MemberChanged { after: member, .. } => {
                member.revision = revision;
            }
            Event::RoleDefined { role } | Event::RoleChanged { after: role, .. } => role.revision = revision,
            Event::TokenIssued { token }
            | Event::TokenChanged { after: token, .. }
            | Event::TokenRotated { after: token, .. } => token.revision = revision,
            Event::RoleRemoved { .. } | Event::TokenRevoked { .. } => {}
        }
        Change { revision, at: self.at, account: self.account, actor: self.actor, event }
    }
}

/// Who did something.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Actor {
    /// Jeton itself, at first start or by an operator's command on the machine.
    System,
    /// Somebody with a token.
    Token {
        /// The token that was presented.
        token: TokenId,
        /// Its owner.
        member: MemberId,
    },
}

/// What happened. Each variant carries the records it touched, whole.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "events are made one at a time and moved a few times")]
pub enum Event {
    /// The account was founded, at first start.
    AccountFounded {
        /// The new account.
        account: Account,
    },
    /// A member was added.
    MemberAdded {
        /// The new member.
        member: Member,
    },
    /// A member changed: name, role, standing. Removal is a standing, and takes the personal tokens with it.
    MemberChanged {
        /// As it was.
        before: Member,
        /// As it is.
        after: Member,
    },
    /// A custom role was defined.
    RoleDefined {
        /// The new role.
        role: CustomRole,
    },
    /// A custom role changed, and with it every token that holds it.
    RoleChanged {
        /// As it was.
        before: CustomRole,
        /// As it is.
        after: CustomRole,
    },
    /// A custom role was deleted. Tokens that hold it lose what it granted.
    RoleRemoved {
        /// As it was.
        role: CustomRole,
    },
    /// A token was issued.
    TokenIssued {
        /// The new token.
        token: Token,
    },
    /// A token's name, description, scope, expiry or API version changed.
    TokenChanged {
        /// As it was.
        before: Token,
        /// As it is.
        after: Token,
    },
    /// A token got a new secret.
    TokenRotated {
        /// As it was.
        before: Token,
        /// As it is.
        after: Token,
    },
    /// A token was revoked, and is gone.
    TokenRevoked {
        /// As it was.
        token: Token,
    },
}

impl Event {
    /// Whether anybody may be able to do less after it. What is answered before every node knows of such an event could be
    /// contradicted by one that does not.
    pub const fn may_narrow(&self) -> bool {
        match self {
            Self::AccountFounded { .. }
            | Self::MemberAdded { .. }
            | Self::RoleDefined { .. }
            | Self::TokenIssued { .. } => false,
            Self::MemberChanged { .. }
            | Self::RoleChanged { .. }
            | Self::RoleRemoved { .. }
            | Self::TokenChanged { .. }
            | Self::TokenRotated { .. }
            | Self::TokenRevoked { .. } => true,
        }
    }

    /// The event's name in the change log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AccountFounded { .. } => "account.founded",
            Self::MemberAdded { .. } => "member.added",
            Self::MemberChanged { .. } => "member.changed",
            Self::RoleDefined { .. } => "role.defined",
            Self::RoleChanged { .. } => "role.changed",
            Self::RoleRemoved { .. } => "role.removed",
            Self::TokenIssued { .. } => "token.issued",
            Self::TokenChanged { .. } => "token.changed",
            Self::TokenRotated { .. } => "token.rotated",
            Self::TokenRevoked { .. } => "token.revoked",
        }
    }
}

/// Something a decision relied on. If it is no longer so when the transaction runs, nothing is written and the decision
/// is taken again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Expectation {
    /// The token exists and was last changed at this revision.
    Token {
        /// Which.
        id: TokenId,
        /// Its last change.
        revision: Revision,
    },
    /// The member was last changed at this revision.
    Member {
        /// Which.
        id: MemberId,
        /// Its last change.
        revision: Revision,
    },
    /// The role exists and was last changed at this revision.
    Role {
        /// Which.
        id: RoleId,
        /// Its last change.
        revision: Revision,
    },
    /// The last change of all is this one. At [`Revision::ZERO`], nothing was ever committed: the first start.
    Head(Revision),
}
