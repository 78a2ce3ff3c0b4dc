//! `jeton watch`: what it prints, and that nothing is missed or shown twice whatever becomes of the connection.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::responder::Responder;
use support::{Reply, Running, Server, curl, hearing_ctrl_c, jeton, owner_token, run, serve, serve_at};
use tempfile::{TempDir, tempdir};

/// A server, and its owner's secret.
struct World {
    dir: TempDir,
    server: Server,
    owner: String,
}

impl World {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(flags: &[&str]) -> Self {
        let dir = tempdir().unwrap();
        let server = Server::start_with(serve(&dir.path().join("data")).args(flags));
        let owner = owner_token(&dir.path().join("data"));
        Self { dir, server, owner }
    }

    fn watch(&self, secret: &str, flags: &str) -> Command {
        let mut command = jeton(&["watch"]);
        command.args(flags.split_whitespace()).env("XDG_CONFIG_HOME", self.dir.path().join("home"));
        command.env("JETON_URL", self.server.url("")).env("JETON_TOKEN", secret);
        command
    }

    /// Watches as the owner, and has begun.
    fn watching(&self, flags: &str) -> Running {
        let mut watch = Running::start(&mut hearing_ctrl_c(&self.watch(&self.owner, flags)));
        watch.logged("following ");
        watch
    }

    /// Asks with the API of version 2.
    fn call(&self, method: &str, path: &str, body: &Value) -> Reply {
        let header = format!("Authorization: {}", self.owner);
        let (url, body) = (self.server.url(&format!("/api/v2{path}")), body.to_string());
        let kind = "Content-Type: application/json";
        let reply = curl(&["-X", method, "-H", &header, "-H", kind, "-d", &body, &url]);
        assert!((200..300).contains(&reply.status), "{reply:?}");
        reply
    }

    /// Issues a token, and gives back its id.
    fn issue(&self, name: &str) -> String {
        let made = self.call("POST", "/tokens", &json!({ "name": name, "role": "reader" })).json();
        made["_id"].as_str().unwrap().to_owned()
    }

    /// Starts the server again, where it was.
    fn restart(self) -> Self {
        let Self { dir, server, owner } = self;
        let address = server.address().to_owned();
        server.stop();
        let server = Server::start_with(&mut serve_at(&address, &dir.path().join("data")));
        Self { dir, server, owner }
    }
}

/// What people read, without the instants, and without ids but those that were named.
fn lines(printed: &str, named: &[(&str, &str)]) -> Vec<String> {
    let line = |line: &str| {
        let (instant, rest) = line.split_once("  ").unwrap();
        assert!(instant.len() == 20 && instant.ends_with('Z'), "{line}");
        named.iter().fold(rest.to_owned(), |line, (name, id)| line.replace(id, name))
    };
    printed.lines().map(line).collect()
}

fn revisions(printed: &str) -> Vec<u64> {
    let revision = |line: &str| serde_json::from_str::<Value>(line).unwrap()["revision"].as_u64().unwrap();
    printed.lines().map(revision).collect()
}

