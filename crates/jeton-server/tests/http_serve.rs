//! Clients that are slow, greedy, gone or too many, against a real socket: what each of them gets, and that nobody
//! else notices.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, get};
use http::StatusCode;
use jeton_server::http::body::{self, BodyRefused};
use jeton_server::http::{ConnectionLimits, Drained, ListenAddress, Peer, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Nothing in this file may take longer.
const BOUND: Duration = Duration::from_secs(10);
/// A time-out that must not be what ends a test.
const NEVER: Duration = Duration::from_mins(10);
/// A time-out under test.
const SHORT: Duration = Duration::from_millis(60);
const BODY_LIMIT: usize = 1024;

fn patient() -> ConnectionLimits {
    ConnectionLimits {
        connections: 100,
        header_read: NEVER,
        idle: NEVER,
        write_stall: NEVER,
        linger: NEVER,
        drain: NEVER,
        ..ConnectionLimits::default()
    }
}

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Drained>,
}

impl Server {
    async fn start(limits: ConnectionLimits, router: Router) -> Self {
        let listener = "127.0.0.1:0".parse::<ListenAddress>().unwrap().bind().await.unwrap();
        let address = listener.address().to_string().parse().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        let ended = tokio::spawn(serve(listener, router, limits, shutdown));
        Self { address, stop, ended }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }
}

/// A client that says exactly what it is told to.
struct Client(TcpStream);

impl Client {
    async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    async fn get(&mut self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).await;
        self.answer().await
    }

    /// One answer, as far as its Content-Length goes.
    async fn answer(&mut self) -> String {
        let mut seen = String::new();
        while !complete(&seen) {
            let mut piece = [0; 4096];
            let read = bounded(self.0.read(&mut piece)).await.unwrap();
            assert_ne!(read, 0, "the connection ended within an answer: {seen:?}");
            seen.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
        seen
    }

    /// Everything until the server ends the connection in an orderly way.
    async fn rest(&mut self) -> String {
        let mut all = String::new();
        bounded(self.0.read_to_string(&mut all)).await.unwrap();
        all
    }

    /// Waits until the connection is over, however it ends.
    async fn end(&mut self) {
        let mut rest = Vec::new();
        let _ = bounded(self.0.read_to_end(&mut rest)).await;
    }
}

fn complete(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |text| text.parse().unwrap())
}

async fn bounded<F: Future>(future: F) -> F::Output {
    timeout(BOUND, future).await.expect("nothing here takes this long")
}

async fn take_body(request: Request, deadline: Duration) -> Response {
    let refusal = match body::read(request.into_body(), BODY_LIMIT, deadline).await {
        Ok(body) => return Response::new(Body::from(body)),
        Err(refusal) => refusal,
    };
    let status = match refusal {
        BodyRefused::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BodyRefused::TooSlow => StatusCode::REQUEST_TIMEOUT,
        BodyRefused::Broken => StatusCode::BAD_REQUEST,
    };
    Response::builder().status(status).body(Body::from(refusal.to_string())).unwrap()
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route(
            "/peer",
            get(|request: Request| async move { request.extensions().get::<Peer>().unwrap().to_string() }),
        )
        .route("/body", any(|request| take_body(request, NEVER)))
        .route("/impatient", any(|request| take_body(request, SHORT)))
        .route("/ignored", any(|| async { "did not look" }))
}

/// A route that says when it runs and answers when it may.
fn gated() -> (Router, Arc<Semaphore>, Arc<Notify>) {
    let (gate, running) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (gate2, running2) = (Arc::clone(&gate), Arc::clone(&running));
    let handler = move || async move {
        running2.notify_one();
        gate2.acquire().await.unwrap().forget();
        "at last"
    };
    (router().route("/gated", get(handler)), gate, running)
}

