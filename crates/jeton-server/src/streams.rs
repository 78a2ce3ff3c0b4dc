//! Streams: answers that go on for as long as somebody listens.
//!
//! A stream is written only when its reader takes it. One that nobody reads costs its connection and its place in the
//! feed, until the connection is cut for standing still; no writer ever waits for it.
//!
//! Where nothing happens a sign of life is sent, so that both ends notice a connection that has broken down in silence,
//! and proxies on the way don't take it for a forgotten one.

use std::io;
use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jeton_core::change::Revision;
use jeton_service::{Ended, Watching};
use tokio::time::{Instant, sleep_until};

use crate::http::pulled::{self, Source};

/// Writes down what a watch tells, in the words of a surface.
pub(crate) trait Teller<News>: Send + 'static {
    /// Writes news.
    fn tell(&mut self, news: News, text: &mut Vec<u8>);

    /// Writes a sign of life. Everything up to `told` has been told.
    fn beat(&mut self, told: Revision, text: &mut Vec<u8>);

    /// Whether what was written so far is whole, so that a reader can do with it should nothing follow.
    fn is_whole(&self) -> bool {
        true
    }
}

/// Answers with a stream, which is called `kind`: what has been written already, then whatever the watch tells. A sign of
/// life follows when nothing was told for as long as `keepalive`.
pub(crate) fn answer<W, T>(
    kind: &'static str,
    watch: W,
    teller: T,
    written: Vec<u8>,
    keepalive: Duration,
) -> Response
where
    W: Watching + 'static,
    T: Teller<W::News>,
{
    let stream = Stream { watch, teller, written, keepalive, beats_at: Instant::now() + keepalive };
    (headers(kind), pulled::body(stream)).into_response()
}

/// The headers of a stream that is called `kind`.
pub(crate) fn headers(kind: &'static str) -> [(HeaderName, HeaderValue); 3] {
    [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store")),
        // Proxies that gather answers before they pass them on would keep the lines.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ]
}

struct Stream<W, T> {
    watch: W,
    teller: T,
    written: Vec<u8>,
    keepalive: Duration,
    beats_at: Instant,
}

impl<W: Watching + 'static, T: Teller<W::News>> Source for Stream<W, T> {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        while self.written.is_empty() {
            if let Err(ended) = self.write().await {
                tracing::debug!(?ended, "a stream ended");
                // Half a line would be taken for a whole one, or for a mistake of ours: rather cut the connection.
                let cut = io::ErrorKind::Interrupted.into();
                return (!self.teller.is_whole()).then_some((Err(cut), self));
            }
        }
        self.beats_at = Instant::now() + self.keepalive;
        let piece = Bytes::from(in_lines(std::mem::take(&mut self.written)));
        Some((Ok(piece), self))
    }
}

impl<W: Watching, T: Teller<W::News>> Stream<W, T> {
    async fn write(&mut self) -> Result<(), Ended> {
        let rings_at = self.secret_ends_in().map_or(self.beats_at, |end| self.beats_at.min(end));
        tokio::select! {
            biased;
            news = self.watch.next() => {
                if let Some(news) = news? {
                    self.teller.tell(news, &mut self.written);
                }
            }
            () = sleep_until(rings_at) => {
                self.watch.standing()?;
                if Instant::now() >= self.beats_at {
                    self.teller.beat(self.watch.post().told(), &mut self.written);
                }
            }
        }
        Ok(())
    }

    /// The end of the secret that began the stream, on the clock that timers go by.
    fn secret_ends_in(&self) -> Option<Instant> {
        let post = self.watch.post();
        let left = post.ends_at()?.as_millis().saturating_sub(post.now().as_millis());
        // At the least a moment: a clock that was set back while this was computed must not make the timer spin.
        Instant::now().checked_add(Duration::from_millis(u64::try_from(left).unwrap_or(0).max(1)))
    }
}

/// Escapes what Unicode calls the end of a line and JSON lets stand in a text: many readers take it for one, as the
/// `splitlines` of Python does, and somebody's name for a token would break the stream of another. Nothing outside of texts
/// is outside of ASCII.
fn in_lines(written: Vec<u8>) -> Vec<u8> {
    // The first bytes of those three.
    if !written.iter().any(|byte| matches!(byte, 0xc2 | 0xe2)) {
        return written;
    }
    match String::from_utf8(written) {
        Ok(text) => {
            let text = text.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028");
            text.replace('\u{2029}', "\\u2029").into_bytes()
        }
        Err(error) => error.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_for_everybody_where_it_ends() {
        let written = |text: &str| String::from_utf8(in_lines(text.into())).unwrap();
        assert_eq!(written("[\"a\u{85}b\u{2028}c\u{2029}\"]\n"), "[\"a\\u0085b\\u2028c\\u2029\"]\n");
        assert_eq!(written("[\"\u{a3} \u{20ac} \u{e9}\"]\n"), "[\"\u{a3} \u{20ac} \u{e9}\"]\n");
    }
}
