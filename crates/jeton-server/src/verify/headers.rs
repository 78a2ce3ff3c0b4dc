//! Who a verified token is, in headers for the service behind a gateway.
//!
//! Every header is on every good answer, with one value, and never empty: gateways take an empty value for a missing
//! one, and a missing one for leave to keep what the client has sent. Where there is nothing to say, it is `-`.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jeton_service::Verified;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::json::{scope, subject};

/// The headers, by what they say.
pub(super) const NAMES: [&str; 7] = [
    "x-jeton-subject",
    "x-jeton-token-id",
    "x-jeton-kind",
    "x-jeton-account",
    "x-jeton-email",
    "x-jeton-scopes",
    "x-jeton-expires",
];

/// Nothing to say.
const NONE: &str = "-";

/// What a header can't hold, and the sign that says so.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b',').add(b'"');

/// Writes who a verified token is into headers.
pub(super) fn write(verified: Option<&Verified>, headers: &mut HeaderMap) {
    let values: [String; 7] = match verified {
        None => std::array::from_fn(|_| NONE.to_owned()),
        Some(it) => [
            subject(it).to_string(),
            it.token.to_string(),
            it.kind.as_str().to_owned(),
            it.member.account.to_string(),
            if it.kind.is_of_a_person() { it.member.email.clone() } else { String::new() },
            scope(it),
            it.expires_at.map(|at| at.as_millis().div_euclid(1000).to_string()).unwrap_or_default(),
        ],
    };
    for (name, value) in NAMES.into_iter().zip(values) {
        // Scopes are separated by blanks, which are harmless between words.
        let words: Vec<_> =
            value.split(' ').map(|word| utf8_percent_encode(word, UNSAFE).to_string()).collect();
        let value = if value.is_empty() { NONE.to_owned() } else { words.join(" ") };
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
