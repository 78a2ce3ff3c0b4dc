//! Clients of others, unmodified, against the real program.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "in a test a panic is the report, and the steps of a client are shown"
)]

mod support;

use std::process::Command;

use support::{Server, left_out, owner_token, run};

fn script(name: &str) -> String {
    format!("{}/../../tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Lets a client loose on a fresh server: a command that is given a base address and the owner's secret.
fn against_a_server(client: &mut Command) {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(scratch.path());
    let printed = run(client.arg(server.url("")).arg(owner_token(scratch.path()))).success();
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
    let Some(modules) = std::env::var_os("JETON_TEST_NODE_MODULES") else {
        return left_out(
            "the official TypeScript client: scripts/test installs it and sets JETON_TEST_NODE_MODULES",
        );
    };
    let mut client = Command::new("node");
    against_a_server(client.arg(script("typescript/launchdarkly.mjs")).arg(modules));
}
