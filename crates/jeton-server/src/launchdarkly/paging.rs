//! Pages of a list: what the query asks for, and where the other pages are.

use serde::Serialize;

use super::wire::Link;
use crate::ask::Ask;
use crate::http::query;
use crate::trouble::Trouble;

/// Larger limits are taken as this one.
const LARGEST_LIMIT: u64 = 1000;

/// Links to the other pages. Each is there only where it leads to another page that exists.
#[derive(Serialize)]
pub(super) struct Links {
    #[serde(rename = "self")]
    itself: Link,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Link>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev: Option<Link>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Link>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Link>,
}

/// The limit that the query asks for, if it does.
pub(super) fn limit(ask: &Ask) -> Result<Option<u64>, Trouble> {
    match number(ask, "limit")? {
        Some(0) => Err(Trouble::invalid("limit must be at least 1")),
        limit => Ok(limit.map(|limit| limit.min(LARGEST_LIMIT))),
    }
}

/// A value as it stands in a link.
pub(super) fn encoded(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The offset that the query asks for, if it does.
pub(super) fn offset(ask: &Ask) -> Result<Option<u64>, Trouble> {
    number(ask, "offset")
}

/// A flag, in any letter case: some clients send `True`.
pub(super) fn flag(ask: &Ask, name: &str) -> Result<bool, Trouble> {
    match ask.query().first(name) {
        None => Ok(false),
        Some(text) => {
            query::boolean(&text).ok_or_else(|| Trouble::invalid(format!("{name} must be true or false")))
        }
    }
}

fn number(ask: &Ask, name: &str) -> Result<Option<u64>, Trouble> {
    match ask.query().first(name).as_deref() {
        None | Some("") => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| Trouble::invalid(format!("{name} must be an integer and not negative"))),
    }
}

impl Links {
    /// The links of a page of `path`; `rest` is whatever else the query said, each part with its `&`.
    pub(super) fn new(path: &str, limit: u64, offset: u64, total: u64, rest: &str) -> Self {
        let to = |offset: u64| Link::to(format!("{path}?limit={limit}&offset={offset}{rest}"));
        let last = total.saturating_sub(1) / limit * limit;
        Self {
            itself: to(offset),
            first: (offset > 0).then(|| to(0)),
            prev: (offset > 0).then(|| to(offset.min(total).saturating_sub(limit))),
            next: (offset.saturating_add(limit) < total).then(|| to(offset + limit)),
            last: (last > offset).then(|| to(last)),
        }
    }
}
