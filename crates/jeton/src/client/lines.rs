//! An answer that goes on for as long as somebody listens, line by line.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

/// Without a byte. A server gives a sign of life far more often, so this long a silence says that the connection has
/// broken down, and nobody would ever tell.
const SILENCE: Duration = Duration::from_secs(45);

/// More than any record, and less than what would hurt this machine.
const LONGEST: usize = 16 * 1024 * 1024;

/// The lines of an answer.
pub(super) struct Lines<B = Incoming> {
    body: B,
    coming: Vec<u8>,
    /// How much of it has been looked at, and has no end of a line.
    looked_at: usize,
}

impl<B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin> Lines<B> {
    pub(super) fn of(body: B) -> Self {
        Self { body, coming: Vec::new(), looked_at: 0 }
    }

    /// The next line, without its end. Half a line that nothing follows is none.
    ///
    /// # Errors
    /// Why nothing more comes, for people.
    pub(super) async fn next(&mut self) -> Result<Vec<u8>, String> {
        loop {
            let unseen = self.coming[self.looked_at..].iter();
            if let Some(end) = unseen.copied().position(|byte| byte == b'\n') {
                let rest = self.coming.split_off(self.looked_at + end + 1);
                let mut line = std::mem::replace(&mut self.coming, rest);
                line.pop();
                self.looked_at = 0;
                return Ok(line);
            }
            self.looked_at = self.coming.len();
            if self.looked_at > LONGEST {
                return Err("it sent a line that has no end".to_owned());
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), String> {
        let frame = timeout(SILENCE, self.body.frame()).await;
        let frame = frame.map_err(|_| format!("nothing was heard for {} s", SILENCE.as_secs()))?;
        let frame = frame.ok_or("it closed the connection")?;
        let data = frame.map_err(|error| format!("the connection broke down: {error}"))?.into_data();
        // Trailers say nothing here.
        self.coming.extend_from_slice(&data.unwrap_or_default());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    /// These pieces, and then nothing any more; or the end.
    struct Pieces(VecDeque<&'static str>, bool);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop_front() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(Bytes::from(piece))))),
                None if self.1 => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    #[tokio::test]
    async fn lines_are_put_together_from_whatever_comes() {
        let pieces = ["on", "e\ntw", "o\n\nthr", "", "ee\nhalf"];
        let mut lines = Lines::of(Pieces(pieces.into(), true));
        for expected in ["one", "two", "", "three"] {
            assert_eq!(lines.next().await.unwrap(), expected.as_bytes());
        }
        assert_eq!(lines.next().await, Err("it closed the connection".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_is_a_lost_connection() {
        let begun = tokio::time::Instant::now();
        let mut lines = Lines::of(Pieces(["one\n"].into(), false));
        assert_eq!(lines.next().await.unwrap(), b"one");
        assert_eq!(lines.next().await, Err("nothing was heard for 45 s".to_owned()));
        assert_eq!(begun.elapsed().as_secs(), 45);
    }
}
