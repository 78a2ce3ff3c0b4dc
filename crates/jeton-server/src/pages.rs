//! Lists, written while the client reads them, whatever their length.
//!
//! A list that fits into one piece, as nearly all do, is an ordinary answer. A longer one holds the memory of two pieces
//! at the most, however slowly its reader takes it, and its reader has to be admitted anew for each: a token that is
//! revoked, or a member who is demoted, gets no further than what is on the way already. If that or the store fails
//! halfway the connection is cut: a list that only looks complete would be a lie.

use std::io;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jeton_service::{Service, Session, Start, TokenPage, TokenView, Visible};

use crate::ask::Ask;
use crate::http::json::Json;
use crate::http::pulled::{self, Source};
use crate::trouble::Trouble;

/// Tokens in one piece. Each may come with texts and a policy of a hundred kilobytes.
const PIECE: usize = 25;
/// Bytes that are worth sending. Short tokens are gathered until there are as many: what each piece costs on its way to
/// the client would be more than what is in it.
const ENOUGH: usize = 64 * 1024;

/// What is listed, and how it is written.
pub(crate) struct List<S, W, A> {
    /// Decides, anew for each piece, which tokens its reader sees.
    pub(crate) select: S,
    /// Where the list begins.
    pub(crate) start: Start,
    /// How many tokens it shows at the most.
    pub(crate) limit: u64,
    /// What stands before the tokens.
    pub(crate) before: &'static str,
    /// Writes one token. Commas come between.
    pub(crate) write: W,
    /// What stands after the tokens.
    pub(crate) after: A,
}

/// What there is to tell after a list.
pub(crate) struct Told {
    /// How many tokens it showed.
    pub(crate) shown: u64,
    /// How many there were in all when it began.
    pub(crate) total: u64,
}

/// Answers with a list.
pub(crate) async fn answer<S, W, A>(ask: Ask, list: List<S, W, A>) -> Result<Response, Trouble>
where
    S: Fn(&Service, &Session) -> Result<Visible, Trouble> + Send + Sync + 'static,
    W: Fn(&mut Json<'_>, &TokenView) + Send + Sync + 'static,
    A: Fn(Told) -> String + Send + Sync + 'static,
{
    let mut text = Vec::with_capacity(ENOUGH);
    text.extend_from_slice(list.before.as_bytes());
    let mut walk = Walk { start: list.start, shown: 0, total: 0, list, ask };
    let first = walk.page().await?;
    walk.total = first.total;
    let mut more = walk.append(&mut text, &first);
    if more {
        more = walk.fill(&mut text).await?;
    }
    let body = if more {
        pulled::body(Rest { walk, text, more })
    } else {
        walk.end(&mut text);
        Body::from(text)
    };
    let json = HeaderValue::from_static("application/json");
    Ok((StatusCode::OK, [(CONTENT_TYPE, json)], body).into_response())
}

/// A list on its way.
struct Walk<S, W, A> {
    ask: Ask,
    list: List<S, W, A>,
    start: Start,
    shown: u64,
    total: u64,
}

impl<S, W, A> Walk<S, W, A>
where
    S: Fn(&Service, &Session) -> Result<Visible, Trouble>,
    W: Fn(&mut Json<'_>, &TokenView),
    A: Fn(Told) -> String,
{
    /// Goes on until there is something worth sending. `true` if there may be more.
    async fn fill(&mut self, text: &mut Vec<u8>) -> Result<bool, Trouble> {
        let mut more = true;
        while more && text.len() < ENOUGH {
            more = self.next(text).await?;
        }
        Ok(more)
    }

    async fn next(&mut self, text: &mut Vec<u8>) -> Result<bool, Trouble> {
        self.ask.session = self.ask.service().renewed(&self.ask.session)?;
        let page = self.page().await?;
        Ok(self.append(text, &page))
    }

    async fn page(&self) -> Result<TokenPage, Trouble> {
        let (service, session) = (self.ask.service(), &self.ask.session);
        let visible = (self.list.select)(service, session)?;
        Ok(service.list(session, visible, self.start, self.room()).await?)
    }

    fn room(&self) -> usize {
        usize::try_from(self.list.limit - self.shown).map_or(PIECE, |room| room.min(PIECE))
    }

    /// Writes a page down. `true` if there may be another.
    fn append(&mut self, text: &mut Vec<u8>, page: &TokenPage) -> bool {
        let full = page.more;
        let mut json = Json::onto(text);
        for view in &page.items {
            if self.shown > 0 {
                json.raw(",");
            }
            (self.list.write)(&mut json, view);
            self.shown += 1;
        }
        if let Some(end) = page.end {
            self.start = Start::After(end);
        }
        full && self.room() > 0
    }

    fn end(&self, text: &mut Vec<u8>) {
        let after = (self.list.after)(Told { shown: self.shown, total: self.total });
        text.extend_from_slice(after.as_bytes());
    }
}

/// What is left of a list after its first piece, which stands in `text`.
struct Rest<S, W, A> {
    walk: Walk<S, W, A>,
    text: Vec<u8>,
    more: bool,
}

impl<S, W, A> Source for Rest<S, W, A>
where
    S: Fn(&Service, &Session) -> Result<Visible, Trouble> + Send + Sync + 'static,
    W: Fn(&mut Json<'_>, &TokenView) + Send + Sync + 'static,
    A: Fn(Told) -> String + Send + Sync + 'static,
{
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if self.text.is_empty() {
            if !self.more {
                return None;
            }
            match self.walk.fill(&mut self.text).await {
                Ok(more) => self.more = more,
                Err(_) => return Some((Err(io::ErrorKind::Interrupted.into()), self)),
            }
            if !self.more {
                self.walk.end(&mut self.text);
            }
        }
        let piece = std::mem::replace(&mut self.text, Vec::with_capacity(ENOUGH));
        Some((Ok(Bytes::from(piece)), self))
    }
}
