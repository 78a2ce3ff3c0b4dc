//! A server in operation: stopped, killed, backed up, restored, recovered, watched.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Ended, PATIENCE, Server, curl, jeton, owner_token, run, serve};
use tempfile::tempdir;

fn recover(data: &Path, email: &str) -> Ended {
    run(jeton(&["recover", "--member", email, "--data-dir"]).arg(data))
}

#[test]
fn the_log_says_when_it_is_ready_and_when_it_has_stopped() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path());
    let ready = server.ready();
    assert_eq!(ready["level"], "INFO");
    assert_eq!(ready["database"], format!("sqlite:{}", dir.path().join("jeton.db").display()));
    assert_eq!((&ready["revision"], &ready["tokens"]), (&Value::from(3), &Value::from(1)));
    assert!(ready["startup_ms"].is_u64(), "{ready}");
    let ended = server.stop();
    let last: Value = serde_json::from_str(ended.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(last["message"], "stopped");
    assert_eq!(last["cut_connections"], 0);
    for line in ended.stderr.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}

#[test]
fn people_get_text() {
    let dir = tempdir().unwrap();
    let mut process = support::Running::start(serve(dir.path()).args(["--log-format", "text"]));
    let line = process.logged("ready");
    assert!(line.contains(" INFO jeton::command::serve: ready address=127.0.0.1:"), "{line}");
    process.signal(Signal::INT);
    assert_eq!(process.wait().code(), 0, "SIGINT ends it as SIGTERM does");
}

/// Whoever presents it is told none of this.
#[test]
fn the_log_says_at_level_debug_why_a_secret_is_good_for_nothing() {
    let dir = tempdir().unwrap();
    let mut server = Server::start_with(serve(dir.path()).args(["--log-level", "debug"]));
    let owner = owner_token(dir.path());
    let authorized = format!("Authorization: {owner}");
    let asked = |method: &str, path: &str| curl(&["-X", method, "-H", &authorized, &server.url(path)]);
    let revoked = server.issue(&owner, "revoked");
    let id =
        asked("GET", "/api/v2/tokens").json()["items"].as_array().unwrap().iter().find_map(|token| {
            (token["name"] == "revoked").then(|| token["_id"].as_str().unwrap().to_owned())
        });
    assert_eq!(asked("DELETE", &format!("/api/v2/tokens/{}", id.unwrap())).status, 204);
    let logged = |server: &mut Server, secret: &str, text: &str| {
        assert_eq!(server.status_for(secret), 401);
        server.process().logged(text)
    };
    let line = logged(&mut server, &revoked, "authentication failed");
    assert!(line.contains("Dead(Revoked)"), "{line}");
    let line = logged(&mut server, &format!("{owner}x"), "authentication failed");
    assert!(line.contains("Malformed("), "{line}");
    let presented = format!("Authorization: {revoked}");
    assert_eq!(curl(&["-H", &presented, &server.url("/verify/x-forwarded")]).status, 401);
    let line = server.process().logged("a presented secret is good for nothing");
    assert!(line.contains("Revoked"), "{line}");
    server.stop();
}

