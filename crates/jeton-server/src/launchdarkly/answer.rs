//! Answers as LaunchDarkly gives them.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jeton_core::refusal::Refusal;
use jeton_service::Failure;
use serde::Serialize;

use super::wire;
use crate::http::cors;
use crate::http::rate_limit::Verdict;
use crate::http::request_id::RequestId;
use crate::operations::{INTERNAL, body_status, challenge, retry_after};
use crate::trouble::{Trouble, harmless};

/// Headers of an answer, with those that are added on its way out.
const HEADERS: usize = 12;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A JSON body with a status.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(CONTENT_TYPE, JSON)], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A token with a status.
pub(super) fn token(status: StatusCode, token: &wire::Token<'_>) -> Response {
    let mut response = Response::new(token.json().into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    // Room for all that an answer has in the end.
    headers.reserve(HEADERS);
    headers.insert(CONTENT_TYPE, JSON);
    response
}

/// An error. Typed clients insist on `code` and `message`.
#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<Access<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    /// The addresses that stand in the way of new members.
    #[serde(skip_serializing_if = "Option::is_none")]
    invalid_emails: Option<[&'a str; 1]>,
}

/// What was asked for, where a policy said no.
#[derive(Serialize)]
struct Access<'a> {
    action: &'static str,
    resource: &'a str,
}

/// Which statement said so, or that none allowed it.
#[derive(Serialize)]
#[serde(untagged)]
enum Reason {
    Statement(wire::Statement),
    Silence { effect: &'static str },
}

/// Says no in LaunchDarkly's words, where the request itself is out of reach: to scripts of any origin.
pub(crate) fn tell(trouble: &Trouble, id: &RequestId) -> Response {
    let mut response = tell_maybe(trouble, Some(id));
    cors::allow(&HeaderMap::new(), response.headers_mut());
    response
}

/// Says no in LaunchDarkly's words.
pub(super) fn tell_maybe(trouble: &Trouble, id: Option<&RequestId>) -> Response {
    let (status, code, message) = words(trouble);
    let denied = match trouble {
        Trouble::Refused(Refusal::NotAllowed { action, resource, denied_by }) => {
            let reason = match denied_by {
                Some(statement) => Reason::Statement(wire::Statement::new(statement)),
                None => Reason::Silence { effect: "deny" },
            };
            Some((Access { action, resource }, reason))
        }
        _ => None,
    };
    let taken = match trouble {
        Trouble::Refused(Refusal::EmailTaken { email }) => Some([email.as_str()]),
        _ => None,
    };
    let (access, reason) = denied.unzip();
    let body = ErrorBody {
        code,
        message: harmless(&message),
        id: id.map(RequestId::as_str),
        access,
        reason,
        invalid_emails: taken,
    };
    let mut response = json(status, &body);
    let headers = response.headers_mut();
    if let Trouble::TooManyRequests(verdict) = trouble {
        rate(headers, verdict);
    }
    if let Trouble::TooManyRequests(verdict) | Trouble::TooManyFailures(verdict) = trouble {
        // Clients that retry sleep until this instant.
        headers.insert("x-ratelimit-reset", HeaderValue::from(verdict.reset_at_ms));
    }
    challenge(&mut response, trouble);
    retry_after(&mut response, trouble);
    response
}

fn words(trouble: &Trouble) -> (StatusCode, &'static str, String) {
    let bad_request = |message: String| (StatusCode::BAD_REQUEST, "invalid_request", message);
    match trouble {
        Trouble::NoSecret | Trouble::BadSecret => {
            (StatusCode::UNAUTHORIZED, "unauthorized", "Invalid access token".to_owned())
        }
        Trouble::TooManyFailures(_) => {
            rate_limited("Too many failed attempts from this address: check the token and wait")
        }
        Trouble::TooManyRequests(_) => {
            rate_limited("Too many requests with this token: wait until X-Ratelimit-Reset")
        }
        Trouble::Body(refused) => (body_status(*refused), "invalid_request", refused.to_string()),
        Trouble::Json(bad) => bad_request(bad.to_string()),
        Trouble::Invalid { message, pointer: None } => bad_request(message.clone()),
        Trouble::Invalid { message, pointer: Some(pointer) } => {
            bad_request(format!("{message} (at {pointer})"))
        }
        Trouble::Unpatchable { message } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "patch_failed", message.clone())
        }
        Trouble::NoSuchRoute { path } => {
            (StatusCode::NOT_FOUND, "not_found", format!("There is nothing at {path}"))
        }
        Trouble::NoSuchMethod => (
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "This path has other methods: see the Allow header".to_owned(),
        ),
        Trouble::Forbidden => (StatusCode::FORBIDDEN, "forbidden", crate::operations::FORBIDDEN.to_owned()),
        Trouble::Refused(refusal) => refused(refusal),
        Trouble::Failed(failure) => failed(failure),
        Trouble::Internal => {
            (StatusCode::INTERNAL_SERVER_ERROR, "internal_service_error", INTERNAL.to_owned())
        }
    }
}

