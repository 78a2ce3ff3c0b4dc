//! Takes connections and gives each a task, within limits, until told to stop.
//!
//! axum's own server has no limits to set, so the accept loop is ours: how many connections there may be, how long a
//! client may take over each part of a request, and how the server ends. Nothing here waits for a client in a place
//! where another client would have to wait too.
//!
//! | who is slow | what happens |
//! |---|---|
//! | sends a request head slowly, or nothing after connecting | cut after `header_read` |
//! | takes its time over the TLS handshake | cut after `header_read` |
//! | speaks plain HTTP where TLS is due | told so with a plain 400 |
//! | sends a body slowly | the handler's deadline ([`body::read`](super::body::read)), status 408 |
//! | sends more of a body than is wanted | answered at once; the rest is thrown away for `linger` at most |
//! | takes no answer | cut after `write_stall` without a byte taken |
//! | keeps a connection without a request | closed after `idle`, with a GOAWAY in HTTP/2 |
//! | connects when all slots are taken | waits in the kernel's backlog |
//!
//! What the HTTP engine refuses before there is a request (a malformed head: 400; one that is too large: 431; over
//! HTTP/2 resets and GOAWAY) has no body and no request id: there is no path that could say whose dialect to use.
//! Streams of HTTP/2 whose client never widens its window hold their own connection and nothing else.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::Semaphore;
use tower::Service;

use super::connection::{self, Bell, Server, Stage};
use super::listen::Listener;

/// What a connection may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at once. Lowered to what the process may open if that is less (see [`open_files`]).
    pub connections: usize,
    /// For a request head to arrive, from its first byte, or from the connection's beginning for the first one. A TLS
    /// handshake has as long, before that.
    pub header_read: Duration,
    /// Without a request.
    pub idle: Duration,
    /// Without a byte taken by a client that has an answer waiting.
    pub write_stall: Duration,
    /// For a client that is still sending to notice that its answer has been given and the connection closed.
    pub linger: Duration,
    /// For running requests to finish once the server has been told to stop.
    pub drain: Duration,
    /// A request head, in bytes; at least 8192. It is also the size of the HTTP/1 read buffer.
    pub header_bytes: u32,
    /// Requests at once over one HTTP/2 connection.
    pub http2_streams: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_read: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write_stall: Duration::from_secs(30),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(10),
            header_bytes: 32 * 1024,
            http2_streams: 128,
        }
    }
}

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that had to be cut because their requests took longer than the drain.
    pub cut: usize,
}

/// Files kept free for the store and for logs when connections are counted against the limit of open files.
const FILES_OF_OUR_OWN: usize = 128;

/// hyper refuses to work with less.
const SMALLEST_BUFFER: u32 = 8192;

/// What one HTTP/2 stream may have under way, each way. A whole request body fits.
const STREAM_BYTES: u32 = 64 * 1024;

/// How long connections that are cut get to notice it.
const CUTTING: Duration = Duration::from_secs(1);

/// Serves until `shutdown` is ready, then lets running requests finish.
///
/// `service` is the whole of the server's behaviour, usually an [`Edge`](super::Edge) around a router; it must be ready
/// at all times, as these are. Each request carries the [`Peer`](super::Peer) in its extensions. Once `shutdown` is ready the listener is closed, so that new
/// clients are turned away and another process can take the address, idle connections are closed, and requests that
/// run have [`ConnectionLimits::drain`] to finish.
pub async fn serve<S>(
    listener: Listener,
    service: S,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()>,
) -> Drained
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let limits = within_open_files(limits);
    let slots = Arc::new(Semaphore::new(limits.connections));
    let tls = listener.tls().cloned();
    let server = Arc::new(Server { engine: engine(&limits), service, limits, tls, bell: Bell::default() });
    tokio::select! {
        biased;
        () = shutdown => {}
        never = accept(&listener, &server, &slots) => match never {},
    }
    drop(listener);
    drain(&server, &slots).await
}

