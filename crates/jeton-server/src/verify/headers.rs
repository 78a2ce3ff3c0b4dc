//! Who a verified token is, in headers for the service behind a gateway.
//!
//! Every header is on every good answer, with one value, and never empty: gateways take an empty value for a missing
//! one, and a missing one for leave to keep what the client has sent. Where there is nothing to say, it is `-`.

use std::borrow::Cow;
use std::sync::LazyLock;

use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jeton_service::Verified;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::json::{scope, subject};
use super::{NO_STORE, head};

/// What a header can't hold, and the sign that says so. Blanks stand between scopes.
const UNSAFE: &AsciiSet = &CONTROLS.add(b'%').add(b',').add(b'"');

/// Nothing to say.
const NOTHING: &str = "-";
const NONE: HeaderValue = HeaderValue::from_static(NOTHING);

/// The headers, by what they say: whom the token acts for, the token, its kind, its account, the owner's address where
/// that is a person, its scopes, and when it ends, in seconds since 1970.
pub(super) const NAMES: [&str; 7] = [
    "x-jeton-subject",
    "x-jeton-token-id",
    "x-jeton-kind",
    "x-jeton-account",
    "x-jeton-email",
    "x-jeton-scopes",
    "x-jeton-expires",
];

/// The head of a good answer. Its names are put in order once: for each answer it is copied, and its values take the place
/// of these.
static GOOD: LazyLock<HeaderMap> = LazyLock::new(|| {
    let ours = NAMES.map(|name| (HeaderName::from_static(name), NONE));
    head(ours.into_iter().chain([(CACHE_CONTROL, NO_STORE)]))
});

/// The head of a good answer about a token, or about a request that needs none, which nobody may keep.
pub(super) fn of(verified: Option<&Verified>) -> HeaderMap {
    let mut headers = GOOD.clone();
    let mut places = headers.values_mut();
    each(verified, |said| {
        if let Some(place) = places.next() {
            *place = match said {
                Said::Word(word) => HeaderValue::from_static(word),
                Said::Text(text) => HeaderValue::from_bytes(text).unwrap_or(NONE),
            };
        }
    });
    headers
}

/// The same as texts.
pub(super) fn texts(verified: Option<&Verified>) -> impl Iterator<Item = (&'static str, String)> {
    let mut values = Vec::with_capacity(NAMES.len());
    each(verified, |said| {
        values.push(match said {
            Said::Word(word) => word.to_owned(),
            Said::Text(text) => String::from_utf8_lossy(text).into_owned(),
        });
    });
    NAMES.into_iter().zip(values)
}

/// What a header says.
enum Said<'a> {
    /// A word of ours.
    Word(&'static str),
    /// Something about this token, in visible ASCII and blanks.
    Text(&'a [u8]),
}

/// Says a value for each of [`NAMES`], in their order.
fn each(verified: Option<&Verified>, mut say: impl FnMut(Said<'_>)) {
    let Some(it) = verified else {
        return NAMES.into_iter().for_each(|_| say(Said::Word(NOTHING)));
    };
    say(Said::Text(subject(it).hex().as_bytes()));
    say(Said::Text(it.token.hex().as_bytes()));
    say(Said::Word(it.kind.as_str()));
    say(Said::Text(it.member.account.hex().as_bytes()));
    let email = if it.kind.is_of_a_person() { encoded(&it.member.email) } else { Cow::Borrowed(NOTHING) };
    say(Said::Text(email.as_bytes()));
    match scope(it) {
        Cow::Borrowed(word) => say(Said::Word(word)),
        Cow::Owned(ids) => say(Said::Text(encoded(&ids).as_bytes())),
    }
    match it.expires_at {
        Some(end) => say(Said::Text(end.as_millis().div_euclid(1000).to_string().as_bytes())),
        None => say(Said::Word(NOTHING)),
    }
}

fn encoded(text: &str) -> Cow<'_, str> {
    if text.is_empty() { Cow::Borrowed(NOTHING) } else { utf8_percent_encode(text, UNSAFE).into() }
}
