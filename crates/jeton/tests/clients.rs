//! Clients of others, unmodified, against the real program.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "in a test a panic is the report, and the steps of a client are shown"
)]

mod support;

use std::process::Command;

use rcgen::{CertificateParams, KeyPair};
use support::{Server, left_out, owner_token, run, serve};

fn script(name: &str) -> String {
    format!("{}/../../tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Lets a client loose on a fresh server: a command that is given a base address and the owner's secret.
fn against_a_server(client: &mut Command) {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(scratch.path());
    let url = server.url("");
    let printed = run(client.arg(url).arg(owner_token(scratch.path()))).success();
    print!("{printed}");
    assert!(printed.ends_with(" steps\n"), "{printed}");
    server.stop();
}

/// The same over TLS, with a certificate that the client is told to trust by the variable of its platform.
fn against_a_server_with_tls(client: &mut Command, trust: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let file = |name: &str| scratch.path().join(name);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(file("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(file("key.pem"), key.serialize_pem()).unwrap();
    let mut command = serve(&file("data"));
    command.arg("--tls-cert").arg(file("cert.pem")).arg("--tls-key").arg(file("key.pem"));
    let server = Server::start_with(&mut command);
    let url = format!("https://{}", server.address());
    let printed = run(client.arg(url).arg(owner_token(&file("data"))).env(trust, file("cert.pem"))).success();
    print!("{printed}");
    assert!(printed.ends_with(" steps\n"), "{printed}");
    server.stop();
}

#[test]
fn the_official_launchdarkly_client_for_python_does_its_whole_work() {
    let Some(python) = std::env::var_os("JETON_TEST_PYTHON") else {
        return left_out("the official Python client: scripts/test installs it and sets JETON_TEST_PYTHON");
    };
    against_a_server(Command::new(python).arg(script("launchdarkly_python.py")));
}

#[test]
fn an_official_launchdarkly_client_for_python_that_takes_no_null_does_its_token_work() {
    let Some(python) = std::env::var_os("JETON_TEST_PYTHON_STRICT") else {
        return left_out(
            "the strict Python client: scripts/test installs it and sets JETON_TEST_PYTHON_STRICT",
        );
    };
    against_a_server(Command::new(python).arg(script("launchdarkly_python_strict.py")));
}

#[test]
fn the_official_launchdarkly_client_for_typescript_does_its_whole_work() {
    if let Some(mut client) = node("launchdarkly.mjs") {
        against_a_server(&mut client);
    }
}

#[test]
fn the_official_launchdarkly_client_for_typescript_does_its_whole_work_over_tls() {
    if let Some(mut client) = node("launchdarkly.mjs") {
        against_a_server_with_tls(&mut client, "NODE_EXTRA_CA_CERTS");
    }
}

#[test]
fn a_strict_client_of_oauth_discovers_introspects_and_revokes() {
    if let Some(mut client) = node("oauth.mjs") {
        against_a_server(&mut client);
    }
}

#[test]
fn a_strict_client_of_oauth_does_it_over_tls_without_being_told_that_plain_http_will_do() {
    if let Some(mut client) = node("oauth.mjs") {
        against_a_server_with_tls(&mut client, "NODE_EXTRA_CA_CERTS");
    }
}

#[test]
fn the_client_of_oauth_for_rust_introspects_and_revokes_through_a_gateway() {
    let Some(client) = std::env::var_os("JETON_TEST_OAUTH2_CLIENT") else {
        return left_out(
            "the OAuth client for Rust: scripts/test builds it and sets JETON_TEST_OAUTH2_CLIENT",
        );
    };
    against_a_server(&mut Command::new(client));
}

fn node(name: &str) -> Option<Command> {
    let Some(modules) = std::env::var_os("JETON_TEST_NODE_MODULES") else {
        left_out("clients for Node: scripts/test installs them and sets JETON_TEST_NODE_MODULES");
        return None;
    };
    let mut client = Command::new("node");
    client.arg(script(&format!("typescript/{name}"))).arg(modules);
    Some(client)
}