fn engine(limits: &ConnectionLimits) -> auto::Builder<TokioExecutor> {
    let mut engine = auto::Builder::new(TokioExecutor::new());
    engine
        .http1()
        // Its timer counts idle time and head alike and is made anew for each request: the watch keeps both.
        .header_read_timeout(None)
        .half_close(true)
        // The buffer is what bounds a head: `auto` passes on no other limit.
        .max_buf_size(limits.header_bytes.max(SMALLEST_BUFFER) as usize);
    engine
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(limits.header_bytes)
        .max_send_buf_size(STREAM_BYTES as usize)
        .initial_stream_window_size(STREAM_BYTES);
    engine
}

async fn accept<S>(listener: &Listener, server: &Arc<Server<S>>, slots: &Arc<Semaphore>) -> Infallible
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let mut backoff = Backoff::default();
    loop {
        let slot = Arc::clone(slots).acquire_owned().await.expect("nothing closes the semaphore");
        match listener.accept().await {
            Ok((socket, peer)) => {
                backoff = Backoff::default();
                let server = Arc::clone(server);
                tokio::spawn(async move {
                    connection::run(&server, socket, peer).await;
                    drop(slot);
                });
            }
            Err(error) if concerns_one_client(&error) => {}
            Err(error) => backoff.wait(&error).await,
        }
    }
}

/// Whether accepting failed only because a client had gone away again (`man 2 accept`).
fn concerns_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Waits longer each time accepting fails for want of something: files, memory. Trying again at once would only heat
/// the processor, and giving up would turn a moment's want into an outage.
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(10))
    }
}

impl Backoff {
    async fn wait(&mut self, error: &io::Error) {
        tracing::warn!(%error, "cannot take a connection; trying again");
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_secs(1));
    }
}

async fn drain<S>(server: &Server<S>, slots: &Semaphore) -> Drained {
    let most = u32::try_from(server.limits.connections).unwrap_or(u32::MAX);
    server.bell.ring(Stage::Draining);
    if tokio::time::timeout(server.limits.drain, slots.acquire_many(most)).await.is_ok() {
        return Drained { cut: 0 };
    }
    let cut = server.limits.connections - slots.available_permits();
    server.bell.ring(Stage::Cutting);
    // Only a handler that blocks its thread can outlast this, and there is nothing to be done about one.
    let _ = tokio::time::timeout(CUTTING, slots.acquire_many(most)).await;
    Drained { cut }
}

/// Lowers the number of connections to what the process may open: running out of files would hit the store too.
fn within_open_files(mut limits: ConnectionLimits) -> ConnectionLimits {
    let room = open_files().map_or(usize::MAX, |files| files.saturating_sub(FILES_OF_OUR_OWN).max(1));
    if room < limits.connections {
        tracing::warn!(
            wanted = limits.connections,
            allowed = room,
            "fewer connections than configured, because of the limit on open files: raise it with `ulimit -n`"
        );
        limits.connections = room;
    }
    limits.connections = limits.connections.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    limits
}

/// How many files this process may have open, where the system tells.
pub fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_into_the_open_files() {
        let files = open_files().expect("this test runs where /proc is");
        let wanting = |connections| within_open_files(ConnectionLimits { connections, ..Default::default() });
        assert_eq!(wanting(usize::MAX).connections, files - FILES_OF_OUR_OWN);
        assert_eq!(wanting(7).connections, 7);
        assert_eq!(wanting(0).connections, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn backing_off_is_bounded() {
        let mut backoff = Backoff::default();
        let error = io::Error::other("too many open files");
        let started = tokio::time::Instant::now();
        for _ in 0..12 {
            backoff.wait(&error).await;
        }
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    }

    #[test]
    fn a_client_gone_again_is_no_reason_to_wait() {
        assert!(concerns_one_client(&io::ErrorKind::ConnectionAborted.into()));
        assert!(!concerns_one_client(&io::Error::from_raw_os_error(24)), "EMFILE");
    }
}
