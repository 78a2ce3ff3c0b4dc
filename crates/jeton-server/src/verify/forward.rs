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
use axum::http::header::{CACHE_CONTROL, VARY};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use jeton_service::Verified;

use super::asker::Asker;
use super::decision::{Question, decide};
use super::{NO_STORE, headers};
use crate::Shared;
use crate::gate::contradicts_itself;
use crate::http::query::Query;
use crate::metrics::Surface;
use crate::operations::{challenge, problem, retry_after, tell};
use crate::origin::Origin;
use crate::trouble::Trouble;

const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
/// As nginx' ingress for Kubernetes says it: with the scheme and the host.
const ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// What an answer depends on besides the address that was asked, for whoever keeps it (RFC 9110, section 12.5.5).
const DEPENDS_ON: HeaderValue = HeaderValue::from_static(
    "authorization, private-token, x-original-method, x-original-uri, x-original-url, x-forwarded-method, \
     x-forwarded-uri, x-jeton-credential",
);

/// Where Envoy's requests stand.
const EXT_AUTHZ: &str = "/ext-authz";

const BOTH: &str = "there are both X-Original-URI and X-Original-URL: the gateway sets one of them, and has to remove the \
                    other, which is its client's";

pub(crate) async fn x_original(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let asked = Asked::of(&request, Query::of(request.uri()));
    let uri = asked.original_uri();
    asked.answer(&shared, Surface::Forward, asked.text(&ORIGINAL_METHOD), uri).await
}

pub(crate) async fn x_forwarded(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let asked = Asked::of(&request, Query::of(request.uri()));
    let uri = Ok(asked.text(&FORWARDED_URI));
    asked.answer(&shared, Surface::Forward, asked.text(&FORWARDED_METHOD), uri).await
}

/// The client's own request line, behind a prefix. Its query is the client's too, and says nothing of what is needed.
pub(crate) async fn ext_authz(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    let uri = path.strip_prefix(EXT_AUTHZ).unwrap_or_default();
    let asked = Asked::of(&request, Query::from_text(""));
    asked.answer(&shared, Surface::ExtAuthz, request.method().as_str(), Ok(uri)).await
}

/// Whether this is the path of a request that Envoy asks about.
pub(super) fn is_envoys(path: &str) -> bool {
    path.strip_prefix(EXT_AUTHZ).is_some_and(|theirs| theirs.starts_with('/'))
}

/// Who asks, with which headers, and what the address that they ask at says.
#[derive(Clone, Copy)]
struct Asked<'r> {
    origin: Origin<'r>,
    query: Query<'r>,
}

impl<'r> Asked<'r> {
    fn of(request: &'r Request, query: Query<'r>) -> Self {
        Self { origin: Origin::of(request), query }
    }

    /// A header as text, which is empty where it is not there, and where it is there with several values: a gateway that adds
    /// its own to its client's would leave it open which one that is.
    fn text(self, name: &HeaderName) -> &'r str {
        let headers = self.origin.headers;
        let only = headers.get(name).filter(|_| !contradicts_itself(headers, name));
        only.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// From whichever of two headers the gateway sets. Where both came it is not known which one that was.
    fn original_uri(self) -> Result<&'r str, Trouble> {
        let is_there = |name: &HeaderName| self.origin.headers.get_all(name).iter().any(|it| !it.is_empty());
        match (is_there(&ORIGINAL_URI), is_there(&ORIGINAL_URL)) {
            (true, true) => Err(Trouble::invalid(BOTH)),
            (false, true) => Ok(from_the_path(self.text(&ORIGINAL_URL))),
            _ => Ok(self.text(&ORIGINAL_URI)),
        }
    }

    async fn answer(
        self,
        shared: &Arc<Shared>,
        surface: Surface,
        method: &str,
        uri: Result<&str, Trouble>,
    ) -> Response {
        let Self { origin, query } = self;
        let outcome = async {
            let asker = Asker::gateway(shared, origin).await?;
            on_limit(query)?;
            decide(shared, &Question { surface, asker, origin, method, uri: uri?, query }).await
        };
        match outcome.await {
            Ok(verified) => good(shared, verified.as_ref()),
            Err(trouble) => refused(&trouble, query),
        }
    }
}

/// An address from its path on.
fn from_the_path(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return url };
    rest.find(['/', '?']).map_or("/", |path| &rest[path..])
}

fn good(shared: &Shared, verified: Option<&Verified>) -> Response {
    let mut response = Response::default();
    *response.headers_mut() = headers::of(verified);
    if let Some(seconds) = cacheable_for(shared, verified) {
        let cache = HeaderValue::from_str(&format!("private, max-age={seconds}")).unwrap_or(NO_STORE);
        response.headers_mut().insert(CACHE_CONTROL, cache);
        response.headers_mut().insert(VARY, DEPENDS_ON);
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
            let mut said = problem(instead, TOO_MANY, |_| {});
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
