//! `/tokens`: the list, in pages or in one piece.

use axum::http::StatusCode;
use axum::response::Response;
use jeton_service::{Start, Visible};
use serde::Serialize;

use super::wire::{self, Link};
use super::{answer, version};
use crate::ask::Ask;
use crate::http::query;
use crate::pages::{self, Frame};
use crate::trouble::Trouble;

const DEFAULT_LIMIT: u64 = 25;
/// Larger limits are taken as this one.
const LARGEST_LIMIT: u64 = 1000;

/// A page, with the way to the others.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    items: Vec<wire::Token<'a>>,
    #[serde(rename = "_links")]
    links: Links,
    total_count: u64,
}

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
    let visible = ask.service().visible_to(&ask.session, all);
    let limit = number(&ask, "limit")?;
    if limit == Some(0) {
        return Err(Trouble::invalid("limit must be at least 1"));
    }
    let offset = number(&ask, "offset")?;
    if limit.is_none() && offset.is_none() && !version::lists_in_pages(version::of(&ask)?) {
        return whole(ask, visible, all).await;
    }
    let limit = limit.unwrap_or(DEFAULT_LIMIT).min(LARGEST_LIMIT);
    let offset = offset.unwrap_or(0);
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let page = ask.service().list(&ask.session, visible, Start::Offset(offset), size).await?;
    let answer = Page {
        items: page.items.iter().map(wire::Token::new).collect(),
        links: links(all, limit, offset, page.total),
        total_count: page.total,
    };
    Ok(answer::json(StatusCode::OK, &answer))
}

/// The whole list in one answer, as old versions of the API give it.
async fn whole(ask: Ask, visible: Visible, all: bool) -> Result<Response, Trouble> {
    let frame = Frame {
        before: r#"{"items":["#,
        after: move |total: u64| {
            let links = serde_json::json!(links(all, total.max(1), 0, total));
            format!(r#"],"_links":{links},"totalCount":{total}}}"#)
        },
    };
    pages::answer(ask, visible, frame, |view| serde_json::to_string(&wire::Token::new(view))).await
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
