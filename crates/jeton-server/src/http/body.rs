//! Reads a request body whole: so large at most, and so long at most.
//!
//! A body that announces more than the limit is refused before a byte of it is read, and one that lies is refused at
//! the byte that goes over, so nobody waits for an upload that is going to be thrown away. What the client still sends
//! is dealt with by the connection, which answers first and drops the rest (see [`serve`](super::serve())).
//!
//! A body that is here already, as nearly all are, costs neither a timer nor a copy.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt as _;

/// The largest body taken where nothing else is said, in bytes.
pub const DEFAULT_LIMIT: usize = 64 * 1024;

/// How long a body may take where nothing else is said.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// Why a body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyRefused {
    /// It is, or says it will be, longer than allowed: status 413 (RFC 9110, section 15.5.14).
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The most that is taken, in bytes.
        limit: usize,
    },
    /// It did not arrive in time: status 408 (RFC 9110, section 15.5.9).
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The connection ended or the framing broke before the body did: status 400, if anybody is left to read it.
    #[error("the body ended early")]
    Broken,
}

/// Reads all of `body`, at most `limit` bytes and for `deadline` at most.
pub async fn read(body: Body, limit: usize, deadline: Duration) -> Result<Bytes, BodyRefused> {
    // What Content-Length promised; zero where it promised nothing.
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyRefused::TooLarge { limit });
    }
    let mut reading = pin!(collect(body, limit));
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
        return done;
    }
    tokio::time::timeout(deadline, reading).await.unwrap_or(Err(BodyRefused::TooSlow))
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, BodyRefused> {
    let first = next_piece(&mut body).await?.unwrap_or_default();
    let Some(second) = next_piece(&mut body).await? else {
        return within(limit, first.len()).map(|()| first);
    };
    // Joined as they come, so that a body of one-byte pieces holds no more memory than one of large pieces.
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(piece) = next {
        within(limit, whole.len() + piece.len())?;
        whole.extend_from_slice(&piece);
        next = next_piece(&mut body).await?;
    }
    Ok(whole.freeze())
}

/// The next data of the body. Trailers are passed over: nothing of ours reads them.
async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, BodyRefused> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyRefused::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

const fn within(limit: usize, length: usize) -> Result<(), BodyRefused> {
    if length > limit { Err(BodyRefused::TooLarge { limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;
    use std::pin::Pin;
    use std::task::Context;

    use http::HeaderMap;
    use http_body::Frame;
    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    /// Gives its pieces one by one and then ends, breaks or hangs.
    struct Pieces(VecDeque<&'static str>, End);

    #[derive(Clone, Copy)]
    enum End {
        Proper,
        Trailers,
        Broken,
        Never,
    }

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            if let Some(piece) = self.0.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece.as_bytes())))));
            }
            match self.1 {
                End::Proper => Poll::Ready(None),
                End::Trailers => {
                    self.1 = End::Proper;
                    Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new()))))
                }
                End::Broken => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                End::Never => Poll::Pending,
            }
        }
    }

    fn pieces(list: &[&'static str], end: End) -> Body {
        Body::new(Pieces(list.iter().copied().collect(), end))
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_are_joined() {
        for (list, whole) in
            [(&[][..], ""), (&["abc"], "abc"), (&["ab", "", "c", "defg"], "abcdefg"), (&["", "a"], "a")]
        {
            for end in [End::Proper, End::Trailers] {
                assert_eq!(read(pieces(list, end), 7, LONG).await.unwrap(), whole);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_is_inclusive_and_ends_the_reading() {
        let refused = Err(BodyRefused::TooLarge { limit: 3 });
        assert_eq!(read(Body::from("abc"), 3, LONG).await.unwrap(), "abc");
        assert_eq!(read(Body::from("abcd"), 3, LONG).await, refused);
        assert_eq!(read(pieces(&["abcd"], End::Proper), 3, LONG).await, refused);
        assert_eq!(
            read(pieces(&["ab", "cd"], End::Never), 3, LONG).await,
            refused,
            "without waiting for more"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_hangs_is_too_slow() {
        let slow = pieces(&["ab"], End::Never);
        assert_eq!(read(slow, 3, Duration::from_secs(30)).await, Err(BodyRefused::TooSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_breaks_off_is_broken() {
        assert_eq!(read(pieces(&["ab"], End::Broken), 3, LONG).await, Err(BodyRefused::Broken));
        assert_eq!(read(pieces(&[], End::Broken), 3, LONG).await, Err(BodyRefused::Broken));
    }

    proptest! {
        #[test]
        fn agrees_with_concatenation(
            list in proptest::collection::vec(prop_oneof![Just(""), Just("a"), Just("bcd")], 0..8),
            limit in 0_usize..16,
        ) {
            let whole = list.concat();
            let expected =
                if whole.len() > limit { Err(BodyRefused::TooLarge { limit }) } else { Ok(Bytes::from(whole)) };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let got = runtime.block_on(read(pieces(&list, End::Proper), limit, LONG));
            prop_assert_eq!(got, expected);
        }
    }
}
