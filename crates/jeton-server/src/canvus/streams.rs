//! `?subscribe`: newline-delimited JSON. The first line is what the plain answer would have been; each further one is
//! what has changed, in an array where the plain answer is one. An empty line is a sign of life.

use axum::http::Method;
use axum::response::Response;
use jeton_core::change::Revision;
use jeton_service::{MemberNews, TokenNews, Watching};
use serde::Serialize;

use super::wire;
use crate::ask::Ask;
use crate::http::json::Json;
use crate::http::query;
use crate::streams::{self, Teller};

/// Whether the request asks for a stream: `subscribe` is there, and does not say no. A HEAD waits for nothing.
pub(super) fn is_wanted(ask: &Ask) -> bool {
    let said = ask.query().first("subscribe");
    ask.method == Method::GET && said.is_some_and(|value| query::boolean(&value) != Some(false))
}

/// How the plain answer looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// An array of objects.
    List,
    /// One object.
    Single,
}

/// Answers with a stream that begins with these news.
pub(super) fn answer<W>(ask: &Ask, watch: W, first: W::News, shape: Shape) -> Response
where
    W: Watching + 'static,
    Lines: Teller<W::News>,
{
    let mut lines = Lines { shape, open: false, filled: false };
    let mut text = Vec::new();
    lines.tell(first, &mut text);
    streams::answer("application/json", watch, lines, text, ask.shared.settings.stream_keepalive)
}

/// Writes news line by line.
pub(super) struct Lines {
    shape: Shape,
    /// A line has been begun and goes on.
    open: bool,
    /// Something stands in it.
    filled: bool,
}

impl Lines {
    /// Writes a line, or the part of one that is known.
    fn line(&mut self, items: impl IntoIterator<Item = impl Serialize>, more: bool, text: &mut Vec<u8>) {
        let mut json = Json::onto(text);
        let array = self.shape == Shape::List;
        if array && !self.open {
            json.raw("[");
        }
        for item in items {
            if self.filled {
                json.raw(if array { "," } else { "\n" });
            }
            json.value(&item);
            self.filled = true;
        }
        self.open = more;
        self.filled &= more;
        if !more {
            json.raw(if array { "]\n" } else { "\n" });
        }
    }
}

impl Teller<TokenNews> for Lines {
    fn tell(&mut self, news: TokenNews, text: &mut Vec<u8>) {
        match news {
            TokenNews::There { tokens, more } => self.line(tokens.iter().map(wire::Token::new), more, text),
            TokenNews::Happened(events) => {
                self.line(events.iter().map(wire::Token::after), false, text);
            }
        }
    }

    fn beat(&mut self, _: Revision, text: &mut Vec<u8>) {
        text.push(b'\n');
    }

    fn is_whole(&self) -> bool {
        !self.open
    }
}

impl Teller<MemberNews> for Lines {
    fn tell(&mut self, news: MemberNews, text: &mut Vec<u8>) {
        let (MemberNews::There(members) | MemberNews::Happened(members)) = news;
        self.line(members.iter().map(|view| wire::User::new(&view.member, view.presence)), false, text);
    }

    fn beat(&mut self, _: Revision, text: &mut Vec<u8>) {
        text.push(b'\n');
    }
}
