//! `/tokens`: the list, in pages or in one piece.

use axum::response::Response;
use jeton_service::{Service, Session, Start, TokenView};

use super::paging::{self, Links};
use super::{version, wire};
use crate::ask::Ask;
use crate::http::json::Json;
use crate::pages::{self, List, Told};
use crate::trouble::Trouble;

const DEFAULT_LIMIT: u64 = 25;

pub(super) async fn tokens(ask: Ask) -> Result<Response, Trouble> {
    let all = paging::flag(&ask, "showAll")?;
    let limit = paging::limit(&ask)?;
    let offset = paging::offset(&ask)?;
    let whole = limit.is_none() && offset.is_none() && !version::lists_in_pages(version::of(&ask)?);
    let limit = if whole { u64::MAX } else { limit.unwrap_or(DEFAULT_LIMIT) };
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
            let show_all = if all { "&showAll=true" } else { "" };
            let links = serde_json::json!(Links::new("/api/v2/tokens", limit, offset, total, show_all));
            format!(r#"],"_links":{links},"totalCount":{total}}}"#)
        },
    };
    pages::answer(ask, list).await
}
