//! Cross-origin access for an API that browsers may call from any page (the Fetch standard, section 3.3).
//!
//! Any origin is welcome because the credential is a header that a script must hold already: there are no cookies, and
//! `Access-Control-Allow-Credentials` is never sent, so a page can't borrow what its visitor is signed in to.
//!
//! Plain functions over headers: whether a path takes part is for its surface to say.

use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

/// Methods that a page may use.
pub const ALLOWED_METHODS: &str = "OPTIONS, GET, POST, PATCH, DELETE";

/// Request headers that a page may send.
pub const ALLOWED_HEADERS: &str = "Accept, Content-Type, Content-Length, Accept-Encoding, Authorization, \
                                   LD-API-Version, X-HTTP-Method-Override";

/// Response headers that a page may read beyond those that it always may.
pub const EXPOSED_HEADERS: &str = "X-Ratelimit-Global-Limit, X-Ratelimit-Global-Remaining, \
    X-Ratelimit-Route-Limit, X-Ratelimit-Route-Remaining, X-Ratelimit-Reset, X-Ratelimit-Auth-Token-Limit, \
    X-Ratelimit-Auth-Token-Remaining, X-Ratelimit-Auth-Token-Reset, Retry-After, X-Request-Id";

/// How long a browser may remember the answer to a preflight, in seconds.
pub const MAX_AGE_SECONDS: &str = "300";

/// Lets the page that sent `request` read the answer. Belongs on every answer, errors included: without it a script
/// sees a failed request instead of the error.
pub fn allow(request: &HeaderMap, answer: &mut HeaderMap) {
    allow_origin(request, answer);
    answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
}

/// The answer to a preflight, or to any other OPTIONS: 204 and what is allowed.
pub fn preflight(request: &HeaderMap) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    allow_origin(request, headers);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(ALLOWED_METHODS));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_SECONDS));
    answer
}

fn allow_origin(request: &HeaderMap, answer: &mut HeaderMap) {
    let origin = request.get(ORIGIN).cloned();
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.unwrap_or(HeaderValue::from_static("*")));
    // Sent without an Origin too: a cache that stored that answer must not hand it to a page.
    answer.append(VARY, HeaderValue::from_static("Origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(origin: Option<&'static str>) -> HeaderMap {
        origin.map(|text| (ORIGIN, HeaderValue::from_static(text))).into_iter().collect()
    }

    #[test]
    fn the_origin_is_echoed_else_any() {
        for (origin, expected) in [(Some("https://app.example"), "https://app.example"), (None, "*")] {
            let mut answer = HeaderMap::new();
            allow(&asking(origin), &mut answer);
            assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], expected);
            assert_eq!(answer[VARY], "Origin");
            assert!(answer[ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap().contains("X-Ratelimit-Reset"));
        }
    }

    #[test]
    fn vary_keeps_what_was_there() {
        let mut answer = HeaderMap::from_iter([(VARY, HeaderValue::from_static("Accept"))]);
        allow(&asking(None), &mut answer);
        let all: Vec<_> = answer.get_all(VARY).iter().collect();
        assert_eq!(all, ["Accept", "Origin"]);
    }

    #[test]
    fn a_preflight_is_answered_whole() {
        let answer = preflight(&asking(Some("null")));
        let mut headers: Vec<_> = answer.headers().iter().map(|(name, _)| name.as_str()).collect();
        headers.sort_unstable();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(
            headers,
            [
                "access-control-allow-headers",
                "access-control-allow-methods",
                "access-control-allow-origin",
                "access-control-max-age",
                "vary",
            ],
            "credentials are never allowed"
        );
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "null");
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_METHODS], ALLOWED_METHODS);
        assert_eq!(answer.headers()[ACCESS_CONTROL_MAX_AGE], "300");
    }
}
