//! What is answered in place of the service: problems as RFC 9457 shapes them, with the challenges of RFC 6750.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

/// Why a request is not let through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    NoToken,
    BadToken,
    Forbidden,
    Unavailable,
}

impl Refusal {
    pub(crate) fn response(self) -> Response<Full<Bytes>> {
        let (status, detail) = match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, "This needs an access token"),
            Self::BadToken => (StatusCode::UNAUTHORIZED, "Invalid token"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "The token is good, but may not do this"),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "The token can't be verified at the moment: try again")
            }
        };
        let title = status.canonical_reason().unwrap_or("Error");
        let body =
            json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
        let mut response = Response::new(Full::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let (name, value) = match self {
            // RFC 6750, section 3.1: whoever presented nothing has made no error.
            Self::NoToken => (WWW_AUTHENTICATE, "Bearer"),
            Self::BadToken => (WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#),
            Self::Forbidden => (WWW_AUTHENTICATE, r#"Bearer error="insufficient_scope""#),
            Self::Unavailable => (RETRY_AFTER, "1"),
        };
        headers.insert(name, HeaderValue::from_static(value));
        response
    }
}
