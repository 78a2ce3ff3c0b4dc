//! The way of a request to its handler: for what gateways and services ask before each of their own requests, past the
//! router.
//!
//! The router costs as much as the verdict. Both ways lead to the same handlers, and what is not exactly one of these
//! questions takes the router, which knows every path and every method. So does everything where answers say their age,
//! which a layer of the router sees to.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use axum::routing::future::RouteFuture;
use tower::Service;

use crate::Shared;
use crate::verify::{Answering, Hot};

/// Every path of every surface.
#[derive(Clone)]
pub struct Lanes {
    router: Router,
    /// What the direct way leads to, if there is one.
    direct: Option<Arc<Shared>>,
}

impl Lanes {
    /// Everything through the router.
    pub(crate) fn routed(router: Router) -> Self {
        Self { router, direct: None }
    }

    /// What can go past the router does.
    pub(crate) fn direct(router: Router, shared: Arc<Shared>) -> Self {
        Self { router, direct: Some(shared) }
    }
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").field("direct", &self.direct.is_some()).finish_non_exhaustive()
    }
}

impl Service<Request> for Lanes {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = LaneFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> LaneFuture {
        if let Some(shared) = &self.direct
            && let Some(hot) = Hot::of(request.method(), request.uri().path())
        {
            return LaneFuture(Lane::Direct(hot.answer(shared, request)));
        }
        LaneFuture(Lane::Routed(self.router.call(request)))
    }
}

/// A request on its way.
#[derive(Debug)]
pub struct LaneFuture(Lane);

#[expect(clippy::large_enum_variant, reason = "a box would cost an allocation, and it is not kept for long")]
enum Lane {
    Direct(Answering),
    Routed(RouteFuture<Infallible>),
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Direct(_) => "Direct",
            Self::Routed(_) => "Routed",
        })
    }
}

impl Future for LaneFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Lane::Direct(answering) => Poll::Ready(Ok(ready!(answering.as_mut().poll(cx)))),
            Lane::Routed(routed) => Pin::new(routed).poll(cx),
        }
    }
}
