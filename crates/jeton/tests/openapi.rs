//! The OpenAPI document against the real program, as others read it: schemathesis makes thousands of requests from the
//! document, right ones and wrong ones, and compares every answer with it.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::process::Command;
use std::time::Duration;

use support::{Running, Server, curl, left_out, owner_token, serve};

#[test]
fn thousands_of_requests_find_no_contradiction() {
    let Some(schemathesis) = std::env::var_os("JETON_TEST_SCHEMATHESIS") else {
        return left_out("schemathesis: scripts/test installs it and sets JETON_TEST_SCHEMATHESIS");
    };
    let scratch = tempfile::tempdir().unwrap();
    let data_dir = scratch.path().join("data");
    let unlimited = ["--token-rate", "0", "--failed-auth-rate", "0", "--failed-login-rate", "0"];
    let server = Server::start_with(serve(&data_dir).args(unlimited));
    let secret = owner_token(&data_dir);
    let authorization = format!("Authorization: {secret}");
    let caller = curl(&["-H", &authorization, &server.url("/api/v2/caller-identity")]).json();

    let clients = format!("{}/../../tests/clients", env!("CARGO_MANIFEST_DIR"));
    let mut client = Command::new(schemathesis);
    client
        .args(["--config-file", &format!("{clients}/schemathesis.toml"), "run", &server.url("/openapi.json")])
        .args(["-H", &authorization, "--request-timeout", "30"])
        .env("JETON_TEST_SPARED", caller["tokenId"].as_str().unwrap())
        .env("PYTHONPATH", &clients)
        // It leaves files where it is started.
        .current_dir(scratch.path());
    let ended = Running::start(&mut client).wait_within(Duration::from_mins(10));
    assert!(ended.status.success(), "{}\n{}", ended.stdout, ended.stderr);
    println!("{}", ended.stdout);
    // Otherwise most of it found the same 401.
    assert_eq!(server.status_for(&secret), 200, "schemathesis lost its token on the way");
    server.stop();
}
