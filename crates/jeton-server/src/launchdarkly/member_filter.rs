//! Which members a list shows, and in which order.

use std::cmp::Reverse;
use std::sync::Arc;

use jeton_core::id::RoleId;
use jeton_core::member::Member;
use jeton_core::role::BaseRole;
use jeton_core::timestamp::Timestamp;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::ask::Ask;
use crate::http::query;
use crate::trouble::Trouble;

/// Sorts by the fields that the query names, the first above the others.
pub(super) fn sort(ask: &Ask, members: &mut [Arc<Member>], fields: &str) -> Result<(), Trouble> {
    // Each keeps the order that the ones before it made.
    for field in fields.rsplit(',').map(str::trim).filter(|field| !field.is_empty()) {
        match field {
            "displayName" => members.sort_by_cached_key(|member| display_name(member)),
            "-displayName" => members.sort_by_cached_key(|member| Reverse(display_name(member))),
            // Never comes before every instant, as the zero does that is shown for it. Looked up once for each member,
            // so that nobody who is seen meanwhile stands in two places.
            "lastSeen" => members.sort_by_cached_key(|member| last_seen(ask, member)),
            "-lastSeen" => members.sort_by_cached_key(|member| Reverse(last_seen(ask, member))),
            _ => {
                let known = "sort must be displayName or lastSeen, with a dash before it to turn it round";
                return Err(Trouble::invalid(known));
            }
        }
    }
    Ok(())
}

/// What members are sorted by: the name, or the address of somebody without one.
fn display_name(member: &Member) -> String {
    let name = member.full_name();
    if name.is_empty() { member.email.to_lowercase() } else { name.to_lowercase() }
}

fn last_seen(ask: &Ask, member: &Member) -> Option<Timestamp> {
    ask.service().presence(member).last_seen_at
}

/// Which members are listed: every part has to be true of them.
pub(super) struct Filter(Vec<Part>);

/// A part, and what the member may have in it. A list gives several, and so does a text in two spellings.
enum Part {
    Query(Vec<String>),
    Role(Vec<RoleName>),
    Id(Vec<String>),
    Email(Vec<String>),
    LastSeen(LastSeen),
    /// There are no teams, so that either everybody is meant or nobody.
    Everybody(bool),
}

/// When a member was last seen, as a JSON object with one of these.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum LastSeen {
    /// Whether they never were.
    Never(bool),
    /// Whether they were not since somebody began to write it down, which here is the beginning of all.
    NoData(bool),
    /// They were not since then, in milliseconds: before it or never.
    Before(i64),
}

enum RoleName {
    Base(BaseRole),
    Custom(RoleId),
}

impl Filter {
    /// Reads `field:value,field:value`.
    ///
    /// # Errors
    /// What may stand in a filter.
    pub(super) fn parse(ask: &Ask, text: &str) -> Result<Self, Trouble> {
        let parts = text.split(',').filter(|text| !text.trim().is_empty());
        let parts: Option<Vec<_>> = parts.map(|part| Part::parse(ask, part)).collect();
        parts.map(Self).ok_or_else(|| {
            Trouble::invalid(
                "filter must be parts of query:TEXT, role:ROLE, id:ID, email:ADDRESS, team:KEY, noteam:BOOLEAN and \
                 lastSeen:OBJECT, joined by commas; roles, ids and addresses may be several, joined by bars; OBJECT \
                 is {\"never\":true}, {\"noData\":true} or {\"before\":MILLISECONDS}",
            )
        })
    }

    pub(super) fn matches(&self, ask: &Ask, member: &Member) -> bool {
        self.0.iter().all(|part| part.matches(ask, member))
    }
}

impl Part {
    fn parse(ask: &Ask, text: &str) -> Option<Self> {
        let (name, value) = text.split_once(':')?;
        let value = value.trim();
        // Terraform encodes the value once more than the query does. What it means is one of the two.
        let decoded = percent_decode_str(value).decode_utf8().ok().filter(|decoded| *decoded != value);
        let spellings = || std::iter::once(value).chain(decoded.as_deref());
        let list = || spellings().flat_map(|spelling| spelling.split('|')).map(str::trim);
        Some(match name.trim() {
            "query" => Self::Query(spellings().map(str::to_lowercase).collect()),
            "role" => Self::Role(list().filter_map(|name| RoleName::of(ask, name)).collect()),
            "id" => Self::Id(list().map(str::to_owned).collect()),
            "email" => Self::Email(list().map(str::to_lowercase).collect()),
            "lastSeen" => Self::LastSeen(spellings().find_map(|text| serde_json::from_str(text).ok())?),
            "team" => Self::Everybody(false),
            "noteam" => Self::Everybody(query::boolean(value)?),
            _ => return None,
        })
    }

    fn matches(&self, ask: &Ask, member: &Member) -> bool {
        match self {
            Self::Query(texts) => {
                let (email, name) = (member.email.to_lowercase(), member.full_name().to_lowercase());
                texts.iter().any(|text| email.contains(text) || name.contains(text))
            }
            Self::Role(roles) => roles.iter().any(|role| role.is_held_by(member)),
            Self::Id(ids) => ids.contains(&member.id.to_string()),
            Self::Email(emails) => emails.contains(&member.email.to_lowercase()),
            Self::LastSeen(sought) => sought.holds(last_seen(ask, member)),
            Self::Everybody(everybody) => *everybody,
        }
    }
}

impl LastSeen {
    fn holds(&self, last_seen_at: Option<Timestamp>) -> bool {
        match self {
            Self::Never(never) | Self::NoData(never) => last_seen_at.is_none() == *never,
            Self::Before(then) => last_seen_at.is_none_or(|at| at < Timestamp::from_millis(*then)),
        }
    }
}

impl RoleName {
    /// A base role, or a custom role by key or id. `None` for what nobody can hold.
    fn of(ask: &Ask, name: &str) -> Option<Self> {
        match BaseRole::parse(&name.to_lowercase()) {
            Some(role) => Some(Self::Base(role)),
            None => ask.service().role(&ask.session, name).ok().map(|role| Self::Custom(role.id)),
        }
    }

    /// Whether the member has it. The owner counts as an administrator.
    fn is_held_by(&self, member: &Member) -> bool {
        match self {
            Self::Base(BaseRole::Admin) => member.role.is_administrator(),
            Self::Base(role) => member.role == *role,
            Self::Custom(id) => member.custom_roles.contains(id),
        }
    }
}
