//! The outermost step of every request: its id, its real method, and an answer even if the handler panics.
//!
//! One service with a future of its own instead of a stack of boxed layers, because this is paid for by every request,
//! the cheapest verification included.
//!
//! In order: the id is taken or made and put among the request's extensions; a tunnelled method takes the place of
//! POST where the path's dialect has that; the surfaces answer; a panic becomes the dialect's 500; the id goes onto the
//! answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use http::{Request, Response};
use tower::Service;

use super::method_override::{self, BadMethodOverride};
use super::panic;
use super::request_id::{HEADER, RequestId, RequestIds};

/// Whose words to use on a path, for the answers that are given before or in place of a handler.
pub trait Dialects: Send + Sync + 'static {
    /// A dialect, as cheap to pass on as a number.
    type Dialect: Copy + Unpin + Send;

    /// The dialect that a path belongs to. Every path has one, if only a fallback.
    fn of(&self, path: &str) -> Self::Dialect;

    /// Whether the dialect knows `X-HTTP-Method-Override`.
    fn tunnels_methods(&self, dialect: Self::Dialect) -> bool;

    /// Status 400: the header asks for something else than PATCH, PUT or DELETE.
    fn bad_method_override(
        &self,
        dialect: Self::Dialect,
        refusal: BadMethodOverride,
        id: &RequestId,
    ) -> Response<Body>;

    /// Status 500: a handler panicked. What it said is in the log and must not be in the answer.
    fn panicked(&self, dialect: Self::Dialect, id: &RequestId) -> Response<Body>;
}

/// The surfaces with their edge.
#[derive(Debug)]
pub struct Edge<S, D> {
    inner: S,
    shared: Arc<Shared<D>>,
}

#[derive(Debug)]
struct Shared<D> {
    ids: RequestIds,
    dialects: D,
}

impl<S, D> Edge<S, D> {
    /// Puts the edge around `inner`, which must be ready at all times, as a router is.
    pub fn new(inner: S, ids: RequestIds, dialects: D) -> Self {
        Self { inner, shared: Arc::new(Shared { ids, dialects }) }
    }
}

impl<S: Clone, D> Clone for Edge<S, D> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S, D> Service<Request<Body>> for Edge<S, D>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Unpin,
    D: Dialects,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = EdgeFuture<S::Future, D>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let id = self.shared.ids.take_or_make(request.headers());
        let dialect = self.shared.dialects.of(request.uri().path());
        let tunnels = self.shared.dialects.tunnels_methods(dialect);
        let outcome = if tunnels { method_override::apply(&mut request) } else { Ok(()) };
        let step = match outcome {
            Ok(()) => {
                request.extensions_mut().insert(id);
                Step::Inner(self.inner.call(request))
            }
            Err(refusal) => Step::Refused(refusal),
        };
        EdgeFuture { step, dialect, id, shared: Arc::clone(&self.shared) }
    }
}

/// A request on its way through an [`Edge`].
#[derive(Debug)]
pub struct EdgeFuture<F, D: Dialects> {
    step: Step<F>,
    dialect: D::Dialect,
    id: RequestId,
    shared: Arc<Shared<D>>,
}

#[derive(Debug)]
enum Step<F> {
    Inner(F),
    Refused(BadMethodOverride),
}

impl<F, D> Future for EdgeFuture<F, D>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
    D: Dialects,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { step, dialect, id, shared } = self.get_mut();
        let mut response = match step {
            Step::Refused(refusal) => shared.dialects.bad_method_override(*dialect, *refusal, id),
            Step::Inner(inner) => match panic::poll_caught(inner, cx) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(response))) => response,
                Err(payload) => {
                    panic::log(&*payload, id);
                    shared.dialects.panicked(*dialect, id)
                }
            },
        };
        response.headers_mut().insert(HEADER, id.to_header());
        Poll::Ready(Ok(response))
    }
}