#[tokio::test]
async fn requests_follow_each_other_on_one_connection() {
    let server = Server::start(patient(), router()).await;
    let mut client = server.connect().await;
    let me = client.0.local_addr().unwrap().to_string();
    assert!(client.get("/").await.ends_with("\r\n\r\nhello"));
    assert!(client.get("/peer").await.ends_with(&me), "handlers know who asks");
    client.send("POST /body HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").await;
    assert!(client.answer().await.ends_with("\r\n\r\nabc"));
    client
        .send("POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        .await;
    assert!(client.answer().await.ends_with("\r\n\r\nabc"));
    client.send("POST /ignored HTTP/1.1\r\nContent-Length: 4\r\n\r\nnull").await;
    assert!(client.answer().await.ends_with("did not look"));
    client.send("GET / HTTP/1.1\r\n\r\nGET /ignored HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    let both = client.rest().await;
    assert!(both.contains("hello") && both.ends_with("did not look"), "pipelined: {both}");
}

#[tokio::test]
async fn a_slow_head_is_cut() {
    let server = Server::start(ConnectionLimits { header_read: SHORT, ..patient() }, router()).await;
    for beginning in ["", "G", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: te"] {
        let mut client = server.connect().await;
        client.send(beginning).await;
        assert_eq!(client.rest().await, "", "after {beginning:?}");
    }
}

#[tokio::test]
async fn a_slow_second_head_is_cut() {
    let server = Server::start(ConnectionLimits { header_read: SHORT, ..patient() }, router()).await;
    let mut client = server.connect().await;
    client.get("/").await;
    client.send("GET / HT").await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn dripping_a_head_gains_no_time() {
    let server = Server::start(ConnectionLimits { header_read: SHORT, ..patient() }, router()).await;
    let (mut reader, mut writer) = server.connect().await.0.into_split();
    let dripping = tokio::spawn(async move {
        writer.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
        while writer.write_all(b"x").await.is_ok() {
            sleep(SHORT / 10).await;
        }
    });
    let mut nothing = Vec::new();
    let _ = bounded(reader.read_to_end(&mut nothing)).await;
    assert_eq!(nothing, b"");
    bounded(dripping).await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = Server::start(ConnectionLimits { idle: SHORT, ..patient() }, router()).await;
    let mut client = server.connect().await;
    let started = Instant::now();
    client.get("/").await;
    assert_eq!(client.rest().await, "");
    assert!(started.elapsed() >= SHORT);
}

#[tokio::test]
async fn an_idle_connection_is_not_held_to_the_time_of_a_head() {
    let server = Server::start(ConnectionLimits { header_read: SHORT, ..patient() }, router()).await;
    let mut client = server.connect().await;
    client.send("POST /body HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").await;
    assert!(client.answer().await.starts_with("HTTP/1.1 100 "));
    client.send("abc").await;
    assert!(client.answer().await.ends_with("abc"));
    sleep(2 * SHORT).await;
    assert!(client.get("/").await.ends_with("hello"));
}

#[tokio::test]
async fn a_handler_may_take_longer_than_any_time_out_of_its_client() {
    let (router, gate, running) = gated();
    let limits = ConnectionLimits { header_read: SHORT, idle: SHORT, write_stall: SHORT, ..patient() };
    let server = Server::start(limits, router).await;
    let mut client = server.connect().await;
    client.send("GET /gated HTTP/1.1\r\n\r\n").await;
    bounded(running.notified()).await;
    sleep(2 * SHORT).await;
    gate.add_permits(1);
    assert!(client.answer().await.ends_with("at last"));
}

#[tokio::test]
async fn a_slow_body_is_answered_with_408() {
    let server = Server::start(patient(), router()).await;
    let mut client = server.connect().await;
    client.send("POST /impatient HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc").await;
    let answer = client.answer().await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_comes() {
    let server = Server::start(patient(), router()).await;
    for body in ["Content-Length: 5000000000\r\n\r\n", "Content-Length: 1025\r\nExpect: 100-continue\r\n\r\n"]
    {
        let mut client = server.connect().await;
        client.send(format!("POST /body HTTP/1.1\r\n{body}")).await;
        let answer = client.answer().await;
        assert!(
            answer.starts_with("HTTP/1.1 413 ") && answer.contains("\r\nconnection: close\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with("the body is larger than 1024 bytes"), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_sends_everything_first_still_reads_the_refusal() {
    let server = Server::start(patient(), router()).await;
    for (path, status) in [("/body", "413"), ("/ignored", "200"), ("/unknown", "404")] {
        let mut client = server.connect().await;
        let upload = vec![b'x'; 12 << 20];
        client.send(format!("POST {path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n", upload.len())).await;
        client.send(&upload).await;
        assert!(client.rest().await.starts_with(&format!("HTTP/1.1 {status} ")));
    }
}

#[tokio::test]
async fn a_client_that_never_stops_sending_is_cut() {
    let server = Server::start(ConnectionLimits { linger: SHORT, ..patient() }, router()).await;
    let mut client = server.connect().await;
    client.send("POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    bounded(async { while client.0.write_all(chunk.as_bytes()).await.is_ok() {} }).await;
}

#[tokio::test]
async fn a_half_closed_client_is_answered() {
    let (router, gate, running) = gated();
    let server = Server::start(patient(), router).await;
    let mut client = server.connect().await;
    client.send("GET /gated HTTP/1.1\r\n\r\n").await;
    client.0.shutdown().await.unwrap();
    bounded(running.notified()).await;
    gate.add_permits(1);
    assert!(client.rest().await.ends_with("at last"));
}

#[tokio::test]
async fn a_client_that_half_closes_within_its_body_is_told() {
    let server = Server::start(patient(), router()).await;
    let mut client = server.connect().await;
    client.send("POST /body HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc").await;
    client.0.shutdown().await.unwrap();
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("the body ended early"), "{answer}");
}

#[tokio::test]
async fn a_client_that_closes_within_its_head_is_forgotten() {
    let server = Server::start(ConnectionLimits { connections: 1, ..patient() }, router()).await;
    for beginning in ["", "GET", "GET / HTTP/1.1\r\nHost: te"] {
        let mut client = server.connect().await;
        client.send(beginning).await;
        drop(client);
        assert!(server.connect().await.get("/").await.ends_with("hello"), "the slot is free again");
    }
}

#[tokio::test]
async fn oversized_heads_are_refused() {
    let server = Server::start(ConnectionLimits { header_bytes: 8192, ..patient() }, router()).await;
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9000));
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(90_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(101));
    for head in [long, endless, many] {
        let mut client = server.connect().await;
        client.send(head).await;
        assert!(client.rest().await.starts_with("HTTP/1.1 431 "));
    }
    let fits = format!("GET / HTTP/1.1\r\nX: {}\r\nConnection: close\r\n\r\n", "x".repeat(8000));
    let mut client = server.connect().await;
    client.send(fits).await;
    assert!(client.rest().await.ends_with("hello"));
}

#[tokio::test]
async fn malformed_heads_are_refused() {
    let server = Server::start(patient(), router()).await;
    for head in
        ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
    {
        let mut client = server.connect().await;
        client.send(head).await;
        assert!(client.rest().await.starts_with("HTTP/1.1 400 "), "{head:?}");
    }
}

#[tokio::test]
async fn connections_over_the_cap_wait_their_turn() {
    let server = Server::start(ConnectionLimits { connections: 2, ..patient() }, router()).await;
    let (mut one, mut other) = (server.connect().await, server.connect().await);
    one.get("/").await;
    other.get("/").await;
    let mut waiting = server.connect().await;
    waiting.send("GET / HTTP/1.1\r\n\r\n").await;
    let mut byte = [0];
    timeout(SHORT, waiting.0.peek(&mut byte)).await.unwrap_err();
    assert!(one.get("/").await.ends_with("hello"), "those inside go on");
    drop(other);
    assert!(waiting.answer().await.ends_with("hello"));
}

#[tokio::test]
async fn a_drain_finishes_what_runs_and_takes_nothing_new() {
    let (router, gate, running) = gated();
    let server = Server::start(patient(), router).await;
    let (mut busy, mut idle) = (server.connect().await, server.connect().await);
    idle.get("/").await;
    busy.send("GET /gated HTTP/1.1\r\n\r\n").await;
    bounded(running.notified()).await;
    server.stop.send(()).unwrap();
    assert_eq!(idle.rest().await, "", "an idle connection is closed at once");
    let refused = TcpStream::connect(server.address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert!(!server.ended.is_finished());
    gate.add_permits(1);
    let answer = busy.rest().await;
    assert!(answer.contains("connection: close") && answer.ends_with("at last"), "{answer}");
    assert_eq!(bounded(server.ended).await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn a_drain_does_not_wait_for_ever() {
    let (router, _gate, running) = gated();
    let server = Server::start(ConnectionLimits { drain: SHORT, ..patient() }, router).await;
    let mut clients = [server.connect().await, server.connect().await];
    for client in &mut clients {
        client.send("GET /gated HTTP/1.1\r\n\r\n").await;
        bounded(running.notified()).await;
    }
    let started = Instant::now();
    server.stop.send(()).unwrap();
    assert_eq!(bounded(server.ended).await.unwrap(), Drained { cut: 2 });
    assert!(started.elapsed() < Duration::from_millis(800), "they heard of it at once");
    for client in &mut clients {
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn a_drain_without_connections_is_over_at_once() {
    let server = Server::start(patient(), router()).await;
    server.stop.send(()).unwrap();
    assert_eq!(bounded(server.ended).await.unwrap(), Drained { cut: 0 });
}

const LARGE: usize = 32 << 20;

fn large() -> Router {
    router().route("/large", get(|| async { vec![b'x'; LARGE] }))
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut() {
    let limits = ConnectionLimits { write_stall: SHORT, connections: 1, ..patient() };
    let server = Server::start(limits, large()).await;
    let mut deaf = server.connect().await;
    deaf.send("GET /large HTTP/1.1\r\n\r\n").await;
    assert!(server.connect().await.get("/").await.ends_with("hello"), "its slot is given to the next");
}

#[tokio::test]
async fn a_reader_that_is_slow_but_moves_is_not_cut() {
    let stall = Duration::from_millis(500);
    let server = Server::start(ConnectionLimits { write_stall: stall, ..patient() }, large()).await;
    let socket = TcpSocket::new_v4().unwrap();
    // Small steps, or the kernels on both sides would take most of it at once.
    socket.set_recv_buffer_size(128 << 10).unwrap();
    let mut slow = Client(socket.connect(server.address).await.unwrap());
    slow.send("GET /large HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    let (started, mut total, mut piece) = (Instant::now(), 0, vec![0; 64 << 10]);
    while started.elapsed() < stall * 3 / 2 {
        total += bounded(slow.0.read(&mut piece)).await.unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    assert!(total < LARGE / 2, "the server has had more to give all the time");
    assert!(total + slow.rest().await.len() > LARGE, "all of it arrives");
}

/// Just enough of HTTP/2 (RFC 9113) to ask and to hear.
mod http2 {
    use super::*;

    pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    /// HEADERS that end stream 1: `GET http /` from the static table of HPACK.
    pub(super) const GET: &[u8] = b"\0\0\x03\x01\x05\0\0\0\x01\x82\x86\x84";
    pub(super) const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0abcdefgh";
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const GOAWAY: u8 = 7;

    /// The next frame of this kind, others passed over; `None` at the end of the connection.
    pub(super) async fn frame(client: &mut Client, kind: u8) -> Option<Vec<u8>> {
        loop {
            let mut head = [0; 9];
            bounded(client.0.read_exact(&mut head)).await.ok()?;
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            bounded(client.0.read_exact(&mut payload)).await.ok()?;
            if head[3] == kind {
                return Some(payload);
            }
        }
    }
}

#[tokio::test]
async fn http2_is_spoken_without_asking() {
    let server = Server::start(patient(), router()).await;
    let mut client = server.connect().await;
    client.send([http2::PREFACE, http2::GET].concat()).await;
    assert_eq!(http2::frame(&mut client, http2::HEADERS).await.unwrap()[0], 0x88, "status 200");
    assert_eq!(http2::frame(&mut client, http2::DATA).await.unwrap(), b"hello");
}

#[tokio::test]
async fn an_idle_http2_connection_is_told_to_go() {
    let limits = ConnectionLimits { header_read: SHORT, idle: 8 * SHORT, linger: SHORT, ..patient() };
    let server = Server::start(limits, router()).await;
    let mut client = server.connect().await;
    // The preface comes in two parts, and nothing is asked for until the time of a head is over.
    client.send(&http2::PREFACE[..10]).await;
    client.send(&http2::PREFACE[10..]).await;
    sleep(2 * SHORT).await;
    client.send(http2::GET).await;
    assert_eq!(http2::frame(&mut client, http2::DATA).await.unwrap(), b"hello");
    client.send(http2::PING).await;
    assert!(http2::frame(&mut client, http2::GOAWAY).await.is_some());
    client.end().await;
}

#[tokio::test]
async fn a_drain_finishes_http2_streams() {
    let (router, gate, running) = gated();
    let server = Server::start(patient(), router.fallback(|| async { "other" })).await;
    let mut client = server.connect().await;
    // HEADERS that end stream 1: the path is a literal, `/gated`.
    let get_gated = b"\0\0\x0a\x01\x05\0\0\0\x01\x82\x86\x04\x06/gated";
    client.send([http2::PREFACE, get_gated].concat()).await;
    bounded(running.notified()).await;
    server.stop.send(()).unwrap();
    assert!(http2::frame(&mut client, http2::GOAWAY).await.is_some());
    gate.add_permits(1);
    assert_eq!(http2::frame(&mut client, http2::DATA).await.unwrap(), b"at last");
    drop(client);
    assert_eq!(bounded(server.ended).await.unwrap(), Drained { cut: 0 });
}
