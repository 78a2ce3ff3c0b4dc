//! `/tokens`: the list, in pages or in one piece.

use axum::response::Response;
use jeton_service::{Service, Session, Start, TokenView};
use serde::Serialize;

use super::version;
use super::wire::{self, Link};
use crate::ask::Ask;
use crate::http::json::Json;
use crate::http::query;
use crate::pages::{self, List, Told};
use crate::trouble::Trouble;

const DEFAULT_LIMIT: u64 = 25;
/// Larger limits are taken as this one.
const LARGEST_LIMIT: u64 = 1000;

#[derive(Serialize)]
struct Links {
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

pub(super) async fn tokens(ask: Ask) -> Result<Response, Trouble> {
    let all = flag(&ask, "showAll")?;
    let limit = number(&ask, "limit")?;
    if limit == Some(0) {
        return Err(Trouble::invalid("limit must be at least 1"));
    }
    let offset = number(&ask, "offset")?;
    let whole = limit.is_none() && offset.is_none() && !version::lists_in_pages(version::of(&ask)?);
    let limit = if whole { u64::MAX } else { limit.unwrap_or(DEFAULT_LIMIT).min(LARGEST_LIMIT) };
    let offset = offset.unwrap_or(0);
    let list = List {
        select: move |service: &Service, session: &Session| Ok(service.visible_to(session, all)),
        start: Start::Offset(offset),
        limit,
        before: r#"{"items":["#,
        write: |json: &mut Json<'_>, view: &TokenView| wire::Token::new(view).write(json),
        after: move |Told { shown, total }: Told| {
            // The whole list, as old versions of the API give it, is one page of its own length.
            let (limit, total) = if whole { (shown.max(1), shown) } else { (limit, total) };
            let links = serde_json::json!(links(all, limit, offset, total));
            format!(r#"],"_links":{links},"totalCount":{total}}}"#)
        },
    };
    pages::answer(ask, list).await
}

/// A flag, in any letter case: some clients send `True`.
fn flag(ask: &Ask, name: &str) -> Result<bool, Trouble> {
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

/// Where the other pages are. Each link is there only where it leads to another page that exists.
fn links(all: bool, limit: u64, offset: u64, total: u64) -> Links {
    let show_all = if all { "&showAll=true" } else { "" };
    let to = |offset: u64| Link::to(format!("/api/v2/tokens?limit={limit}&offset={offset}{show_all}"));
    let last = total.saturating_sub(1) / limit * limit;
    Links {
        itself: to(offset),
        first: (offset > 0).then(|| to(0)),
        prev: (offset > 0).then(|| to(offset.min(total).saturating_sub(limit))),
        next: (offset.saturating_add(limit) < total).then(|| to(offset + limit)),
        last: (last > offset).then(|| to(last)),
    }
}
