//! Clients of others, unmodified, against the real program.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::process::Command;

use support::{Server, left_out, owner_token, run};

fn script(name: &str) -> String {
    format!("{}/../../tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_official_launchdarkly_client_for_python_does_its_whole_token_work() {
    let Some(python) = std::env::var_os("JETON_TEST_PYTHON") else {
        return left_out("the official Python client: scripts/test installs it and sets JETON_TEST_PYTHON");
    };
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(scratch.path());
    let mut client = Command::new(python);
    client.arg(script("launchdarkly_python.py")).arg(server.url("")).arg(owner_token(scratch.path()));
    let printed = run(&mut client).success();
    print!("{printed}");
    assert!(printed.ends_with(" steps\n"), "{printed}");
}
