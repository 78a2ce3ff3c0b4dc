//! One connection: its requests handed to the service, its time-outs kept, its end brought about.
//!
//! The watch beside the HTTP engine has one timer for a connection, not one for a request. It is set again only when
//! it rings or when something is due before it would, so a busy connection touches it about once an idle time-out.
//!
//! A client that closes its sending half early is still answered, as RFC 9112 (section 9.6) lets it expect; one that
//! is gone altogether shows when the answer is written. So a handler over HTTP/1 is not cut off half-way when its
//! client hangs up.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::{Service, ServiceExt as _};

use super::listen::{Peer, Socket};
use super::serve::ConnectionLimits;
use super::vitals::{Moment, Running, Vitals, Waiting};
use super::wire::Wire;

/// What all connections of a server share.
#[derive(Debug)]
pub(super) struct Server<S> {
    pub(super) engine: auto::Builder<TokioExecutor>,
    pub(super) service: S,
    pub(super) limits: ConnectionLimits,
    pub(super) bell: Bell,
}

/// How far the server's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Stage {
    Serving,
    /// Requests that run are finished, and no more are taken.
    Draining,
    /// Whatever is still open is dropped.
    Cutting,
}

/// Tells every connection when the stage changes.
#[derive(Debug, Default)]
pub(super) struct Bell {
    stage: AtomicU8,
    rung: Notify,
}

impl Bell {
    pub(super) fn ring(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::SeqCst);
        self.rung.notify_waiters();
    }

    fn has_rung_for(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::SeqCst) >= stage as u8
    }
}

/// Serves one connection until it ends, by itself or by its time-outs.
pub(super) async fn run<S>(server: &Server<S>, socket: Socket, peer: Peer)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let vitals = Vitals::new();
    let wire = TokioIo::new(Wire::new(socket, Arc::clone(&vitals)));
    let service = service_fn(|request| {
        let running = Running::begin(&vitals);
        answer(server.service.clone(), running, peer, hand_over(request, peer, &vitals))
    });
    let connection = pin!(server.engine.serve_connection(wire, service));
    let bell = pin!(server.bell.rung.notified());
    let timer = pin!(sleep_until(Instant::now() + server.limits.header_read));
    let timer = Timer { timer, seen: vitals.moment(), since: Instant::now(), limits: &server.limits };
    let watch = Watch { connection, bell, timer, vitals: &vitals, server: &server.bell, finishing: false, heard: false };
    watch.keep(&server.bell, peer).await;
}

/// The request as handlers see it.
fn hand_over(request: Request<Incoming>, peer: Peer, vitals: &Arc<Vitals>) -> Request<Body> {
    todo!()
}
