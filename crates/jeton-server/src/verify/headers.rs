//! Who a verified token is, in headers for the service behind a gateway.
//!
//! Every header is on every good answer, with one value, and never empty: gateways take an empty value for a missing
//! one, and a missing one for leave to keep what the client has sent. Where there is nothing to say, it is `-`.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jeton_service::Verified;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::json::{scope, subject};

/// What a header can't hold, and the sign that says so. Blanks stand between scopes.
const UNSAFE: &AsciiSet = &CONTROLS.add(b'%').add(b',').add(b'"');

/// Nothing to say.
const NONE: HeaderValue = HeaderValue::from_static("-");

/// The headers, by what they say: whom the token acts for, the token, its kind, its account, the owner's address where
/// that is a person, its scopes, and when it ends, in seconds since 1970.
pub(super) const NAMES: [HeaderName; 7] = [
    HeaderName::from_static("x-jeton-subject"),
    HeaderName::from_static("x-jeton-token-id"),
    HeaderName::from_static("x-jeton-kind"),
    HeaderName::from_static("x-jeton-account"),
    HeaderName::from_static("x-jeton-email"),
    HeaderName::from_static("x-jeton-scopes"),
    HeaderName::from_static("x-jeton-expires"),
];

/// Writes who a verified token is into headers.
pub(super) fn write(verified: Option<&Verified>, headers: &mut HeaderMap) {
    headers.reserve(NAMES.len() + 4);
    let values = verified.map_or([NONE; 7], values);
    for (name, value) in NAMES.into_iter().zip(values) {
        headers.insert(name, value);
    }
}

fn values(it: &Verified) -> [HeaderValue; 7] {
    let person = it.kind.is_of_a_person();
    [
        plain(subject(it).hex().as_str()),
        plain(it.token.hex().as_str()),
        HeaderValue::from_static(it.kind.as_str()),
        plain(it.member.account.hex().as_str()),
        if person { text(&it.member.email) } else { NONE },
        text(&scope(it)),
        it.expires_at.map_or(NONE, |end| HeaderValue::from(end.as_millis().div_euclid(1000))),
    ]
}

/// What is visible ASCII already.
fn plain(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(NONE)
}

fn text(text: &str) -> HeaderValue {
    let encoded = Cow::from(utf8_percent_encode(text, UNSAFE));
    if encoded.is_empty() { NONE } else { plain(&encoded) }
}
