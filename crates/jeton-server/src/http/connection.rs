//! One connection: its requests handed to the service, its time-outs kept, its end brought about.
//!
//! The watch beside the HTTP engine has one timer for a connection, not one for each request. It is set again only
//! when it rings, or when something is due before it would, so a busy connection touches it about once in an idle
//! time-out.
//!
//! A client that closes its sending half early is still answered, and one that is gone altogether shows when the
//! answer is written. So a handler over HTTP/1 is not cut off half-way because its client hung up.

use std::convert::Infallible;
use std::future::poll_fn;
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
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tower::Service;

use super::listen::{Peer, Socket};
use super::serve::ConnectionLimits;
use super::tls::{Channel, Tls};
use super::vitals::{Moment, Running, Vitals, Waiting};
use super::wire::{Outlet, Wire};

/// When the timer rings next if nothing is due. Only a safeguard: whatever comes due sooner sets it.
const FAR: Duration = Duration::from_hours(1);

/// What all connections of a server share.
#[derive(Debug)]
pub(super) struct Server<S> {
    pub(super) engine: auto::Builder<TokioExecutor>,
    pub(super) service: S,
    pub(super) limits: ConnectionLimits,
    pub(super) tls: Option<Tls>,
    pub(super) bell: Bell,
}

/// How far the end of the server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Stage {
    Serving,
    /// Requests that run are finished, and no more are taken.
    Draining,
    /// Whatever is still open is dropped.
    Cutting,
}

/// Tells every connection that the stage has changed.
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

    /// Ready when the server has been told to stop.
    async fn end_of_serving(&self) {
        let rung = self.rung.notified();
        if self.stage() == Stage::Serving {
            rung.await;
        }
    }

    fn stage(&self) -> Stage {
        match self.stage.load(Ordering::SeqCst) {
            0 => Stage::Serving,
            1 => Stage::Draining,
            _ => Stage::Cutting,
        }
    }
}

/// Serves one connection until it ends, by itself or for one of our reasons.
pub(super) async fn run<S>(server: &Server<S>, socket: Socket, peer: Peer)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let vitals = Vitals::new();
    let Some(channel) = begin(server, Outlet::new(socket, Arc::clone(&vitals)), peer).await else {
        return;
    };
    let wire = TokioIo::new(Wire::new(channel, Arc::clone(&vitals)));
    let service = service_fn(|request: Request<Incoming>| {
        let running = Running::begin(&vitals);
        let version = request.version();
        // Called here and not in the future, which would otherwise carry the request about with it.
        let reply = server.service.clone().call(hand_over(request, peer, &vitals));
        answer(reply, version, running)
    });
    let connection = pin!(server.engine.serve_connection(wire, service));
    let sleep = pin!(sleep_until(Instant::now() + FAR));
    let rung = pin!(server.bell.rung.notified());
    let alarm = Alarm { sleep, limits: &server.limits, seen: vitals.moment(), since: Instant::now() };
    let mut watch = Watch {
        connection,
        vitals: &vitals,
        alarm,
        bell: &server.bell,
        rung,
        registered: false,
        stage: Stage::Serving,
        finishing: false,
    };
    let ending = poll_fn(|cx| watch.poll(cx)).await;
    match ending {
        Ending::Own(Ok(())) => {}
        Ending::Own(Err(error)) => tracing::debug!(%peer, %error, "a connection failed"),
        Ending::Overdue(waiting) => {
            tracing::debug!(%peer, ?waiting, "a connection was cut for being too slow");
        }
        Ending::Cut => tracing::debug!(%peer, "a connection was cut at the end of the drain"),
    }
}

/// Shakes hands where that is due. Whoever is still at it when the server stops has asked nothing yet, and is let go.
async fn begin<S>(server: &Server<S>, outlet: Outlet, peer: Peer) -> Option<Channel> {
    let Some(tls) = &server.tls else {
        return Some(Channel::Plain(outlet));
    };
    // Apart, since a connection without TLS would carry the room for it about as long as it lives.
    let greeting = Box::pin(timeout(server.limits.header_read, tls.greet(outlet, server.limits.linger)));
    tokio::select! {
        outcome = greeting => match outcome {
            Ok(Ok(channel)) => return Some(channel),
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a connection was cut for taking too long over its TLS handshake"),
        },
        () = server.bell.end_of_serving() => {}
    }
    None
}

/// The request as handlers see it.
fn hand_over(request: Request<Incoming>, peer: Peer, vitals: &Arc<Vitals>) -> Request<Body> {
    let mut request = request.map(|body| {
        if body.is_end_stream() {
            return Body::empty();
        }
        Body::new(Upload { body, vitals: Arc::clone(vitals), finished: false })
    });
    request.extensions_mut().insert(peer);
    request
}

