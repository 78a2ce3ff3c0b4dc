//! The README, executed: its welcome is what a first start says, and its calls do what they say.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::process::{Command, Stdio};

use support::{Server, owner_token, run, serve};

fn readme() -> String {
    std::fs::read_to_string(format!("{}/../../README.md", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The block of the README that begins with this fence, after this heading.
fn block<'a>(text: &'a str, heading: &str, fence: &str) -> &'a str {
    let (_, rest) = text.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
    let (_, rest) =
        rest.split_once(&format!("{fence}\n")).unwrap_or_else(|| panic!("no {fence} after {heading}"));
    rest.split_once("```").unwrap().0
}

#[test]
fn the_welcome_is_what_a_first_start_says() {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = serve(std::path::Path::new("./jeton-data"));
    let mut server = Server::start_with(command.current_dir(scratch.path()));
    let address = server.address().to_owned();
    let printed = server.process().printed("server-key");
    let printed = printed + &server.process().printed("verified");
    let printed = printed.rsplit_once("Welcome").map(|(_, rest)| format!("Welcome{rest}")).unwrap();
    let text = readme();
    let shown = block(&text, "## Two commands", "```text");
    let sample = shown.split_whitespace().find(|word| word.starts_with("jtn_pat_")).unwrap();
    let secret = owner_token(&scratch.path().join("jeton-data"));
    let place = std::fs::canonicalize(scratch.path()).unwrap();
    let place = format!("{}/", place.display());
    let printed = printed.replace(&secret, sample).replace(&address, "127.0.0.1:8080").replace(&place, "./");
    assert_eq!(printed.trim(), shown.trim());
    server.stop();
}

#[test]
fn the_calls_of_a_tokens_life_do_what_they_say() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(scratch.path());
    let secret = owner_token(scratch.path());
    server.issue(&secret, "to be reset and revoked");
    let items = server.list(&secret).json()["items"].clone();
    let id = items[1]["_id"].as_str().unwrap();
    let text = readme();
    let script = block(&text, "## A token's life", "```sh")
        .replace("http://127.0.0.1:8080", &server.url(""))
        .replace("\ncurl ", "\ncurl -sS --fail-with-body ")
        .replace("$(cat jeton-data/owner-token)", &secret);
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &script]).env("ID", id).stdin(Stdio::null());
    let printed = run(&mut shell).success();
    assert!(
        printed.contains("plain_token") && printed.contains("jtn_svc_") && printed.contains("totalCount"),
        "{printed}"
    );
    let left = server.list(&secret).json();
    assert!(left["items"].as_array().unwrap().iter().all(|item| item["_id"] != id), "it was revoked");
    server.stop();
}

#[test]
fn the_calls_without_curl_do_what_they_say() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&scratch.path().join("jeton-data"));
    let secret = owner_token(&scratch.path().join("jeton-data"));
    server.issue(&secret, "to be rotated and revoked");
    let id = server.list(&secret).json()["items"][1]["_id"].as_str().unwrap().to_owned();
    let text = readme();
    let of_tokens = block(&text, "Or without curl:", "```console");
    let of_people = block(&text, "People and what they may do, and why not:", "```console");
    let script = format!("{of_tokens}{of_people}")
        .replace("$ ", "")
        .replace("http://127.0.0.1:8080", &server.url(""))
        // Nobody sits there to be asked.
        .replace("revoke ID", "revoke ID --yes")
        .replace("ID", &id);
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_jeton")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &format!("{script}printf '%s' \"$SECRET\"")]).stdin(Stdio::null());
    shell.env("PATH", path).env("XDG_CONFIG_HOME", scratch.path()).current_dir(scratch.path());
    let printed = run(&mut shell).success();
    let made = printed.rsplit('\n').next().unwrap();
    assert!(made.starts_with("jtn_pat_"), "{printed}");
    assert!(printed.contains("Allowed: ") && printed.contains("Denied: "), "{printed}");
    assert_eq!(server.status_for(made), 200);
    let left = server.list(&secret).json();
    let left = left["items"].as_array().unwrap();
    assert!(left.iter().all(|item| item["_id"] != *id), "it was revoked");
    assert!(left.iter().any(|item| item["name"] == "deploy" && item["serviceToken"] == true), "{left:?}");
    server.stop();
}
