//! How records are written into columns and into the change log: as JSON, so that an operator can read a database with
//! its own shell, and so that every adapter writes the same.
//!
//! These shapes are kept for ever once they are released. A field may be added with a default; none may change its
//! meaning.

mod records;
mod rights;
pub(crate) mod rows;
mod words;

use jeton_core::change::Event;
use jeton_core::id::RoleId;

use records::{account_from, member_from, role_from, token_from};
use words::{json, parse, role_ids};

pub(crate) use records::{account_text, member_text, role_text, token_text};
pub(crate) use rights::{KnownScopes, ceiling_text, policy_text, scope_text};
pub(crate) use words::{hex, kind, unreadable};

use crate::StoreError;

/// Role ids in a column: JSON, or empty text for none.
pub(crate) fn role_ids_text(ids: &[RoleId]) -> String {
    if ids.is_empty() {
        return String::new();
    }
    json(&ids.iter().map(ToString::to_string).collect::<Vec<_>>())
}

pub(crate) fn role_ids_from(text: &str) -> Result<Vec<RoleId>, StoreError> {
    if text.is_empty() { Ok(Vec::new()) } else { role_ids(&parse::<Vec<String>>("roles of a member", text)?) }
}

/// An event as the log keeps it: its name, and the record before and after.
pub(crate) struct EventText {
    pub(crate) name: &'static str,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

pub(crate) fn event_text(event: &Event) -> EventText {
    let (before, after) = match event {
        Event::AccountFounded { account } => (None, Some(account_text(account))),
        Event::MemberAdded { member } => (None, Some(member_text(member))),
        Event::MemberChanged { before, after } => (Some(member_text(before)), Some(member_text(after))),
        Event::RoleDefined { role } => (None, Some(role_text(role))),
        Event::RoleChanged { before, after } => (Some(role_text(before)), Some(role_text(after))),
        Event::RoleRemoved { role } => (Some(role_text(role)), None),
        Event::TokenIssued { token } => (None, Some(token_text(token))),
        Event::TokenChanged { before, after } | Event::TokenRotated { before, after } => {
            (Some(token_text(before)), Some(token_text(after)))
        }
        Event::TokenRevoked { token } => (Some(token_text(token)), None),
    };
    EventText { name: event.name(), before, after }
}

pub(crate) fn event_from(name: &str, before: Option<&str>, after: Option<&str>) -> Result<Event, StoreError> {
    let before = || before.ok_or_else(|| unreadable("change without the record before it"));
    let after = || after.ok_or_else(|| unreadable("change without the record after it"));
    Ok(match name {
        "account.founded" => Event::AccountFounded { account: account_from(after()?)? },
        "member.added" => Event::MemberAdded { member: member_from(after()?)? },
        "member.changed" => {
            Event::MemberChanged { before: member_from(before()?)?, after: member_from(after()?)? }
        }
        "role.defined" => Event::RoleDefined { role: role_from(after()?)? },
        "role.changed" => Event::RoleChanged { before: role_from(before()?)?, after: role_from(after()?)? },
        "role.removed" => Event::RoleRemoved { role: role_from(before()?)? },
        "token.issued" => Event::TokenIssued { token: token_from(after()?)? },
        "token.changed" => {
            Event::TokenChanged { before: token_from(before()?)?, after: token_from(after()?)? }
        }
        "token.rotated" => {
            Event::TokenRotated { before: token_from(before()?)?, after: token_from(after()?)? }
        }
        "token.revoked" => Event::TokenRevoked { token: token_from(before()?)? },
        other => return Err(unreadable(&format!("change of the kind {other:?}"))),
    })
}
