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
// In place instead of on the heap: it is made, copied into the request and read back for every single one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId {
    text: [u8; LONGEST],
    length: usize,
}

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        // Only harmless bytes are ever taken, and they are ASCII.
        str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// The id as the value of [`HEADER`].
    #[expect(clippy::missing_panics_doc, reason = "harmless bytes always fit in a header")]
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.bytes()).expect("harmless bytes fit in a header")
    }

    fn bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }

    /// Takes the caller's own id, if it has one and it is harmless.
    fn brought(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(HEADER)?.as_bytes();
        let fits = (1..=LONGEST).contains(&value.len()) && value.iter().all(|&byte| harmless(byte));
        fits.then(|| Self::of(value))
    }

    fn of(bytes: &[u8]) -> Self {
        let mut text = [0; LONGEST];
        text[..bytes.len()].copy_from_slice(bytes);
        Self { text, length: bytes.len() }
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
    /// The first id; the others differ from it in the digits of the counter.
    first: RequestId,
    next: AtomicU64,
}

impl RequestIds {
    /// `prefix` should be random and fresh for each process: it is all that tells two of them apart.
    pub fn new(prefix: u64) -> Self {
        // Version 8 is the one whose contents are free (RFC 9562, section 5.8).
        let text = format!(
            "{:08x}-{:04x}-8{:03x}-8000-000000000000",
            prefix >> 32,
            prefix >> 16 & 0xFFFF,
            prefix & 0xFFF
        );
        Self { first: RequestId::of(text.as_bytes()), next: AtomicU64::new(0) }
    }

    /// The caller's id where it is acceptable, else a new one.
    pub fn take_or_make(&self, headers: &HeaderMap) -> RequestId {
        RequestId::brought(headers).unwrap_or_else(|| self.make())
    }

    /// A new id: 60 bits of prefix, and a counter that starts again after 2^60.
    pub fn make(&self) -> RequestId {
        let mut id = self.first;
        write_counter(&mut id.text, self.next.fetch_add(1, Ordering::Relaxed));
        id
    }
}

/// Writes `count` over the last 15 digits of a UUID, all zero so far: 60 bits, from the right, and no further than there
/// is something to write, because this runs for every request.
fn write_counter(uuid: &mut [u8; LONGEST], count: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut left = count;
    for place in (24..36).rev().chain((20..23).rev()) {
        if left == 0 {
            break;
        }
        uuid[place] = DIGITS[(left & 0xF) as usize];
        left >>= 4;
    }
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
        ids.next.store(u64::MAX, Ordering::Relaxed);
        assert_eq!(ids.make().as_str(), "01234567-89ab-8def-8fff-ffffffffffff");
        assert_eq!(ids.make().as_str(), "01234567-89ab-8def-8000-000000000000", "and from the beginning");
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