fn rate_limited(message: &str) -> (StatusCode, &'static str, String) {
    (StatusCode::TOO_MANY_REQUESTS, "rate_limited", message.to_owned())
}

fn refused(refusal: &Refusal) -> (StatusCode, &'static str, String) {
    let (status, code) = match refusal {
        Refusal::NotAllowed { .. }
        | Refusal::AdministratorsOnly
        | Refusal::ServiceCannotIssuePersonal
        | Refusal::RoleAboveCaller
        | Refusal::CeilingTooDeep
        | Refusal::SecretOfAnother
        | Refusal::StrongerThanCaller
        | Refusal::RetiringSecret
        | Refusal::RightsAboveCaller
        | Refusal::StrongerMember
        | Refusal::OwnerStays
        | Refusal::MemberInactive => (StatusCode::FORBIDDEN, "forbidden"),
        Refusal::WrongPassword => (StatusCode::UNAUTHORIZED, "unauthorized"),
        Refusal::NoSuchToken | Refusal::NoSuchMember | Refusal::NoSuchCustomRole => {
            (StatusCode::NOT_FOUND, "not_found")
        }
        Refusal::EmailTaken { .. } => (StatusCode::BAD_REQUEST, "email_already_exists_in_account"),
        Refusal::RoleKeyTaken { .. } => (StatusCode::CONFLICT, "conflict"),
        Refusal::NoSuchRole { .. }
        | Refusal::ServiceScopeFixed
        | Refusal::ExpiryInThePast
        | Refusal::TextTooLong { .. }
        | Refusal::TooManyRoles { .. }
        | Refusal::TokenLimit { .. }
        | Refusal::BadEmail { .. }
        | Refusal::OneOwner
        | Refusal::MemberLimit { .. }
        | Refusal::BadPassword { .. }
        | Refusal::BadRoleKey
        | Refusal::RoleLimit { .. } => (StatusCode::BAD_REQUEST, "invalid_request"),
    };
    (status, code, refusal.to_string())
}

fn failed(failure: &Failure) -> (StatusCode, &'static str, String) {
    let (status, code) = match failure {
        Failure::Contended => (StatusCode::CONFLICT, "optimistic_locking_error"),
        Failure::Full => (StatusCode::INSUFFICIENT_STORAGE, "insufficient_storage"),
        Failure::Unavailable
        | Failure::Stale
        | Failure::Busy
        | Failure::TooManyStreams
        | Failure::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable"),
    };
    (status, code, failure.to_string())
}

/// What is left of a token's rate.
pub(super) fn rate(headers: &mut HeaderMap, verdict: &Verdict) {
    const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-auth-token-limit");
    const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-auth-token-remaining");
    const RESET: HeaderName = HeaderName::from_static("x-ratelimit-auth-token-reset");
    headers.insert(LIMIT, HeaderValue::from(verdict.limit));
    headers.insert(REMAINING, HeaderValue::from(verdict.remaining));
    headers.insert(RESET, HeaderValue::from(verdict.reset_at_ms));
}