#[test]
fn each_change_is_a_line_that_says_what_and_who() {
    let world = World::new();
    let mut watch = world.watching("");
    let one = world.issue("one");
    world.call(
        "PATCH",
        &format!("/tokens/{one}"),
        &json!([{ "op": "replace", "path": "/name", "value": "two" }]),
    );
    world.call("DELETE", &format!("/tokens/{one}"), &Value::Null);
    let member =
        world.call("POST", "/members", &json!([{ "email": "a@example.com", "role": "reader" }])).json();
    let member = member["items"][0]["_id"].as_str().unwrap();
    let role = json!([{ "op": "replace", "path": "/role", "value": "writer" }]);
    world.call("PATCH", &format!("/members/{member}"), &role);
    let policy = json!([{ "effect": "allow", "actions": ["*"], "resources": ["proj/*"] }]);
    let role = world.call("POST", "/roles", &json!({ "key": "ops", "name": "Ops", "policy": policy })).json();
    world.call("DELETE", "/roles/ops", &Value::Null);
    let printed = watch.printed("removed");
    let owner = world.call("GET", "/caller-identity", &Value::Null).json();
    let named = [
        ("ONE", &*one),
        ("MEMBER", member),
        ("ROLE", role["_id"].as_str().unwrap()),
        ("OWNER", owner["memberId"].as_str().unwrap()),
        ("TOKEN", owner["tokenId"].as_str().unwrap()),
    ];
    let by = ", by member OWNER with token TOKEN";
    let expected = [
        r#"issued   personal token "one" (ONE)"#,
        r#"changed  personal token "two" (ONE): name: "one" → "two""#,
        r#"revoked  personal token "two" (ONE)"#,
        r#"added    member "a@example.com" (MEMBER)"#,
        r#"changed  member "a@example.com" (MEMBER): role: "reader" → "writer""#,
        r#"defined  role "ops" (ROLE)"#,
        r#"removed  role "ops" (ROLE)"#,
    ];
    assert_eq!(lines(&printed, &named), expected.map(|line| format!("{line}{by}")));
    assert!(!printed.contains('\u{1b}'), "no colours but on a terminal: {printed}");

    watch.signal(Signal::INT);
    let ended = watch.wait();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(Signal::INT.as_raw()));
    assert_eq!(ended.stderr.lines().count(), 1, "a signal ends it without a word: {ended:?}");
}

#[test]
fn what_jeton_does_by_itself_is_nobodys() {
    let world = World::new();
    let mut watch = world.watching("--after 0");
    let printed = watch.printed("token");
    let expected = [
        "founded  account",
        "added    member \"owner@localhost\"",
        "issued   personal token \"First token\"",
    ];
    for (line, expected) in lines(&printed, &[]).iter().zip(expected) {
        assert!(line.starts_with(expected) && line.ends_with(", by jeton itself or its operator"), "{line}");
    }
    assert_eq!(printed.lines().count(), 3);
}

