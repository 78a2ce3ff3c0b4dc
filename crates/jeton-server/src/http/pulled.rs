//! A body that is worked out piece by piece, when it is asked for: what nobody reads costs no work, and no memory beyond
//! the piece that is on its way.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;

/// Makes pieces.
pub(crate) trait Source: Sized + Send + 'static {
    /// The next piece, with whatever makes those after it. `None` is the end; an error cuts the connection, and nothing
    /// follows it.
    fn next(self) -> impl Future<Output = Option<(io::Result<Bytes>, Self)>> + Send;
}

/// The body of these pieces.
pub(crate) fn body(source: impl Source) -> Body {
    Body::new(Pulled(Some(Box::pin(source.next()))))
}

/// What is on its way; nothing after the end.
struct Pulled<S>(Option<Next<S>>);

/// A piece, and the source for those after it.
type Next<S> = Pin<Box<dyn Future<Output = Option<(io::Result<Bytes>, S)>> + Send>>;

impl<S: Source> http_body::Body for Pulled<S> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(next) = &mut self.0 else { return Poll::Ready(None) };
        let pulled = ready!(next.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(pulled.map(|(piece, source)| {
            if piece.is_ok() {
                self.0 = Some(Box::pin(source.next()));
            }
            piece.map(Frame::data)
        }))
    }
}
