//! TLS under the same time-outs as everything else: a client that takes no answer is found out although TLS takes
//! whatever it is given, and a client that takes it slowly is not mistaken for one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use jeton_server::http::{ConnectionLimits, Drained, Identity, ListenAddress, Tls, serve};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Nothing in this file may take longer.
const BOUND: Duration = Duration::from_secs(20);
/// A time-out that must not be what ends a test.
const NEVER: Duration = Duration::from_mins(10);
/// More than the kernel keeps for a client.
const LARGE: usize = 16 * 1024 * 1024;

fn patient() -> ConnectionLimits {
    ConnectionLimits {
        connections: 1,
        header_read: NEVER,
        idle: NEVER,
        write_stall: NEVER,
        linger: NEVER,
        drain: NEVER,
        ..ConnectionLimits::default()
    }
}

struct Server {
    address: std::net::SocketAddr,
    certificate: CertificateDer<'static>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Drained>,
}

impl Server {
    async fn start(limits: ConnectionLimits) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        let listener = "127.0.0.1:0".parse::<ListenAddress>().unwrap().bind().await.unwrap();
        let listener = listener.with_tls(Tls::new(identity));
        let address = listener.address().to_string().parse().unwrap();
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/large", get(|| async { Response::new(Body::from(vec![b'x'; LARGE])) }));
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        let ended = tokio::spawn(serve(listener, router, limits, shutdown));
        Self { address, certificate: made.cert.der().clone(), stop, ended }
    }

    async fn connect(&self) -> TlsStream<tokio::net::TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let socket = TcpSocket::new_v4().unwrap();
        // Small steps, or the kernels on both sides would take most of it at once.
        socket.set_recv_buffer_size(128 << 10).unwrap();
        let stream = socket.connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        bounded(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
    }

    /// Asks for a path and leaves the answer to be read.
    async fn ask(&self, path: &str) -> TlsStream<tokio::net::TcpStream> {
        let mut client = self.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        client
    }
}

async fn bounded<F: Future>(future: F) -> F::Output {
    timeout(BOUND, future).await.expect("nothing here takes this long")
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut() {
    let limits = ConnectionLimits { write_stall: Duration::from_millis(60), ..patient() };
    let server = Server::start(limits).await;
    let _deaf = server.ask("/large").await;
    let mut answer = String::new();
    bounded(server.ask("/").await.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("hello"), "its slot is given to the next: {answer}");
}

#[tokio::test]
async fn a_reader_that_is_slow_but_moves_is_not_cut() {
    let stall = Duration::from_millis(500);
    let server = Server::start(ConnectionLimits { write_stall: stall, ..patient() }).await;
    let mut slow = server.ask("/large").await;
    let (started, mut total, mut piece) = (tokio::time::Instant::now(), 0, vec![0; 16 << 10]);
    while started.elapsed() < stall * 3 / 2 {
        // TLS gives a record at a time.
        for _ in 0..4 {
            total += bounded(slow.read(&mut piece)).await.unwrap();
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert!(total < LARGE / 2, "the server has had more to give all the time");
    let mut rest = Vec::new();
    bounded(slow.read_to_end(&mut rest)).await.unwrap();
    assert!(total + rest.len() > LARGE, "all of it arrives, and TLS is ended in good order");
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed_and_one_that_rests_ends_in_good_order() {
    let server =
        Server::start(ConnectionLimits { header_read: Duration::from_millis(60), ..patient() }).await;
    let mut silent = server.connect().await;
    assert_eq!(bounded(silent.read(&mut [0])).await.unwrap_or(0), 0, "no head came in time");
    let server = Server::start(patient()).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("hello") {
        let mut piece = [0; 1024];
        let length = bounded(idle.read(&mut piece)).await.unwrap();
        answer.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    server.stop.send(()).unwrap();
    assert_eq!(bounded(idle.read(&mut [0])).await.unwrap(), 0, "TLS is ended in good order");
    assert_eq!(bounded(server.ended).await.unwrap(), Drained { cut: 0 });
}
