//! Secrets live nowhere: after a story with every call and many mistakes, none is found in the database's bytes, in the
//! log or in an error, nor anything that one could be checked against without the server key.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use support::http::Connection;
use support::{Server, owner_token, run, serve};

/// Everything that must not be found: each secret, and its unkeyed hash in bytes and in digits.
fn traces(secret: &str) -> [Vec<u8>; 3] {
    let hash = Sha256::digest(secret.as_bytes());
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    [secret.as_bytes().to_vec(), hash.to_vec(), digits.into_bytes()]
}

fn holds(bytes: &[u8], trace: &[u8]) -> bool {
    bytes.windows(trace.len()).any(|window| window == trace)
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn law_06_the_secret_is_shown_once_and_lives_nowhere() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start_with(serve(scratch.path()).args(["--log-level", "trace"]));
    let owner = owner_token(scratch.path());
    let mut connection = Connection::open(server.address()).unwrap();
    let mut errors = String::new();
    let mut secrets = vec![owner.clone()];
    let mut ask = |secret: &str, method: &str, path: &str, body: &str| {
        let reply = connection.ask(secret, method, path, body).unwrap();
        if reply.status >= 400 {
            errors.push_str(&reply.body);
        }
        reply
    };

    for number in 0..20 {
        let body = json!({ "name": format!("token {number}"), "role": "reader" }).to_string();
        let made = ask(&owner, "POST", "/api/v2/tokens", &body);
        let (id, secret) = (made.string("_id"), made.string("token"));
        let path = format!("/api/v2/tokens/{id}");
        let reset = ask(&owner, "POST", &format!("{path}/reset?expiry=4102444800000"), "").string("token");
        // A secret in every place where somebody may put one by mistake.
        let mistakes = [
            ("GET", format!("/api/v2/tokens/{secret}"), String::new()),
            ("GET", format!("/api/v2/tokens?limit={secret}"), String::new()),
            ("GET", format!("/{secret}"), String::new()),
            ("GET", format!("/api/v1/users/{secret}/access-tokens"), String::new()),
            ("POST", "/api/v2/tokens".to_owned(), json!({ "role": secret }).to_string()),
            ("POST", "/api/v2/tokens".to_owned(), json!({ "name": [secret] }).to_string()),
            ("POST", "/api/v2/tokens".to_owned(), json!({ "expiry": secret }).to_string()),
            ("POST", "/api/v2/tokens".to_owned(), json!({ "customRoleIds": [secret] }).to_string()),
            ("PATCH", path.clone(), json!([{ "op": secret, "path": "/name" }]).to_string()),
            ("PATCH", path.clone(), json!([{ "op": "test", "path": "/name", "value": secret }]).to_string()),
            ("POST", "/api/v1/users/1000/access-tokens".to_owned(), format!("{{\"description\": {secret}")),
        ];
        for (method, path, body) in mistakes {
            let reply = ask(&reset, method, &path, &body);
            assert!(reply.status >= 400, "{method} {path}: {reply:?}");
        }
        let canvus = ask(&owner, "POST", "/api/v1/users/1000/access-tokens", r#"{"description":"c"}"#);
        secrets.extend([secret, reset, canvus.string("plain_token")]);
        if number % 2 == 0 {
            ask(&owner, "DELETE", &path, "");
        }
    }

    let backup = scratch.path().join("backup.db");
    run(support::jeton(&["backup", "--data-dir"]).arg(scratch.path()).arg(&backup)).success();
    let running = files(scratch.path());
    let ended = server.stop();
    let stopped = files(scratch.path());
    let written = running.iter().chain(&stopped).filter(|(name, _)| *name != "owner-token");
    for (name, bytes) in written {
        for trace in secrets.iter().flat_map(|secret| traces(secret)) {
            assert!(!holds(bytes, &trace), "{name} holds a secret or its hash");
        }
    }
    for secret in &secrets {
        for trace in traces(secret) {
            assert!(!holds(ended.stderr.as_bytes(), &trace), "the log holds a secret or its hash");
        }
    }
    for secret in &secrets {
        assert!(!errors.contains(secret.as_str()), "an error repeats a secret");
    }
    assert!(running.len() >= 4 && errors.len() > 1000, "there was something to look at");
}