async fn answer<F>(reply: F, version: Version, running: Running) -> Result<Response<Reply>, Infallible>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    let mut response = reply.await?;
    let gave_up = matches!(response.status(), StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT);
    if gave_up && version < Version::HTTP_2 {
        // The rest of the body stands in the way of another request (RFC 9110, sections 15.5.9 and 15.5.14).
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Reply { body, _running: running }))
}

/// A request body that says so if nobody reads it to its end.
struct Upload {
    body: Incoming,
    vitals: Arc<Vitals>,
    finished: bool,
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let outcome = Pin::new(&mut self.body).poll_frame(cx);
        self.finished = matches!(outcome, Poll::Ready(None));
        outcome
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.finished && !self.body.is_end_stream() {
            self.vitals.body_given_up();
        }
    }
}

/// A response body that ends its request when it is dropped.
struct Reply {
    body: Body,
    _running: Running,
}

impl http_body::Body for Reply {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How a connection came to its end.
enum Ending<E> {
    /// By itself.
    Own(Result<(), E>),
    /// It kept us waiting too long.
    Overdue(Waiting),
    /// The drain was over.
    Cut,
}

/// Drives the engine and keeps the time.
struct Watch<'a, 'server, C> {
    connection: Pin<&'a mut C>,
    vitals: &'a Vitals,
    alarm: Alarm<'a>,
    bell: &'server Bell,
    rung: Pin<&'a mut Notified<'server>>,
    registered: bool,
    stage: Stage,
    finishing: bool,
}

impl<C: GracefulConnection> Watch<'_, '_, C> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending<C::Error>> {
        loop {
            self.listen(cx);
            if let Poll::Ready(outcome) = self.connection.as_mut().poll(cx) {
                return Poll::Ready(Ending::Own(outcome));
            }
            let stage = self.bell.stage();
            if stage == Stage::Cutting {
                return Poll::Ready(Ending::Cut);
            }
            if stage > self.stage {
                self.stage = stage;
                self.listen_anew();
                self.finish();
                continue;
            }
            match self.alarm.poll(self.vitals.moment(), self.finishing, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Waiting::Request) if !self.finishing => self.finish(),
                Poll::Ready(waiting) => return Poll::Ready(Ending::Overdue(waiting)),
            }
        }
    }

    /// Registers with the bell once, since that takes a lock that all connections share. Once is enough: a spawned
    /// task keeps its waker, and the stage is looked at whenever it wakes.
    fn listen(&mut self, cx: &mut Context<'_>) {
        if !self.registered {
            self.registered = true;
            // Ready at once means that the stage has changed already, and it is read next.
            let _ = self.rung.as_mut().poll(cx);
        }
    }

    fn listen_anew(&mut self) {
        self.rung.set(self.bell.rung.notified());
        self.registered = false;
    }

    /// Asks for an orderly end: what runs is answered, nothing more is taken.
    fn finish(&mut self) {
        self.finishing = true;
        self.alarm.restart();
        self.connection.as_mut().graceful_shutdown();
    }
}

/// The one timer of a connection.
struct Alarm<'a> {
    sleep: Pin<&'a mut Sleep>,
    limits: &'a ConnectionLimits,
    seen: Moment,
    since: Instant,
}

impl Alarm<'_> {
    /// Ready when the connection has waited too long in the state it is in.
    fn poll(&mut self, now: Moment, finishing: bool, cx: &mut Context<'_>) -> Poll<Waiting> {
        if now != self.seen {
            self.seen = now;
            if now.waiting != Waiting::Us {
                self.restart();
            }
        }
        let due = self.patience(finishing).and_then(|patience| self.since.checked_add(patience));
        if let Some(due) = due.filter(|due| *due < self.sleep.deadline()) {
            self.sleep.as_mut().reset(due);
        }
        // Outside of the task's budget: a client that keeps us busy would use that up and never be found too slow.
        while Pin::new(&mut unconstrained(self.sleep.as_mut())).poll(cx).is_ready() {
            if due.is_some_and(|due| due <= self.sleep.deadline()) {
                return Poll::Ready(now.waiting);
            }
            // It was set for an earlier state.
            self.sleep.as_mut().reset(due.unwrap_or_else(|| Instant::now() + FAR));
        }
        Poll::Pending
    }

    fn patience(&self, finishing: bool) -> Option<Duration> {
        match self.seen.waiting {
            Waiting::Head => Some(self.limits.header_read),
            Waiting::Request if finishing => Some(self.limits.linger),
            Waiting::Request => Some(self.limits.idle),
            Waiting::Us => None,
            Waiting::Reader | Waiting::Streams => Some(self.limits.write_stall),
            Waiting::End => Some(self.limits.linger),
        }
    }

    fn restart(&mut self) {
        self.since = Instant::now();
    }
}
