//! The shapes of Canvus on the wire. Members stand in alphabetical order, as the vendor's do.

use jeton_core::member::{Member, Standing};
use jeton_core::timestamp::Timestamp;
use jeton_service::{Presence, TokenEvent, TokenView};
use serde::Serialize;

/// A token.
#[derive(Serialize)]
pub(super) struct Token<'a> {
    created_at: String,
    description: &'a str,
    id: String,
    /// Only in the answer to a create.
    #[serde(skip_serializing_if = "Option::is_none")]
    plain_token: Option<&'a str>,
    /// Only in a stream, after its first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

/// The state of what is there.
const NORMAL: &str = "normal";
/// The state of what is gone.
const DELETED: &str = "deleted";

impl<'a> Token<'a> {
    pub(super) fn new(view: &'a TokenView) -> Self {
        Self {
            created_at: instant(view.token.issued_at),
            description: &view.token.name,
            id: view.token.id.to_string(),
            plain_token: None,
            state: None,
        }
    }

    pub(super) fn with_secret(view: &'a TokenView, secret: &'a str) -> Self {
        Self { plain_token: Some(secret), ..Self::new(view) }
    }

    /// As something has made it.
    pub(super) fn after(event: &'a TokenEvent) -> Self {
        match event {
            TokenEvent::Normal(view) => Self { state: Some(NORMAL), ..Self::new(view) },
            TokenEvent::Deleted(view) => Self { state: Some(DELETED), ..Self::new(view) },
        }
    }
}

/// A user.
#[derive(Serialize)]
pub(super) struct User<'a> {
    admin: bool,
    approved: bool,
    blocked: bool,
    created_at: String,
    email: &'a str,
    id: u32,
    /// The vendor's word for never is an empty text.
    last_login: String,
    name: String,
    state: &'static str,
}

impl<'a> User<'a> {
    pub(super) fn new(member: &'a Member, presence: Presence) -> Self {
        Self {
            admin: member.custom_roles.is_empty() && member.role.is_administrator(),
            approved: member.standing != Standing::Pending,
            blocked: member.standing == Standing::Blocked,
            created_at: zoned(member.created_at),
            email: &member.email,
            id: member.number,
            last_login: presence.last_login_at.map_or(String::new(), zoned),
            name: member.full_name(),
            state: if member.standing == Standing::Removed { DELETED } else { NORMAL },
        }
    }
}

/// What the server is.
#[derive(Serialize)]
pub(super) struct ServerInfo<'a> {
    pub(super) api: [&'static str; 1],
    /// The vendor's compiler version. Clients insist on a text here; ours is empty.
    pub(super) go: &'static str,
    pub(super) server_id: &'a str,
    pub(super) version: &'a str,
}

/// An instant of a token: UTC with milliseconds, and no zone.
fn instant(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(jiff::Timestamp::MAX);
    let at = jiff::tz::Offset::UTC.to_datetime(at);
    format!("{at:.3}")
}

/// An instant of a user: the same, and it says that it is UTC.
fn zoned(at: Timestamp) -> String {
    instant(at) + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_milliseconds_and_no_zone() {
        assert_eq!(instant(Timestamp::from_millis(1_625_207_916_025)), "2021-07-02T06:38:36.025");
        assert_eq!(instant(Timestamp::from_millis(1_625_207_916_000)), "2021-07-02T06:38:36.000");
    }
}
