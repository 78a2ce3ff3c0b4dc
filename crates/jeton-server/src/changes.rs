//! `/changes`: everything that happens in an account, live and resumable. Neither dialect has such a stream, so it is our
//! own: for consoles, audit shippers, caches, and whoever wants to know who holds what at this moment.
//!
//! `GET /changes`, with `Accept: text/event-stream` as server-sent events (WHATWG HTML, section 9.2), otherwise as
//! newline-delimited JSON. Each change comes with its revision. The stream begins at once with a sign of life, which
//! tells where it stands, and from then on misses nothing; whoever comes back with `Last-Event-ID` or
//! `?after=REVISION` goes on from there. Once that has been compacted away the answer is 410, and where to begin anew.

mod wire;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jeton_core::change::{Change, Revision};
use jeton_service::{NotInLog, Watching};
use serde_json::json;

use crate::Shared;
use crate::ask::{self, Ask};
use crate::gate::Prefers;
use crate::operations::{problem, tell};
use crate::streams::{self, Teller};
use crate::trouble::Trouble;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(crate) async fn changes(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (_, ask) = ask::open(&shared, request, Prefers::Authorization).await;
    let outcome = async { follow(&ask?).await };
    outcome.await.unwrap_or_else(|trouble| tell(&trouble))
}

async fn follow(ask: &Ask) -> Result<Response, Trouble> {
    let after = place(ask)?;
    let watch = match ask.service().watch_changes(&ask.session, after).await? {
        Ok(watch) => watch,
        Err(not_in_log) => return Ok(gone(not_in_log)),
    };
    let mut lines = Lines { events: wants_events(&ask.headers) };
    let kind = if lines.events { "text/event-stream" } else { "application/x-ndjson" };
    let vary = [(VARY, HeaderValue::from_static("accept"))];
    // A HEAD asks what it would get, and waits for nothing.
    if ask.method == Method::HEAD {
        return Ok((vary, streams::headers(kind)).into_response());
    }
    let mut text = Vec::new();
    lines.beat(watch.post().told(), &mut text);
    let stream = streams::answer(kind, watch, lines, text, ask.shared.settings.stream_keepalive);
    Ok((vary, stream).into_response())
}

/// Where to go on. The header counts first: a browser that comes back repeats the address that it began with.
fn place(ask: &Ask) -> Result<Option<Revision>, Trouble> {
    let header = ask.headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?").into());
    let (name, given) = match (header, ask.query().first("after")) {
        (Some(header), _) => ("Last-Event-ID", header),
        (None, Some(after)) => ("after", after),
        (None, None) => return Ok(None),
    };
    let number = given.parse().map_err(|_| {
        Trouble::invalid(format!("{name} must be a revision: the id of the last change that you have, or 0"))
    })?;
    Ok(Some(Revision::new(number)))
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}

/// What to do for somebody who was away for too long.
fn gone(NotInLog { oldest, newest }: NotInLog) -> Response {
    let detail = format!(
        "The change log reaches from revision {oldest} to {newest}: read what there is anew, then follow the changes after \
         the revision that was the newest before you began to read",
        oldest = oldest.number(),
        newest = newest.number()
    );
    let snapshot = ["/api/v2/tokens?showAll=true", "/api/v2/members", "/api/v2/roles"];
    problem(StatusCode::GONE, &detail, |json| {
        json.raw(r#","oldest":"#).value(&oldest.number()).raw(r#","newest":"#).value(&newest.number());
        json.raw(r#","snapshot":"#).value(&snapshot);
    })
}

/// Writes changes as events or as lines.
struct Lines {
    events: bool,
}

impl Lines {
    fn write(&self, kind: &str, revision: Revision, data: &str, text: &mut Vec<u8>) {
        let written = if self.events {
            format!("event: {kind}\nid: {}\ndata: {data}\n\n", revision.number())
        } else {
            format!("{data}\n")
        };
        text.extend_from_slice(written.as_bytes());
    }
}

impl Teller<Vec<Arc<Change>>> for Lines {
    fn tell(&mut self, changes: Vec<Arc<Change>>, text: &mut Vec<u8>) {
        for change in changes {
            self.write(change.event.name(), change.revision, &wire::change(&change).to_string(), text);
        }
    }

    fn beat(&mut self, told: Revision, text: &mut Vec<u8>) {
        let data = json!({ "kind": KEEP_ALIVE, "revision": told.number() });
        self.write(KEEP_ALIVE, told, &data.to_string(), text);
    }
}

/// The kind of a sign of life: everything up to its revision has been told.
const KEEP_ALIVE: &str = "keep-alive";
