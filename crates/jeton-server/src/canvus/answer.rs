//! Answers as Canvus gives them: 200 with JSON, or an error in `msg`.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jeton_core::refusal::Refusal;
use jeton_service::Failure;
use serde::Serialize;
use serde_json::json;

use crate::http::json::BadJsonKind;
use crate::operations::{INTERNAL, body_status, challenge, retry_after};
use crate::trouble::{Trouble, harmless};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200 with a JSON body.
pub(super) fn json(value: &impl Serialize) -> Response {
    with_status(StatusCode::OK, value)
}

fn with_status(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(CONTENT_TYPE, JSON)], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Says no in Canvus's words.
pub(crate) fn tell(trouble: &Trouble) -> Response {
    let (status, msg) = words(trouble);
    let msg = harmless(&msg);
    let mut response = if status == StatusCode::UNAUTHORIZED && !matches!(trouble, Trouble::Refused(_)) {
        // Two generations of the vendor's documentation show two bodies. This one satisfies clients of both.
        with_status(status, &json!({ "message": "401 Unauthorized", "msg": msg }))
    } else {
        with_status(status, &json!({ "msg": msg }))
    };
    challenge(&mut response, trouble);
    retry_after(&mut response, trouble);
    response
}

fn words(trouble: &Trouble) -> (StatusCode, String) {
    match trouble {
        Trouble::NoSecret | Trouble::BadSecret => (StatusCode::UNAUTHORIZED, "Invalid token".to_owned()),
        Trouble::TooManyFailures(_) => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many failed attempts: check the token or the password, and wait".to_owned(),
        ),
        Trouble::TooManyRequests(_) => {
            (StatusCode::TOO_MANY_REQUESTS, "Too many requests with this token: wait a moment".to_owned())
        }
        Trouble::Body(refused) => (body_status(*refused), refused.to_string()),
        Trouble::Json(bad) if bad.kind == BadJsonKind::Empty => {
            (StatusCode::BAD_REQUEST, "description parameter is missing".to_owned())
        }
        Trouble::Json(bad) => (StatusCode::BAD_REQUEST, bad.to_string()),
        Trouble::Invalid { message, .. } => (StatusCode::BAD_REQUEST, message.clone()),
        Trouble::Unpatchable { message } => (StatusCode::UNPROCESSABLE_ENTITY, message.clone()),
        Trouble::NoSuchRoute { path } => (StatusCode::NOT_FOUND, unknown(path)),
        Trouble::NoSuchMethod => {
            (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed: see the Allow header".to_owned())
        }
        Trouble::Forbidden => (StatusCode::FORBIDDEN, "Permission denied".to_owned()),
        Trouble::Refused(refusal) => refused(refusal),
        Trouble::Failed(failure) => (failed(failure), failure.to_string()),
        Trouble::Internal => (StatusCode::INTERNAL_SERVER_ERROR, INTERNAL.to_owned()),
    }
}

fn refused(refusal: &Refusal) -> (StatusCode, String) {
    let status = match refusal {
        // The vendor's words, and no others: clients look for them.
        Refusal::NotAllowed { .. } | Refusal::AdministratorsOnly => {
            return (StatusCode::FORBIDDEN, "Permission denied".to_owned());
        }
        Refusal::ServiceCannotIssuePersonal
        | Refusal::RoleAboveCaller
        | Refusal::CeilingTooDeep
        | Refusal::SecretOfAnother
        | Refusal::StrongerThanCaller
        | Refusal::RetiringSecret
        | Refusal::RightsAboveCaller
        | Refusal::StrongerMember
        | Refusal::OwnerStays
        | Refusal::MemberInactive => {
            return (StatusCode::FORBIDDEN, format!("Permission denied: {refusal}"));
        }
        Refusal::WrongPassword => StatusCode::UNAUTHORIZED,
        Refusal::NoSuchToken | Refusal::NoSuchMember | Refusal::NoSuchCustomRole => StatusCode::NOT_FOUND,
        Refusal::NoSuchRole { .. }
        | Refusal::ServiceScopeFixed
        | Refusal::ExpiryInThePast
        | Refusal::TextTooLong { .. }
        | Refusal::TooManyRoles { .. }
        | Refusal::TokenLimit { .. }
        | Refusal::BadEmail { .. }
        | Refusal::EmailTaken { .. }
        | Refusal::OneOwner
        | Refusal::MemberLimit { .. }
        | Refusal::BadPassword { .. }
        | Refusal::BadRoleKey
        | Refusal::RoleKeyTaken { .. }
        | Refusal::RoleLimit { .. } => StatusCode::BAD_REQUEST,
    };
    (status, refusal.to_string())
}

fn failed(failure: &Failure) -> StatusCode {
    match failure {
        Failure::Contended => StatusCode::CONFLICT,
        Failure::Full => StatusCode::INSUFFICIENT_STORAGE,
        Failure::Unavailable
        | Failure::Stale
        | Failure::Busy
        | Failure::TooManyStreams
        | Failure::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The vendor's servers say what they know no object type for.
fn unknown(path: &str) -> String {
    let object = path.trim_start_matches("/api/v1").trim_matches('/').split('/').next().unwrap_or_default();
    format!("Unknown object type {object}").trim_end().to_owned()
}
