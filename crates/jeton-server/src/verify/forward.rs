//! Forward authentication: a gateway has a request before it, and asks whether to let it through.
//!
//! Each mount believes one family of headers and no other, since a gateway replaces only its own: the client could send
//! the rest. `/verify/x-forwarded` is for Traefik, Caddy and HAProxy, `/verify/x-original` for nginx, and `/ext-authz/…`
//! for Envoy, where the request line itself is the client's.
//!
//! The decision is [`decide`]'s. Good is 200 with an empty body, since Envoy and others take 204 for a refusal; 401 and 403
//! are the answers to give to the client. The body is never read: nginx announces one that it does not send.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use jeton_service::Verified;
use serde_json::json;

use super::asker::Asker;
use super::decision::{Question, decide};
use super::{NO_STORE, headers};
use crate::Shared;
use crate::http::listen::Peer;
use crate::http::query::Query;
use crate::metrics::Surface;
use crate::operations::{challenge, problem, retry_after, tell};
use crate::trouble::Trouble;

const ORIGINAL_METHOD: [HeaderName; 1] = [HeaderName::from_static("x-original-method")];
/// nginx has no name of its own for it; the second one is that of its ingress for Kubernetes.
const ORIGINAL_URI: [HeaderName; 2] =
    [HeaderName::from_static("x-original-uri"), HeaderName::from_static("x-original-url")];
const FORWARDED_METHOD: [HeaderName; 1] = [HeaderName::from_static("x-forwarded-method")];
const FORWARDED_URI: [HeaderName; 1] = [HeaderName::from_static("x-forwarded-uri")];

/// Where Envoy's requests stand.
const EXT_AUTHZ: &str = "/ext-authz";

pub(crate) async fn x_original(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (asked, query) = (Asked::of(&request), Query::of(request.uri()));
    asked.answer(&shared, asked.first(&ORIGINAL_METHOD), asked.first(&ORIGINAL_URI), query).await
}

pub(crate) async fn x_forwarded(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (asked, query) = (Asked::of(&request), Query::of(request.uri()));
    asked.answer(&shared, asked.first(&FORWARDED_METHOD), asked.first(&FORWARDED_URI), query).await
}

/// The client's own request line, behind a prefix. Its query is the client's too, and says nothing of what is needed.
pub(crate) async fn ext_authz(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    let uri = path.strip_prefix(EXT_AUTHZ).unwrap_or_default();
    Asked::of(&request).answer(&shared, request.method().as_str(), uri, Query::from_text("")).await
}

/// Who asks, and with which headers.
#[derive(Clone, Copy)]
struct Asked<'r> {
    peer: Peer,
    headers: &'r HeaderMap,
}

impl<'r> Asked<'r> {
    fn of(request: &'r Request) -> Self {
        Self { peer: Peer::of(request.extensions()), headers: request.headers() }
    }

    /// The first of several headers that is there, as text.
    fn first(self, names: &[HeaderName]) -> &'r str {
        let found = names.iter().find_map(|name| self.headers.get(name));
        found.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    async fn answer(self, shared: &Arc<Shared>, method: &str, uri: &str, query: Query<'_>) -> Response {
        let Self { peer, headers } = self;
        let outcome = async {
            let asker = Asker::gateway(shared, headers, peer).await?;
            on_limit(query)?;
            let surface = Surface::Forward;
            decide(shared, &Question { surface, asker, peer, headers, method, uri, query }).await
        };
        match outcome.await {
            Ok(verified) => good(shared, verified.as_ref()),
            Err(trouble) => refused(&trouble, query),
        }
    }
}

fn good(shared: &Shared, verified: Option<&Verified>) -> Response {
    let mut response = Response::default();
    *response.headers_mut() = headers::of(verified);
    if let Some(seconds) = cacheable_for(shared, verified) {
        let cache = HeaderValue::from_str(&format!("private, max-age={seconds}")).unwrap_or(NO_STORE);
        response.headers_mut().insert(CACHE_CONTROL, cache);
    }
    response
}

/// For how many seconds a good answer may be kept: never beyond the token's end.
fn cacheable_for(shared: &Shared, verified: Option<&Verified>) -> Option<u64> {
    let most = Some(shared.settings.verify.max_age.as_secs()).filter(|most| *most > 0)?;
    let left = verified?.expires_at.map_or(u64::MAX, |end| {
        let millis = end.as_millis().saturating_sub(shared.service.now().as_millis());
        u64::try_from(millis / 1000).unwrap_or(0)
    });
    Some(most.min(left)).filter(|seconds| *seconds > 0)
}

fn refused(trouble: &Trouble, query: Query<'_>) -> Response {
    let response = tell(trouble);
    match on_limit(query) {
        Ok(instead) if response.status() == StatusCode::TOO_MANY_REQUESTS && instead != response.status() => {
            let mut said = problem(instead, TOO_MANY, json!({}));
            retry_after(&mut said, trouble);
            if instead == StatusCode::UNAUTHORIZED {
                // RFC 9110, section 15.5.2: every 401 has a challenge.
                challenge(&mut said, &Trouble::NoSecret);
            }
            said
        }
        _ => response,
    }
}

const TOO_MANY: &str = "Too many failed attempts: check the token, and wait as long as Retry-After says";

/// What to say in place of 429, which some gateways can't pass on.
fn on_limit(query: Query<'_>) -> Result<StatusCode, Trouble> {
    match query.first("on_limit").as_deref() {
        None | Some("429") => Ok(StatusCode::TOO_MANY_REQUESTS),
        Some("401") => Ok(StatusCode::UNAUTHORIZED),
        Some("403") => Ok(StatusCode::FORBIDDEN),
        Some(_) => Err(Trouble::invalid("on_limit must be 401, 403 or 429")),
    }
}
