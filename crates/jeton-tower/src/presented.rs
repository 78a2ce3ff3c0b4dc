//! The secret in a request: where it stands, and what can't be one.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, header};

const PRIVATE_TOKEN: HeaderName = HeaderName::from_static("private-token");

/// What a gateway or this layer says of who asks. A client that sends one is lying.
const OURS: &str = "x-jeton-";

/// No secret is longer.
const LONGEST: usize = 1024;

/// What a request presents.
#[derive(PartialEq, Eq)]
pub(crate) enum Presented<'a> {
    Nothing,
    /// Something that is no secret: unreadable, of another scheme, or several at once.
    Unusable,
    Secret(&'a str),
}

/// The secret in `Authorization`, with `Bearer` before it or raw, or in `Private-Token`. Which of two that differ counts is a
/// question that the service behind might answer in another way, so both are none.
pub(crate) fn presented(headers: &HeaderMap) -> Presented<'_> {
    match (in_header(headers, &AUTHORIZATION), in_header(headers, &PRIVATE_TOKEN)) {
        (Presented::Nothing, found) | (found, Presented::Nothing) => found,
        (one, other) if one == other => one,
        _ => Presented::Unusable,
    }
}

fn in_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Presented<'a> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Presented::Nothing };
    let Ok(text) = value.to_str() else { return Presented::Unusable };
    if values.any(|other| other != value) {
        return Presented::Unusable;
    }
    let text = text.trim();
    let secret = match text.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim_start(),
        _ if text.eq_ignore_ascii_case("bearer") => "",
        _ => text,
    };
    match secret {
        "" => Presented::Nothing,
        secret if could_be(secret) => Presented::Secret(secret),
        _ => Presented::Unusable,
    }
}

/// Whether jeton has to be asked at all.
pub(crate) fn could_be(secret: &str) -> bool {
    (1..=LONGEST).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Takes out what only the layer may say, and keeps secrets from whoever prints the headers with `Debug`.
pub(crate) fn cleanse(headers: &mut HeaderMap) {
    let forged = |name: &&HeaderName| name.as_str().starts_with(OURS);
    let forged: Vec<HeaderName> = headers.keys().filter(forged).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    for name in [AUTHORIZATION, PRIVATE_TOKEN] {
        if let header::Entry::Occupied(mut values) = headers.entry(name) {
            values.iter_mut().for_each(|value: &mut HeaderValue| value.set_sensitive(true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
        let value = |value: &[u8]| HeaderValue::from_bytes(value).unwrap();
        lines
            .iter()
            .map(|(name, text)| (HeaderName::from_static(name), value(text)))
            .collect::<Vec<_>>()
            .into_iter()
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    #[test]
    fn a_secret_is_found_where_it_may_stand() {
        let long = [b'x'; LONGEST + 1];
        for (lines, secret) in [
            (&[("authorization", &b"Bearer abc"[..])][..], Presented::Secret("abc")),
            (&[("authorization", b"bEARER   abc ")], Presented::Secret("abc")),
            (&[("authorization", b"abc")], Presented::Secret("abc")),
            (&[("private-token", b" abc")], Presented::Secret("abc")),
            (&[("private-token", b"abc"), ("authorization", b"Bearer abc")], Presented::Secret("abc")),
            (&[("private-token", b"def"), ("authorization", b"Bearer abc")], Presented::Unusable),
            (&[("private-token", b"abc"), ("authorization", b"Basic abc")], Presented::Unusable),
            (&[("private-token", b"abc"), ("private-token", b"def")], Presented::Unusable),
            (&[("private-token", b"def"), ("authorization", b"")], Presented::Secret("def")),
            (&[], Presented::Nothing),
            (&[("authorization", b"Bearer")], Presented::Nothing),
            (&[("authorization", b"Basic abc")], Presented::Unusable),
            (&[("authorization", b"Bearer a b")], Presented::Unusable),
            (&[("authorization", b"a\xffb")], Presented::Unusable),
            (&[("authorization", b"abc"), ("authorization", b"abc")], Presented::Secret("abc")),
            (&[("authorization", b"abc"), ("authorization", b"def")], Presented::Unusable),
            (&[("authorization", &long)], Presented::Unusable),
        ] {
            assert!(presented(&headers(lines)) == secret, "{lines:?}");
        }
    }

    #[test]
    fn forged_headers_go_and_secrets_are_not_printed() {
        let mut headers = headers(&[
            ("x-jeton-subject", b"somebody"),
            ("x-jeton-subject", b"else"),
            ("x-jeton-anything", b"x"),
            ("x-other", b"stays"),
            ("authorization", b"Bearer abc"),
            ("private-token", b"abc"),
        ]);
        cleanse(&mut headers);
        assert_eq!(headers.len(), 3);
        assert!(headers.contains_key("x-other") && !format!("{headers:?}").contains("abc"));
    }
}
