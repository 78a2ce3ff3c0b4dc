//! Operations: whether the server lives, and whether it is ready. Also the words for paths that belong to no dialect.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{Router, get};
use jeton_core::refusal::Refusal;
use serde_json::json;

use crate::Shared;
use crate::http::body::BodyRefused;
use crate::http::json::Json;
use crate::routes::{self, Path};
use crate::trouble::{Trouble, harmless};
use crate::{changes, explain, metrics, openapi};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    routes::exactly(paths())
}

/// Every path there is.
pub(crate) fn paths() -> Vec<Path> {
    vec![
        ("/healthz", get(healthz).fallback(no_such_method)),
        ("/readyz", get(readyz).fallback(no_such_method)),
        ("/explain", get(explain::explain).fallback(no_such_method)),
        ("/metrics", get(metrics::metrics).fallback(no_such_method)),
        ("/changes", get(changes::changes).fallback(no_such_method)),
        ("/openapi.json", get(openapi::openapi).fallback(no_such_method)),
    ]
}

/// The process answers. Whether it can do its work is for `readyz` to say.
async fn healthz() -> Response {
    reply(StatusCode::OK, r#"{"status":"ok"}"#)
}

/// The index is built, the committer takes changes, and what is known is fresh.
async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    let ready = shared.service.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if ready { "ready" } else { "unavailable" };
    let revision = shared.service.index().revision().number();
    let mut body = json!({ "status": word, "revision": revision });
    if let Some(age) = shared.service.standing().and_then(|standing| standing.age) {
        body["ageMs"] = u64::try_from(age.as_millis()).unwrap_or(u64::MAX).into();
    }
    reply(status, body.to_string())
}

/// Says how old an answer may be that was made after the lease had passed (RFC 9111, section 5.1): where the operator chose
/// such answers, whoever asked can still tell.
pub(crate) async fn say_its_age(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    // Made from what was known at some instant between these two.
    let look = || shared.service.standing().filter(|standing| standing.is_overdue);
    let before = look();
    let mut response = next.run(request).await;
    if let Some(age) = look().or(before).and_then(|standing| standing.age) {
        // Rounded up: nobody may take it for newer than it is.
        let seconds = age.as_secs() + u64::from(age.subsec_nanos() > 0);
        response.headers_mut().insert(AGE, HeaderValue::from(seconds));
    }
    response
}

/// The answer to a path that no surface has.
pub(crate) async fn no_such_route(request: Request) -> Response {
    tell(&Trouble::NoSuchRoute { path: request.uri().path().to_owned() })
}

pub(crate) async fn no_such_method() -> Response {
    tell(&Trouble::NoSuchMethod)
}

pub(crate) fn reply(status: StatusCode, body: impl Into<Body>) -> Response {
    let json = HeaderValue::from_static("application/json");
    let no_store = HeaderValue::from_static("no-store");
    (status, [(CONTENT_TYPE, json), (CACHE_CONTROL, no_store)], body.into()).into_response()
}

/// More than a problem takes besides its detail, in bytes.
const PROBLEM: usize = 128;

/// A problem in the form of RFC 9457.
pub(crate) fn tell(trouble: &Trouble) -> Response {
    let (status, detail) = words(trouble);
    let mut response = problem(status, &detail, |_| {});
    challenge(&mut response, trouble);
    retry_after(&mut response, trouble);
    response
}

/// The status of a trouble, and what is to be said of it.
pub(crate) fn words(trouble: &Trouble) -> (StatusCode, String) {
    let (status, detail) = match trouble {
        Trouble::NoSecret | Trouble::BadSecret => (StatusCode::UNAUTHORIZED, "Invalid token".to_owned()),
        Trouble::TooManyFailures(_) | Trouble::TooManyRequests(_) => {
            (StatusCode::TOO_MANY_REQUESTS, "Too many requests: wait as long as Retry-After says".to_owned())
        }
        Trouble::Body(refused) => (body_status(*refused), refused.to_string()),
        Trouble::Json(bad) => (StatusCode::BAD_REQUEST, bad.to_string()),
        Trouble::Invalid { message, .. } => (StatusCode::BAD_REQUEST, message.clone()),
        Trouble::Unpatchable { message } => (StatusCode::UNPROCESSABLE_ENTITY, message.clone()),
        Trouble::NoSuchRoute { path } => (
            StatusCode::NOT_FOUND,
            format!("There is nothing at {path}: Canvus v1 is under /api/v1, LaunchDarkly v2 under /api/v2"),
        ),
        Trouble::NoSuchMethod => {
            (StatusCode::METHOD_NOT_ALLOWED, "This path has other methods: see the Allow header".to_owned())
        }
        Trouble::Forbidden => (StatusCode::FORBIDDEN, FORBIDDEN.to_owned()),
        Trouble::Refused(refusal @ Refusal::NoSuchToken) => (StatusCode::NOT_FOUND, refusal.to_string()),
        Trouble::Refused(refusal) => (StatusCode::FORBIDDEN, refusal.to_string()),
        Trouble::Failed(failure) => (StatusCode::SERVICE_UNAVAILABLE, failure.to_string()),
        Trouble::Internal => (StatusCode::INTERNAL_SERVER_ERROR, INTERNAL.to_owned()),
    };
    (status, harmless(&detail))
}

/// A problem in the form of RFC 9457, and what `more` writes behind its members.
pub(crate) fn problem(status: StatusCode, detail: &str, more: impl FnOnce(&mut Json<'_>)) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let mut text = Vec::with_capacity(PROBLEM + detail.len());
    let mut json = Json::onto(&mut text);
    json.raw(r#"{"type":"about:blank","title":"#).plain(title.as_bytes());
    json.raw(r#","status":"#).value(&status.as_u16()).raw(r#","detail":"#).text(detail);
    more(&mut json);
    json.raw("}");
    let mut response = reply(status, text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// What a good token is told that may not do what is asked of it.
pub(crate) const FORBIDDEN: &str =
    "The token is good, but may not do this: ask for one that may, or look with `jeton explain` at why";

/// What a bug looks like from outside.
pub(crate) const INTERNAL: &str =
    "The server made a mistake: its operator finds it in the log by the request id";

/// The status of a body that was not taken.
pub(crate) fn body_status(refused: BodyRefused) -> StatusCode {
    match refused {
        BodyRefused::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BodyRefused::TooSlow => StatusCode::REQUEST_TIMEOUT,
        BodyRefused::Broken => StatusCode::BAD_REQUEST,
    }
}

/// Says how to authenticate (RFC 9110, section 11.6.1). Whoever presented nothing is told no error (RFC 6750, section
/// 3.1): there was none, and some clients take one for the end of their session.
pub(crate) fn challenge(response: &mut Response, trouble: &Trouble) {
    let challenge = match trouble {
        // RFC 9110, section 11.6.1: every 401 has a challenge, and this is the only scheme there is.
        Trouble::NoSecret | Trouble::Refused(Refusal::WrongPassword) => r#"Bearer realm="jeton""#,
        Trouble::BadSecret => r#"Bearer realm="jeton", error="invalid_token""#,
        Trouble::Forbidden => r#"Bearer realm="jeton", error="insufficient_scope""#,
        _ => return,
    };
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
}

/// Says when to come back, where the trouble passes by itself (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(response: &mut Response, trouble: &Trouble) {
    let seconds = match trouble {
        Trouble::TooManyFailures(verdict) | Trouble::TooManyRequests(verdict) => verdict.retry_after_s.max(1),
        Trouble::Failed(_) => 1,
        _ => return,
    };
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
}
