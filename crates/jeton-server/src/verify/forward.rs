//! Forward authentication: a gateway has a request before it, and asks whether to let it through.
//!
//! Each mount believes one family of headers and no other, since a gateway replaces only its own: the client could send
//! the rest. `/verify/x-forwarded` is for Traefik, Caddy and HAProxy, `/verify/x-original` for nginx, and `/ext-authz/…`
//! for Envoy, where the request line itself is the client's.
//!
//! What a request needs stands in the query (`action` and `resource`), or follows from the route map. With neither, a good
//! token is enough. Good is 200 with an empty body, since Envoy and others take 204 for a refusal; 401 and 403 are the
//! answers to give to the client. The body is never read: nginx announces one that it does not send.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jeton_core::policy::Resource;
use jeton_service::{Requirement, Verdict, Verified};
use serde_json::json;

use super::asker::{Asker, client_of};
use super::{NO_STORE, Need, headers};
use crate::Shared;
use crate::gate::{Prefers, presented};
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
    let (headers, query) = (request.headers(), Query::of(request.uri()));
    answer(&shared, &request, first(headers, &ORIGINAL_METHOD), first(headers, &ORIGINAL_URI), query)
}

pub(crate) async fn x_forwarded(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (headers, query) = (request.headers(), Query::of(request.uri()));
    answer(&shared, &request, first(headers, &FORWARDED_METHOD), first(headers, &FORWARDED_URI), query)
}

/// The client's own request line, behind a prefix. Its query is the client's too, and says nothing of what is needed.
pub(crate) async fn ext_authz(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    let uri = path.strip_prefix(EXT_AUTHZ).unwrap_or_default();
    answer(&shared, &request, request.method().as_str(), uri, Query::from_text(""))
}

/// The first of several headers that is there, as text.
fn first<'h>(headers: &'h HeaderMap, names: &[HeaderName]) -> &'h str {
    let found = names.iter().find_map(|name| headers.get(name));
    found.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn answer(shared: &Arc<Shared>, request: &Request, method: &str, uri: &str, query: Query<'_>) -> Response {
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Unix);
    let outcome = decide(shared, request.headers(), peer, method, uri, query);
    match outcome {
        Ok(verified) => good(shared, verified.as_ref()),
        Err(trouble) => refused(&trouble, query),
    }
}

/// Lets the request through, with who sent it if that was asked; or says what to answer it.
fn decide(
    shared: &Arc<Shared>,
    headers: &HeaderMap,
    peer: Peer,
    method: &str,
    uri: &str,
    query: Query<'_>,
) -> Result<Option<Verified>, Trouble> {
    let asker = Asker::gateway(shared, headers, peer)?;
    on_limit(query)?;
    let need = need(shared, method, uri, query)?;
    let permission = match &need {
        Need::Nothing => return Ok(None),
        Need::Denied(_) => {
            // A stranger is not told which paths there are.
            verified(shared, &asker, headers, peer, None)?;
            return Err(Trouble::Forbidden);
        }
        Need::Token => None,
        Need::Permission { action, resource } => Some((action.as_str(), resource.as_str())),
    };
    let requirement = match permission {
        None => None,
        Some((action, resource)) => {
            let resource = Resource::parse(resource).ok_or_else(|| Trouble::invalid(NO_RESOURCE))?;
            Some(Requirement { action, resource })
        }
    };
    verified(shared, &asker, headers, peer, requirement).map(Some)
}

/// Whether words that only the gateway may say came with its client's query. Some gateways hand that on where the address
/// in their configuration has no query of its own (Caddy does), and then the client would choose what it needs. They are
/// not passed over: where the operator did write them, a client that sends the very same must not make them vanish.
fn is_the_clients(query: Query<'_>, uri: &str) -> bool {
    let theirs = uri.split_once('?').map_or("", |(_, query)| query);
    let ours = ["action", "resource", "on_limit"];
    ours.into_iter().any(|name| Query::from_text(theirs).has(name)) && query.text().contains(theirs)
}

const THE_CLIENTS: &str = "the gateway hands its client's query on to this server: write its address with a query of its \
                           own, or end it with ?";

const NO_RESOURCE: &str = "resource names no resource: give one like proj/KEY:env/KEY:flag/KEY or member/ID";

/// What the request needs: as the gateway's own address says, or else the route map.
fn need(shared: &Shared, method: &str, uri: &str, query: Query<'_>) -> Result<Need, Trouble> {
    if is_the_clients(query, uri) {
        return Err(Trouble::invalid(THE_CLIENTS));
    }
    match (query.first("action"), query.first("resource")) {
        (Some(action), Some(resource)) => {
            Ok(Need::Permission { action: action.into_owned(), resource: resource.into_owned() })
        }
        (None, None) => {
            Ok(shared.settings.verify.route_map.as_ref().map_or(Need::Token, |map| map.need(method, uri)))
        }
        _ => Err(Trouble::invalid("action and resource go together: give both or neither")),
    }
}

fn verified(
    shared: &Arc<Shared>,
    asker: &Asker,
    headers: &HeaderMap,
    peer: Peer,
    requirement: Option<Requirement<'_>>,
) -> Result<Verified, Trouble> {
    let failed = |trouble| shared.gate.failed(&shared.service, client_of(shared, headers, peer), trouble);
    let Some(secret) = presented(headers, Prefers::Authorization) else {
        return Err(failed(Trouble::NoSecret));
    };
    let session = match asker {
        Asker::Gateway => None,
        Asker::Session(session) => Some(session),
    };
    let presented = shared.service.present(secret);
    match shared.verdict(Surface::Forward, session, presented, requirement) {
        Verdict::Allowed(verified) => Ok(verified),
        Verdict::Forbidden(_) => Err(Trouble::Forbidden),
        Verdict::Inactive => Err(failed(Trouble::BadSecret)),
    }
}

fn good(shared: &Shared, verified: Option<&Verified>) -> Response {
    let mut response = StatusCode::OK.into_response();
    headers::write(verified, response.headers_mut());
    let cache = cacheable_for(shared, verified).map_or(NO_STORE, |seconds| {
        HeaderValue::from_str(&format!("private, max-age={seconds}")).unwrap_or(NO_STORE)
    });
    response.headers_mut().insert(CACHE_CONTROL, cache);
    response
}

/// For how many seconds a good answer may be kept: never beyond the token's end.
fn cacheable_for(shared: &Shared, verified: Option<&Verified>) -> Option<u64> {
    let most = shared.settings.verify.max_age.as_secs();
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
