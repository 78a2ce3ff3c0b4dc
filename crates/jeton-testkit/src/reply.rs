//! A reply, whole: status, headers, body.

use std::fmt;

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

/// A reply, whole.
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// A header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Insists on a status, and shows the whole reply if it is another.
    #[track_caller]
    #[allow(clippy::return_self_not_must_use, reason = "most callers want no more than the insisting")]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// A text in the body's object.
    #[track_caller]
    pub fn string(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no text {name} in {self:?}")).to_owned()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", value.to_str().unwrap_or("(not text)"))?;
        }
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}
