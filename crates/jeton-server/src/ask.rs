//! An admitted request, whole: who asks, where, with which body. What a handler starts from.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use bytes::Bytes;
use jeton_core::refusal::Refusal;
use jeton_service::{Service, Session};
use percent_encoding::percent_decode_str;

use crate::Shared;
use crate::gate::{Admitted, Prefers, presented};
use crate::http::body;
use crate::http::listen::Peer;
use crate::http::query::Query;
use crate::http::rate_limit::Verdict;
use crate::origin::Origin;
use crate::trouble::Trouble;

pub(crate) struct Ask {
    pub(crate) shared: Arc<Shared>,
    pub(crate) session: Session,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    uri: Uri,
    /// Read only for methods that have a body by definition: what clients send along with GET and DELETE is nothing
    /// that anybody meant.
    pub(crate) body: Bytes,
}

impl Ask {
    pub(crate) fn service(&self) -> &Service {
        &self.shared.service
    }

    pub(crate) fn query(&self) -> Query<'_> {
        Query::of(&self.uri)
    }

    /// A segment of the path, from 0, decoded. Bytes that are not UTF-8 become U+FFFD, which no id contains.
    pub(crate) fn path_segment(&self, number: usize) -> Cow<'_, str> {
        let segment = self.uri.path().split('/').nth(number + 1).unwrap_or_default();
        // Ids hold nothing that has to be decoded, and nearly all that comes is an id.
        if segment.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Cow::Borrowed(segment);
        }
        percent_decode_str(segment).decode_utf8_lossy()
    }
}

/// A request that needs no secret.
pub(crate) struct Stranger {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Peer,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Stranger {
    pub(crate) fn origin(&self) -> Origin<'_> {
        Origin { peer: self.peer, headers: &self.headers }
    }
}

/// Reads the body of a request that needs no secret, whatever it may present.
pub(crate) async fn of_stranger(shared: &Arc<Shared>, request: Request) -> Result<Stranger, Trouble> {
    let peer = Peer::of(request.extensions());
    let settings = &shared.settings;
    let (parts, body) = request.into_parts();
    let body = body::read(body, settings.max_body_bytes, settings.body_timeout).await?;
    Ok(Stranger { shared: Arc::clone(shared), peer, headers: parts.headers, body })
}

/// Admits the sender of a request, who is asked for before and after the body arrives: before, so that strangers can't
/// fill memory with bodies, and after, because a token may have died while a body took its time.
///
/// The verdict on the sender's rate comes back beside the outcome, for the headers of whatever answer follows.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    request: Request,
    prefers: Prefers,
) -> (Option<Verdict>, Result<Ask, Trouble>) {
    let peer = Peer::of(request.extensions());
    let (parts, body) = request.into_parts();
    let origin = Origin { peer, headers: &parts.headers };
    let admitted = shared.gate.admit(&shared.service, origin, prefers).await;
    let Admitted { session, rate } = match admitted {
        Ok(admitted) => admitted,
        Err(trouble) => return (None, Err(trouble)),
    };
    let ask = async {
        // Whoever was sent from one node of a cluster to another finds here what they did there.
        shared.service.catch_up().await.map_err(Trouble::Failed)?;
        read(shared, session, parts, body).await
    };
    (rate, ask.await)
}

/// Runs the handler of an admitted request. Whoever wants something removed and is told that there is no such thing takes it
/// for dead, like the one who removed it: perhaps it was they, and their first answer was lost. So they are told no earlier.
pub(crate) async fn handle<Done>(ask: Ask, handler: impl FnOnce(Ask) -> Done) -> Result<Response, Trouble>
where
    Done: Future<Output = Result<Response, Trouble>>,
{
    let (shared, removes) = (Arc::clone(&ask.shared), ask.method == Method::DELETE);
    let outcome = handler(ask).await;
    let is_gone = matches!(
        outcome,
        Err(Trouble::Refused(Refusal::NoSuchToken | Refusal::NoSuchMember | Refusal::NoSuchCustomRole))
    );
    if removes && is_gone {
        shared.service.until_all_know().await?;
    }
    outcome
}

/// As [`open`], for those who ask about the tokens of others: they are not counted.
pub(crate) async fn open_uncounted(shared: &Arc<Shared>, request: Request) -> Result<Ask, Trouble> {
    let peer = Peer::of(request.extensions());
    let (parts, body) = request.into_parts();
    let origin = Origin { peer, headers: &parts.headers };
    let secret = presented(origin.headers, Prefers::Authorization);
    let session = shared.gate.identify(&shared.service, secret, origin).await?;
    read(shared, session, parts, body).await
}

/// Reads the rest of an admitted sender's request.
async fn read(shared: &Arc<Shared>, session: Session, parts: Parts, body: Body) -> Result<Ask, Trouble> {
    let mut ask = Ask {
        shared: Arc::clone(shared),
        session,
        method: parts.method,
        headers: parts.headers,
        uri: parts.uri,
        body: Bytes::new(),
    };
    if matches!(ask.method, Method::POST | Method::PATCH | Method::PUT) {
        let settings = &shared.settings;
        ask.body = body::read(body, settings.max_body_bytes, settings.body_timeout).await?;
        ask.session = shared.service.renewed(&ask.session)?;
    }
    Ok(ask)
}
