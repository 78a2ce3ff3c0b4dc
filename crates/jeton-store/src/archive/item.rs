//! What is carried: a record with what is known beside it, or a change; and its canonical form, which two stores are
//! compared by.

use jeton_core::account::Account;
use jeton_core::change::{Actor, Change, Event};
use jeton_core::id::{MemberId, TokenId};
use jeton_core::member::Member;
use jeton_core::role::CustomRole;
use jeton_core::timestamp::Timestamp;
use sha2::{Digest as _, Sha256};

use super::Kind;
use crate::encoding;
use crate::encoding::rows::{self, Columns};
use crate::{Presence, StoreError, StoredToken};

/// Something that is carried.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "they come by the page, nearly all of one kind")]
pub enum Item {
    /// An account.
    Account(Account),
    /// A member, and when they were last here.
    Member(Member, Presence),
    /// A custom role.
    Role(CustomRole),
    /// A token, and when it was last used.
    Token(StoredToken),
    /// A change.
    Change(Change),
}

/// How an item gets into a store.
#[allow(clippy::large_enum_variant, reason = "made and taken apart at once")]
pub(crate) enum Written<'a> {
    /// As the rows that follow from this event, whatever the record went through before.
    Rows(Event),
    /// As an entry of the log.
    Log(&'a Change),
}

impl Item {
    /// What it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Account(_) => Kind::Accounts,
            Self::Member(..) => Kind::Members,
            Self::Role(_) => Kind::Roles,
            Self::Token(_) => Kind::Tokens,
            Self::Change(_) => Kind::Changes,
        }
    }

    /// What it is ordered by among its kind.
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::Account(account) => account.id.as_bytes().to_vec(),
            Self::Member(member, _) => member.id.as_bytes().to_vec(),
            Self::Role(role) => role.id.as_bytes().to_vec(),
            Self::Token(stored) => stored.token.id.as_bytes().to_vec(),
            Self::Change(change) => change.revision.number().to_be_bytes().to_vec(),
        }
    }

    /// From a row of a [page](Kind::page_sql).
    pub(crate) fn from_row(kind: Kind, row: &impl Columns) -> Result<Self, StoreError> {
        Ok(match kind {
            Kind::Accounts => Self::Account(rows::account_from(row)?),
            Kind::Members => Self::Member(rows::member_from(row)?, rows::presence_from(row, 12)?),
            Kind::Roles => Self::Role(rows::role_from(row)?),
            Kind::Tokens => Self::Token(rows::stored_token(row)?),
            Kind::Changes => Self::Change(rows::change_from(row)?),
        })
    }

    pub(crate) fn written(&self) -> Written<'_> {
        Written::Rows(match self {
            Self::Account(account) => Event::AccountFounded { account: account.clone() },
            Self::Member(member, _) => Event::MemberAdded { member: member.clone() },
            Self::Role(role) => Event::RoleDefined { role: role.clone() },
            Self::Token(stored) => Event::TokenIssued { token: stored.token.clone() },
            Self::Change(change) => return Written::Log(change),
        })
    }

    /// All that is kept of it, in one form whatever store it comes from.
    fn canonical(&self) -> String {
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
        match self {
            Self::Account(account) => encoding::account_text(account),
            Self::Member(member, presence) => {
                let (seen, login) = (millis(presence.last_seen_at), millis(presence.last_login_at));
                format!("{} {seen:?} {login:?}", encoding::member_text(member))
            }
            Self::Role(role) => encoding::role_text(role),
            Self::Token(stored) => {
                format!("{} {:?}", encoding::token_text(&stored.token), millis(stored.last_used_at))
            }
            Self::Change(change) => {
                let actor = match &change.actor {
                    Actor::System => String::new(),
                    Actor::Token { token, member } => format!("{token} {member}"),
                };
                let event = encoding::event_text(&change.event);
                let (revision, at) = (change.revision.number(), change.at.as_millis());
                let (account, name) = (change.account, event.name);
                format!("{revision} {at} {account} [{actor}] {name} {:?} {:?}", event.before, event.after)
            }
        }
    }
}

/// Takes an item into a checksum. Its length goes first, so that no two lists of items look alike.
pub(super) fn absorb(hash: &mut Sha256, item: &Item) {
    let text = item.canonical();
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

/// When tokens were last used and members last here, as stores are told.
pub(crate) struct Touches {
    pub(crate) used: Vec<(TokenId, Timestamp)>,
    pub(crate) present: Vec<(MemberId, Presence)>,
}

impl Touches {
    pub(crate) fn of(items: &[Item]) -> Self {
        let used = |item: &Item| match item {
            Item::Token(stored) => stored.last_used_at.map(|at| (stored.token.id, at)),
            _ => None,
        };
        let present = |item: &Item| match item {
            Item::Member(member, presence) => {
                (*presence != Presence::default()).then_some((member.id, *presence))
            }
            _ => None,
        };
        Self {
            used: items.iter().filter_map(used).collect(),
            present: items.iter().filter_map(present).collect(),
        }
    }
}
