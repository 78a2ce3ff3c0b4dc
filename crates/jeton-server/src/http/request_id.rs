//! One id for one request, in its answer, in every log line about it and in error bodies.
//!
//! A caller, or the proxy before us, may bring its own in `X-Request-Id`; it is taken only when it can't break a log
//! line or a header. Ours have the shape of a UUID because one dialect promises that for its errors, and they are made
//! from a random prefix of the process and a counter: unique without asking the system for randomness each time.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that brings the id and takes it back.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 64;

/// The id of a request: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
// Kept as a header value: the answer then shares the bytes instead of copying them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as the value of [`HEADER`].
    pub fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Takes the caller's own id, if it has one and it is harmless.
    fn brought(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(HEADER)?;
        let fits =
            (1..=LONGEST).contains(&value.len()) && value.as_bytes().iter().all(|&byte| harmless(byte));
        fits.then(|| Self(value.clone()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// Where the ids of a process come from.
#[derive(Debug)]
pub struct RequestIds {
    prefix: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// `prefix` should be random and fresh for each process: it is all that tells two of them apart.
    pub const fn new(prefix: u64) -> Self {
        Self { prefix, next: AtomicU64::new(0) }
    }

    /// The caller's id where it is acceptable, else a new one.
    pub fn take_or_make(&self, headers: &HeaderMap) -> RequestId {
        RequestId::brought(headers).unwrap_or_else(|| self.make())
    }

    /// A new id: version 8 (RFC 9562, section 5.8), 60 bits of prefix and 62 of counter.
    #[expect(clippy::missing_panics_doc, reason = "the digits of a UUID always fit in a header")]
    pub fn make(&self) -> RequestId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let high = (self.prefix & !0xF000) | 0x8000;
        let low = (count & (u64::MAX >> 2)) | (1 << 63);
        let text = uuid_text(u128::from(high) << 64 | u128::from(low));
        RequestId(HeaderValue::from_bytes(&text).expect("hexadecimal digits and hyphens fit in a header"))
    }
}

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, without the formatting machinery: this runs for every request.
fn uuid_text(bits: u128) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let places = (0..36).filter(|place| !matches!(place, 8 | 13 | 18 | 23));
    for (place, shift) in places.zip((0..32).rev()) {
        text[place] = DIGITS[(bits >> (shift * 4)) as usize & 0xF];
    }
    text
}

const fn harmless(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bringing(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(HEADER, HeaderValue::from_bytes(text.as_bytes()).unwrap())])
    }

    #[test]
    fn ids_count_up_after_the_prefix() {
        let ids = RequestIds::new(0x0123_4567_89ab_cdef);
        assert_eq!(ids.make().as_str(), "01234567-89ab-8def-8000-000000000000");
        assert_eq!(ids.make().as_str(), "01234567-89ab-8def-8000-000000000001");
        assert_eq!(ids.take_or_make(&HeaderMap::new()).as_str(), "01234567-89ab-8def-8000-000000000002");
    }

    #[test]
    fn the_callers_id_is_taken_if_harmless() {
        let ids = RequestIds::new(0);
        for good in ["a", "A-1_b.c", &"x".repeat(64)] {
            assert_eq!(ids.take_or_make(&bringing(good)).as_str(), good);
        }
        for bad in ["", &"x".repeat(65), "a b", "a\tb", "ä", "a\"", "a/b", "jtn=1"] {
            assert_ne!(ids.take_or_make(&bringing(bad)).as_str(), bad);
        }
    }

    #[test]
    fn prints_as_its_text() {
        let id = RequestIds::new(0).take_or_make(&bringing("abc"));
        assert_eq!((id.to_string(), format!("{id:?}")), ("abc".to_owned(), "RequestId(abc)".to_owned()));
        assert_eq!(id.to_header(), "abc");
    }

    proptest! {
        #[test]
        fn any_id_is_short_and_harmless(text in "\\PC{0,80}", prefix: u64) {
            let ids = RequestIds::new(prefix);
            for id in [ids.take_or_make(&bringing(&text)), ids.make()] {
                prop_assert!((1..=LONGEST).contains(&id.as_str().len()));
                prop_assert!(id.as_str().bytes().all(harmless));
            }
        }
    }
}
