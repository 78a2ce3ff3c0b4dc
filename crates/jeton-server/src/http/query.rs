//! Reads a query string without a schema.
//!
//! The dialects ignore what they don't know, take the first of several values and accept a bare name as "yes", which a
//! derived deserialiser makes awkward. Parsing is lazy: a request without a query costs nothing.
//!
//! Text follows `application/x-www-form-urlencoded` (WHATWG URL, section 5.1): `+` is a space, `%XX` a byte. Bytes that
//! are not UTF-8 become U+FFFD instead of an error: no parameter of ours has a valid value with that character in it,
//! so the parameter's own check refuses it with a better message, and an unknown parameter stays harmless.

use std::borrow::Cow;

use http::Uri;
use percent_encoding::percent_decode_str;

/// The query string of one request, still encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// The query of `uri`; an absent one is empty.
    pub fn of(uri: &'a Uri) -> Self {
        Self(uri.query().unwrap_or_default())
    }

    /// Takes the text after the `?`.
    pub const fn from_text(text: &'a str) -> Self {
        Self(text)
    }

    /// All of it, still encoded.
    pub const fn text(self) -> &'a str {
        self.0
    }

    /// The first value given for `name`, decoded. A bare name has the empty value.
    pub fn first(self, name: &str) -> Option<Cow<'a, str>> {
        if self.0.is_empty() {
            return None;
        }
        self.raw_pairs().find(|(key, _)| decode(key) == name).map(|(_, value)| decode(value))
    }

    /// Every value given for `name`, decoded.
    pub fn all(self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        self.raw_pairs().filter(move |(key, _)| decode(key) == name).map(|(_, value)| decode(value))
    }

    /// Whether `name` occurs, with or without a value.
    pub fn has(self, name: &str) -> bool {
        self.raw_pairs().any(|(key, _)| decode(key) == name)
    }

    /// All pairs, decoded, in the order sent.
    pub fn pairs(self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        self.raw_pairs().map(|(key, value)| (decode(key), decode(value)))
    }

    fn raw_pairs(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

/// Reads a flag as clients write it: `true`, `1` and the empty text of a bare name mean yes, `false` and `0` mean no,
/// in any letter case. Anything else is `None`, because whether that is an error is the dialect's to decide.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "" | "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn decode(encoded: &str) -> Cow<'_, str> {
    // It is looked at to its end whatever is found, which the processor does many bytes at a time.
    let odd = |byte: u8| u8::from(byte == b'+') | u8::from(byte == b'%');
    if encoded.bytes().fold(0, |found, byte| found | odd(byte)) == 0 {
        return Cow::Borrowed(encoded);
    }
    if encoded.contains('+') {
        // A `+` that was meant literally arrives as %2B, so this must come before percent-decoding.
        let spaced = encoded.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(encoded).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_value_counts() {
        let query = Query::from_text("limit=5&offset=0&limit=9");
        assert_eq!(query.first("limit").as_deref(), Some("5"));
        assert_eq!(query.first("Limit"), None, "names are case-sensitive");
    }

    #[test]
    fn a_bare_name_is_present_and_empty() {
        for text in ["subscribe", "a=1&subscribe", "subscribe&", "subscribe="] {
            let query = Query::from_text(text);
            assert!(query.has("subscribe"), "{text}");
            assert_eq!(query.first("subscribe").as_deref(), Some(""), "{text}");
        }
        assert!(!Query::from_text("subscribed=1").has("subscribe"));
        assert!(!Query::from_text("").has(""), "no query has no parameters");
    }

    #[test]
    fn decodes_names_and_values() {
        let query = Query::from_text("na%6De=a+b%20c%2Bd&x==y&%zz=%4");
        let pairs: Vec<_> = query.pairs().map(|(key, value)| format!("{key}|{value}")).collect();
        assert_eq!(pairs, ["name|a b c+d", "x|=y", "%zz|%4"]);
    }

    #[test]
    fn bytes_that_are_not_utf8_become_the_replacement_character() {
        assert_eq!(Query::from_text("a=%FF%41").first("a").as_deref(), Some("\u{FFFD}A"));
    }

    #[test]
    fn comes_from_a_uri() {
        let uri: Uri = "http://host/path?showAll=true#x".parse().unwrap();
        assert_eq!(Query::of(&uri).first("showAll").as_deref(), Some("true"));
        let bare: Uri = "/path".parse().unwrap();
        assert_eq!(Query::of(&bare).pairs().count(), 0);
    }

    #[test]
    fn booleans() {
        for yes in ["", "1", "true", "True", "TRUE"] {
            assert_eq!(boolean(yes), Some(true), "{yes}");
        }
        for no in ["0", "false", "False"] {
            assert_eq!(boolean(no), Some(false), "{no}");
        }
        for unclear in ["2", "yes", " true", "tru"] {
            assert_eq!(boolean(unclear), None, "{unclear}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}", name in ".{0,8}") {
            let query = Query::from_text(&text);
            prop_assert_eq!(query.has(&name), query.first(&name).is_some());
        }

        #[test]
        fn what_was_encoded_comes_back(value in "\\PC{0,30}") {
            let encoded = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
            let text = format!("a=0&v={encoded}");
            prop_assert_eq!(Query::from_text(&text).first("v").unwrap(), value);
        }
    }
}
