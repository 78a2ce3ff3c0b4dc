//! Every way in which listening can fail, and what it says; Unix sockets from their beginning to their end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use jeton_server::http::listen::BindError;
use jeton_server::http::{ConnectionLimits, Drained, ListenAddress, Peer, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

fn at(path: &Path) -> ListenAddress {
    ListenAddress::Unix(path.to_owned())
}

async fn failure(address: &ListenAddress) -> String {
    address.bind().await.unwrap_err().to_string()
}

#[tokio::test]
async fn the_system_chooses_a_port_and_it_is_named() {
    let listener = "localhost:0".parse::<ListenAddress>().unwrap().bind().await.unwrap();
    let ListenAddress::Tcp { host, port } = listener.address() else { panic!("not TCP") };
    assert!(["127.0.0.1", "::1"].contains(&host.as_str()), "{host}");
    assert_ne!(*port, 0);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = "127.0.0.1:0".parse::<ListenAddress>().unwrap().bind().await.unwrap();
    let message = failure(first.address()).await;
    assert_eq!(
        message,
        format!(
            "{} is already in use: stop what is listening there or choose another address with --listen",
            first.address()
        )
    );
}

#[tokio::test]
async fn an_address_of_another_machine_is_explained() {
    // TEST-NET-1 (RFC 5737) is nobody's.
    let message = failure(&"192.0.2.1:80".parse().unwrap()).await;
    assert!(message.starts_with("192.0.2.1:80 is not an address of this machine: "), "{message}");
}

#[tokio::test]
async fn a_unix_socket_serves_and_is_gone_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jeton.sock");
    let listener = at(&path).bind().await.unwrap();
    let found = path.symlink_metadata().unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o660);

    let peer = |request: Request| async move { request.extensions().get::<Peer>().unwrap().to_string() };
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move { drop(stopped.await) };
    let router = Router::new().route("/", get(peer));
    let server = tokio::spawn(serve(listener, router, ConnectionLimits::default(), shutdown));
    let mut client = UnixStream::connect(&path).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\nunix"), "{answer}");

    stop.send(()).unwrap();
    assert_eq!(server.await.unwrap(), Drained { cut: 0 });
    assert!(!path.exists());
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jeton.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "dropping a listener of std leaves the file, as a killed process does");
    let listener = at(&path).bind().await.unwrap();
    let message = failure(&at(&path)).await;
    assert!(message.starts_with(&format!("unix:{} is already in use: ", path.display())), "{message}");
    assert!(path.exists());
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_successors_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jeton.sock");
    let first = at(&path).bind().await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let _second = at(&path).bind().await.unwrap();
    drop(first);
    assert!(path.exists());
}

#[tokio::test]
async fn other_files_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("notes");
    std::fs::write(&file, "dear").unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for path in [directory.path(), &file, &link] {
        let message = failure(&at(path)).await;
        assert!(
            message.starts_with(&format!("{} exists and is not a socket: ", path.display())),
            "{message}"
        );
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "dear");
}

#[tokio::test]
async fn a_path_that_cannot_be_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let missing = at(&directory.path().join("missing/jeton.sock"));
    assert!(matches!(missing.bind().await, Err(BindError::NoDirectory(_))));
    let long = at(&directory.path().join("x".repeat(120)));
    assert!(failure(&long).await.starts_with("listening on unix:/"));
}