#[test]
fn no_log_line_holds_a_secret_however_much_is_logged() {
    let dir = tempdir().unwrap();
    let server = Server::start_with(serve(dir.path()).args(["--log-level", "trace"]));
    let owner = owner_token(dir.path());
    let other = server.issue(&owner, "another");
    for secret in [&owner, &other] {
        assert_eq!(server.status_for(secret), 200);
        let prior = "--http2-prior-knowledge";
        let header = format!("Authorization: Bearer {secret}");
        assert_eq!(support::curl(&[prior, "-H", &header, &server.url("/api/v2/tokens")]).status, 200);
        assert_eq!(server.status_for(&format!("{secret}x")), 401);
    }
    let log = server.stop().stderr;
    assert!(log.contains(r#""level":"DEBUG""#) || log.contains(r#""level":"INFO""#));
    assert!(!log.contains(&owner) && !log.contains(&other));
}

/// Sends the head and a part of the body of a create; gives back what is to follow.
fn begin_create(server: &Server, secret: &str) -> (TcpStream, &'static [u8]) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (body, rest) = br#"{"description":"slowly"}"#.split_at(10);
    let length = body.len() + rest.len();
    let head = format!(
        "POST /api/v1/users/1000/access-tokens HTTP/1.1\r\nHost: x\r\nPrivate-Token: {secret}\r\nExpect: 100-continue\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // That the server asks for the body says that the request is being handled.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body).unwrap();
    (stream, rest)
}

#[test]
fn a_request_that_runs_is_finished_before_the_server_ends() {
    let dir = tempdir().unwrap();
    let mut server = Server::start(dir.path());
    let secret = owner_token(dir.path());
    let (mut stream, rest) = begin_create(&server, &secret);
    server.process().signal(Signal::TERM);
    server.process().logged("stopping");
    stream.write_all(rest).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(server.stop_having_asked().code(), 0);
    assert_eq!(Server::start(dir.path()).ready()["tokens"], 2);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = tempdir().unwrap();
    let mut server =
        Server::start_with(serve(dir.path()).args(["--drain-timeout", "1h", "--body-timeout", "1h"]));
    let stuck = begin_create(&server, &owner_token(dir.path()));
    server.process().signal(Signal::TERM);
    server.process().logged("stopping");
    assert!(server.process().is_running());
    server.process().signal(Signal::TERM);
    let ended = server.stop_having_asked();
    assert_eq!(ended.code(), 1);
    assert!(ended.stderr.contains("ended at once, at the second signal"), "{}", ended.stderr);
    drop(stuck);
}

#[test]
fn a_drain_that_takes_too_long_is_cut() {
    let dir = tempdir().unwrap();
    let server = Server::start_with(serve(dir.path()).args(["--drain-timeout", "10ms"]));
    let stuck = begin_create(&server, &owner_token(dir.path()));
    let ended = server.stop();
    assert!(ended.stderr.contains(r#""cut_connections":1"#), "{}", ended.stderr);
    drop(stuck);
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path());
    let owner = owner_token(dir.path());
    let issued: Vec<_> = (0..5).map(|number| server.issue(&owner, &number.to_string())).collect();
    server.crash();
    let server = Server::start(dir.path());
    assert_eq!(server.ready()["tokens"], 6);
    for secret in &issued {
        assert_eq!(server.status_for(secret), 200);
    }
}

#[test]
fn when_tokens_were_last_used_and_members_last_here_is_written_down_at_the_end() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path());
    let owner = owner_token(dir.path());
    let other = server.issue(&owner, "used once");
    assert_eq!(server.status_for(&other), 200);
    let login = json!({ "token": owner }).to_string();
    let login = curl(&["-d", &login, &server.url("/api/v1/users/login")]).json();
    server.stop();
    let server = Server::start(dir.path());
    let list = server.list(&owner).json();
    let used = list["items"].as_array().unwrap().iter().find(|token| token["name"] == "used once").unwrap();
    assert!(used["lastUsed"].as_u64().is_some_and(|at| at > 0), "{used}");
    let known = curl(&["-H", &format!("Private-Token: {owner}"), &server.url("/api/v1/users/1000")]).json();
    assert!(known["last_login"].as_str().is_some_and(|at| at.ends_with('Z')), "{known}");
    assert_eq!(known, login["user"]);
}

#[test]
fn a_member_who_is_locked_out_gets_a_fresh_token() {
    let dir = tempdir().unwrap();
    Server::start(dir.path()).stop();
    let printed = recover(dir.path(), "Owner@Localhost").success();
    let secret = printed.strip_suffix('\n').unwrap();
    assert!(secret.len() == 54 && secret.starts_with("jtn_pat_"), "alone on standard output: {printed}");
    assert_eq!(run(&mut jeton(&["check", secret])).code(), 0);
    let server = Server::start(dir.path());
    let list = server.list(secret);
    assert_eq!(list.status, 200);
    assert_eq!(list.json()["items"][1]["name"], "Recovered access");
    server.stop();
    let (message, code) = recover(dir.path(), "nobody@example.org").error();
    assert!(
        message.starts_with("there is no member with the e-mail address nobody@example.org: "),
        "{message}"
    );
    assert_eq!(code, 1);
}

#[test]
fn a_recovery_needs_the_key() {
    let dir = tempdir().unwrap();
    Server::start(dir.path()).stop();
    std::fs::remove_file(dir.path().join("server-key")).unwrap();
    let (message, code) = recover(dir.path(), "owner@localhost").error();
    assert!(message.contains("is missing, and without it no token in "), "{message}");
    assert_eq!(code, 1);
}

#[test]
fn a_backup_made_while_the_server_runs_is_the_database_again() {
    let dir = tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy.db"));
    let server = Server::start(&data);
    let owner = owner_token(&data);
    let kept = server.issue(&owner, "before the backup");
    let backup = |to: &Path| run(jeton(&["backup", "--data-dir"]).arg(&data).arg(to));
    let printed = backup(&copy).success();
    let key = data.join("server-key");
    let expected = format!(
        "copied {} to {}\nkeep the server key with it ({}): without that key no token in the copy can be verified\n",
        data.join("jeton.db").display(),
        copy.display(),
        key.display()
    );
    assert_eq!(printed, expected);
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&copy.metadata().unwrap()) & 0o7777, 0o600);
    let lost = server.issue(&owner, "after the backup");
    server.crash();

    // As `jeton backup --help` says.
    for name in ["jeton.db", "jeton.db-wal", "jeton.db-shm"] {
        std::fs::remove_file(data.join(name)).unwrap();
    }
    std::fs::copy(&copy, data.join("jeton.db")).unwrap();
    let server = Server::start(&data);
    assert_eq!((server.status_for(&owner), server.status_for(&kept)), (200, 200));
    assert_eq!(server.status_for(&lost), 401);
    server.stop();

    // And on another machine, with the key alone.
    let elsewhere = dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::copy(&copy, elsewhere.join("jeton.db")).unwrap();
    std::fs::copy(&key, elsewhere.join("server-key")).unwrap();
    assert_eq!(Server::start(&elsewhere).status_for(&kept), 200);

    let message = format!(
        "{} exists already, and a backup overwrites nothing: give the new file another name",
        copy.display()
    );
    assert_eq!(backup(&copy).error(), (message, 1));
    let (message, code) = backup(&dir.path().join("nowhere/copy.db")).error();
    assert!(message.contains("nowhere/copy.db cannot be "), "{message}");
    assert_eq!(code, 1);
}

#[test]
fn a_healthcheck_tells_whether_the_server_is_ready() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path());
    let address = server.address().to_owned();
    let check = || run(&mut jeton(&["healthcheck", "--listen", &address]));
    assert_eq!(check().success(), "ready\n");
    server.stop();
    let (message, code) = check().error();
    let expected = format!(
        "no jeton answers at {address} (Connection refused (os error 111)): start it, or name its address with --listen"
    );
    assert_eq!((message, code), (expected, 1));
}
