//! The address for gRPC, through the outer door: plain and with TLS, stopped, and taken by somebody else. What is asked and
//! answered there is for `crates/jeton-testkit/tests/envoy.rs`, and for the real Envoy in `gateways.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};
use support::{Server, run, serve};
use tempfile::tempdir;

/// A server that speaks gRPC too.
fn start(dir: &Path, more: &[&str]) -> Server {
    let mut command = serve(dir);
    Server::start_with(command.args(["--grpc-listen", "127.0.0.1:0"]).args(more))
}

fn grpc_address(server: &Server) -> &str {
    server.ready()["grpc_address"].as_str().unwrap()
}

/// Asks about nothing with the real curl, and gives back its heads and the message.
fn check(dir: &Path, scheme: &str, server: &Server, more: &[&str]) -> String {
    let (question, answer) = (dir.join("question"), dir.join("answer"));
    // A message without content, after its five bytes of length.
    std::fs::write(&question, [0; 5]).unwrap();
    let url = format!("{scheme}://{}/envoy.service.auth.v3.Authorization/Check", grpc_address(server));
    let mut command = Command::new("curl");
    command.args(["-q", "-sS", "-i", "--max-time", "30", "-H", "Content-Type: application/grpc"]);
    command.args(["-H", "TE: trailers", "--data-binary"]).arg(format!("@{}", question.display()));
    run(command.args(more).arg("-o").arg(&answer).arg(url)).success();
    String::from_utf8_lossy(&std::fs::read(&answer).unwrap()).into_owned()
}

fn is_a_denial(said: &str) {
    for part in ["HTTP/2 200", "grpc-status: 0", "x-request-id: ", "Invalid token"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn envoy_is_answered_at_an_address_of_its_own() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let server = start(&data, &[]);
    is_a_denial(&check(dir.path(), "http", &server, &["--http2-prior-knowledge"]));
    // A connection that says nothing is no reason to stay.
    let mut idle = TcpStream::connect(grpc_address(&server)).unwrap();
    idle.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    let said = server.stop().stderr;
    assert!(said.contains(r#""cut_connections":0"#), "{said}");
    // Nobody has to speak it.
    let server = Server::start(&data);
    assert!(server.ready()["grpc_address"].is_null(), "{}", server.ready());
    server.stop();
}

#[test]
fn it_has_tls_if_the_other_address_has() {
    let dir = tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let file = |name: &str, content: String| {
        std::fs::write(dir.path().join(name), content).unwrap();
        dir.path().join(name).to_str().unwrap().to_owned()
    };
    let (cert, key) = (file("cert.pem", cert.pem()), file("key.pem", key.serialize_pem()));
    let server = start(&dir.path().join("data"), &["--tls-cert", &cert, "--tls-key", &key]);
    is_a_denial(&check(dir.path(), "https", &server, &["--http2", "--cacert", &cert]));
    server.stop();
}

#[test]
fn an_address_that_is_taken_is_told_by_its_own_name() {
    let dir = tempdir().unwrap();
    let server = start(&dir.path().join("first"), &[]);
    let taken = grpc_address(&server);
    let (said, code) = run(serve(&dir.path().join("second")).args(["--grpc-listen", taken])).error();
    let expected = format!(
        "{taken} is already in use: stop what is listening there or choose another address with --grpc-listen"
    );
    assert_eq!((said, code), (expected, 1));
    server.stop();
}