#[test]
fn scripts_get_the_servers_lines_and_resume_after_any_of_them() {
    let world = World::with(&["--stream-keepalive", "50ms"]);
    let mut watch = world.watching("--json");
    let names = ["a", "b", "c"];
    for name in names {
        world.issue(name);
        // In between are signs of life.
        watch.printed(&format!(r#""name":"{name}""#));
    }
    let printed = watch.printed_so_far().to_owned();
    assert_eq!(revisions(&printed), [4, 5, 6]);
    let first: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["kind"], &first["before"], &first["after"]["name"]),
        (&json!("token.issued"), &Value::Null, &json!("a"))
    );
    assert!(!printed.contains(&world.owner));

    let mut again = world.watching("--json --after 4");
    assert_eq!(again.printed(r#""name":"c""#), printed.split_once('\n').unwrap().1);
}

#[test]
fn a_restart_of_the_server_is_survived_without_missing_or_repeating_anything() {
    let world = World::new();
    let mut watch = world.watching("--json");
    world.issue("before");
    watch.printed("before");
    let world = world.restart();
    let lost = watch.logged("lost the server at ");
    assert!(lost.ends_with("; trying again in 1 s\n"), "{lost}");
    // While it does not listen.
    world.issue("meanwhile");
    watch.logged("following ");
    world.issue("after");
    assert_eq!(revisions(&watch.printed(r#""after","#)), [4, 5, 6]);
    let address = world.server.address().to_owned();
    world.server.crash();
    watch.logged("; trying again in 1 s");
    let line = watch.logged("; trying again in 2 s");
    assert!(line.starts_with(&format!("no server answers at http://{address} (")), "{line}");
}

#[test]
fn a_dead_token_ends_it() {
    let world = World::new();
    let (message, code) = run(&mut world.watch("nonsense", "")).error();
    assert!(message.starts_with("the server says: Invalid token (401, request "), "{message}");
    assert_eq!(code, 1);

    let secret = world.server.issue(&world.owner, "to be revoked");
    let mut watch = Running::start(&mut world.watch(&secret, ""));
    watch.logged("following ");
    let identity =
        curl(&["-H", &format!("Authorization: {secret}"), &world.server.url("/api/v2/caller-identity")]);
    world.call("DELETE", &format!("/tokens/{}", identity.json()["tokenId"].as_str().unwrap()), &Value::Null);
    let ended = watch.wait();
    let (message, code) = ended.error();
    assert!(message.starts_with("the server says: Invalid token (401, request "), "{message}");
    assert!(ended.stderr.contains("hint: the token in JETON_TOKEN is unknown here"), "{ended:?}");
    assert_eq!((code, &*ended.stdout), (1, ""));
}

#[test]
fn whoever_was_away_for_too_long_is_told_where_to_go_on() {
    let world = World::with(&["--change-log-retention", "1s"]);
    world.issue("forgotten");
    let gone = loop {
        // Until the log has been compacted there is something to follow; then there is not.
        let mut watch = Running::start(&mut world.watch(&world.owner, "--json --after 0"));
        if !watch.logs_before_it_ends("following ") {
            break watch.wait();
        }
    };
    let (message, code) = gone.error();
    assert!(message.starts_with("the server says: The change log reaches from revision "), "{message}");
    assert!(message.contains("(410, request "), "{message}");
    assert_eq!(code, 1);
    let (_, hint) = gone.stderr.split_once("hint: the log begins at revision ").unwrap();
    let (oldest, hint) = hint.split_once(": `jeton watch --after ").unwrap();
    let (after, hint) = hint.split_once('`').unwrap();
    let number = |text: &str| text.parse::<u64>().unwrap();
    assert_eq!(number(oldest), number(after) + 1);
    assert!(hint.contains("without --after it begins with what happens from now on"), "{hint}");

    let mut again = world.watching(&format!("--json --after {after}"));
    world.issue("seen");
    again.printed("seen");
}

#[test]
fn nobody_who_reads_is_no_mistake() {
    let world = World::new();
    let script = r#""$0" watch --json --after 0 | head -n 1"#;
    let mut shell = Command::new("bash");
    shell.args(["-o", "pipefail", "-c", script, env!("CARGO_BIN_EXE_jeton")]);
    shell.env("JETON_URL", world.server.url("")).env("JETON_TOKEN", &world.owner);
    let mut shell = Running::start(&mut shell);
    // That nobody reads shows when there is something to read.
    while shell.is_running() {
        world.issue("more");
    }
    let ended = shell.wait();
    assert_eq!((ended.code(), revisions(&ended.stdout)), (0, vec![1]));
    assert_eq!(ended.stderr.lines().filter(|line| !line.starts_with("following ")).count(), 0, "{ended:?}");
}

#[test]
fn what_is_no_jeton_is_not_followed() {
    let world = World::new();
    let of_another = |answer: (u16, &str, &str)| {
        let other = Responder::start(&[answer]);
        let mut watch = world.watch("x", "");
        let ended = run(watch.env("JETON_URL", other.url()));
        let asked = other.asked();
        assert_eq!((asked[0].what.as_str(), asked[0].header("authorization")), ("GET /changes", Some("x")));
        let (message, code) = ended.error();
        assert_eq!(code, 1);
        message
    };
    let message = of_another((200, "", "<html>\n"));
    assert!(message.contains("cannot be understood"), "{message}");
    let message = of_another((503, "", r#"{"detail":"Too many streams"}"#));
    assert!(message.starts_with("the server says: Too many streams (503)"), "{message}");
    let ended = run(world.watch("x", "").env("JETON_URL", "http://127.0.0.1:1"));
    assert!(ended.error().0.starts_with("no server answers at http://127.0.0.1:1 ("), "{ended:?}");
}
