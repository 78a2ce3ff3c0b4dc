//! Streams as those read them who will: the real program, real sockets, and clients that know nothing of jeton.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::http::Connection;
use support::{PATIENCE, Running, Server, left_out, owner_token, serve, serve_at};
use tempfile::{TempDir, tempdir};
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

const MINE: &str = "/api/v1/users/1000/access-tokens";

/// A server, its owner's secret, and a connection to ask over.
struct World {
    dir: TempDir,
    server: Server,
    owner: String,
    connection: Connection,
}

impl World {
    fn with(flags: &[&str]) -> Self {
        let dir = tempdir().unwrap();
        let server = Server::start_with(serve(dir.path()).args(flags));
        Self::around(dir, server)
    }

    fn around(dir: TempDir, server: Server) -> Self {
        let owner = owner_token(dir.path());
        let connection = Connection::open(server.address()).unwrap();
        Self { dir, server, owner, connection }
    }

    /// Asks as the owner, and succeeds.
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> String {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.connection.ask(&self.owner, method, path, &body).unwrap();
        assert!((200..300).contains(&reply.status), "{method} {path}: {reply:?}");
        reply.body
    }

    /// Makes a token of the owner's; gives back its id and its secret.
    fn make(&mut self, description: &str) -> (String, String) {
        let made: Value =
            serde_json::from_str(&self.ask("POST", MINE, &json!({ "description": description }))).unwrap();
        (made["id"].as_str().unwrap().to_owned(), made["plain_token"].as_str().unwrap().to_owned())
    }

    fn rename(&mut self, id: &str, description: &str) {
        self.ask("PATCH", &format!("{MINE}/{id}"), &json!({ "description": description }));
    }

    fn revoke(&mut self, id: &str) {
        self.ask("DELETE", &format!("{MINE}/{id}"), &Value::Null);
    }

    /// Starts another server where this one was, which has ended meanwhile.
    fn again(dir: TempDir, address: &str) -> Self {
        let server = Server::start_with(&mut serve_at(address, dir.path()));
        Self::around(dir, server)
    }
}

/// Each description, and the state where there is one.
fn told(lines: &str) -> Vec<String> {
    let items =
        lines.lines().filter(|line| line.starts_with(['{', '['])).flat_map(
            |line| match serde_json::from_str(line).unwrap() {
                Value::Array(items) => items,
                item => vec![item],
            },
        );
    let word = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    items
        .map(|item| format!("{} {}", word(&item, "description"), word(&item, "state")).trim().to_owned())
        .collect()
}

fn revisions(lines: &str) -> Vec<u64> {
    let changes = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    changes
        .filter(|line| line["kind"] != "keep-alive")
        .map(|line| line["revision"].as_u64().unwrap())
        .collect()
}

/// What a client of others needs, where scripts/test put it.
fn installed(variable: &str, what: &str) -> Option<OsString> {
    let place = std::env::var_os(variable);
    if place.is_none() {
        left_out(&format!("{what}: scripts/test installs it and sets {variable}"));
    }
    place
}

fn script(name: &str) -> String {
    format!("{}/../../tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// curl that passes on each line as it comes.
fn follow(server: &Server, secret: &str, path: &str) -> Running {
    let mut curl = Command::new("curl");
    curl.args(["-q", "-sSN", "-H", &format!("Authorization: {secret}"), &server.url(path)])
        .stdin(Stdio::null());
    Running::start(&mut curl)
}

/// The document's line for a list, with what makes it a stream.
const DOCUMENTED: &str = r#"curl -sN -H "Private-Token: <access token>" https://canvus.example.com/api/v1/users/1001/access-tokens?subscribe"#;

#[test]
fn the_line_of_the_canvus_document_is_told_everything_until_its_token_is_revoked() {
    let mut world = World::with(&[]);
    let (id, secret) = world.make("mine");
    let line = DOCUMENTED
        .replace("https://canvus.example.com", &world.server.url(""))
        .replace("<access token>", &secret)
        .replace("/users/1001/", "/users/1000/");
    // The shell makes room for it, so that the one who is stopped is the one who reads.
    let mut stream =
        Running::start(Command::new("sh").args(["-c", &format!("exec {line}")]).stdin(Stdio::null()));
    assert_eq!(told(&stream.printed("First token")), ["First token", "mine"]);
    let (other, _) = world.make("made");
    stream.printed("made");
    world.rename(&other, "renamed");
    stream.printed("renamed");
    world.revoke(&other);
    stream.printed("deleted");
    world.revoke(&id);
    world.make("afterwards");
    let ended = stream.wait();
    assert_eq!(ended.code(), 0, "{ended:?}");
    assert_eq!(
        told(&ended.stdout),
        ["First token", "mine", "made normal", "renamed normal", "renamed deleted"],
        "{ended:?}"
    );
    world.server.stop();
}

/// Six signs of life, a second apart, are twice as long as httpx would wait for a byte. And it takes more for the end of a
/// line than jeton does.
#[test]
fn httpx_outlasts_a_silence_and_reads_everything() {
    let Some(python) = installed("JETON_TEST_PYTHON", "httpx") else { return };
    let mut world = World::with(&["--stream-keepalive", "1s"]);
    let url = world.server.url(&format!("{MINE}?subscribe"));
    let (id, secret) = world.make("mine");
    let mut client =
        Running::start(Command::new(python).arg(script("stream_httpx.py")).args([&url, &secret]));
    client.printed("mine");
    for _ in 0..6 {
        client.printed("alive");
    }
    let (other, _) = world.make("made \u{e9}\u{85}\u{2028}\u{2029}");
    world.rename(&other, "renamed");
    world.revoke(&other);
    client.printed("deleted");
    world.revoke(&id);
    let printed = client.wait().success();
    assert!(printed.ends_with("the end\n"), "{printed}");
    let expected = [
        "First token",
        "mine",
        "made \u{e9}\u{85}\u{2028}\u{2029} normal",
        "renamed normal",
        "renamed deleted",
    ];
    assert_eq!(told(&printed), expected);
}

#[test]
fn the_fetch_of_node_reads_users() {
    // Where the packages are, Node is.
    if installed("JETON_TEST_NODE_MODULES", "Node").is_none() {
        return;
    }
    let mut world = World::with(&["--stream-keepalive", "100ms"]);
    let url = world.server.url("/api/v1/users?subscribe");
    let mut client =
        Running::start(Command::new("node").args([&script("stream_fetch.mjs"), &url, &world.owner]));
    client.printed("owner@localhost");
    client.printed("alive");
    world.ask("POST", "/api/v1/users", &json!({ "email": "a@example.com", "name": "Ad\u{e9}le" }));
    client.printed("a@example.com");
    world.ask("PATCH", "/api/v1/users/1001", &json!({ "name": "Grace" }));
    client.printed("Grace");
    world.ask("DELETE", "/api/v1/users/1001", &Value::Null);
    client.printed("deleted");
    world.server.stop();
    let printed = client.wait().success();
    assert!(printed.ends_with("the end\n"), "{printed}");
    let users: Vec<Value> = printed
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = users[1..].iter().map(|user| (&user["name"], &user["state"])).collect();
    let (first, then) = (json!("Ad\u{e9}le"), json!("Grace"));
    let (normal, deleted) = (json!("normal"), json!("deleted"));
    assert_eq!(names, [(&first, &normal), (&then, &normal), (&then, &deleted)], "{printed}");
}

#[test]
fn an_event_source_comes_back_to_a_restarted_server_and_sees_each_revision_once() {
    let Some(modules) = installed("JETON_TEST_NODE_MODULES", "the EventSource of Node") else { return };
    let mut world = World::with(&[]);
    let mut client = Command::new("node");
    client.arg(script("typescript/changes_eventsource.mjs")).arg(modules);
    client.arg(world.server.url("/changes?after=0")).arg(&world.owner);
    let mut client = Running::start(&mut client);
    client.printed("open");
    for number in 0..20 {
        world.make(&number.to_string());
    }
    client.printed("23 token.issued");
    let (address, World { dir, server, .. }) = (world.server.address().to_owned(), world);
    server.stop();
    let mut world = World::again(dir, &address);
    // Before it comes back.
    let (id, _) = world.make("meanwhile");
    client.printed("24 token.issued");
    world.revoke(&id);
    let printed = client.printed("25 token.revoked");
    let seen: Vec<u64> = printed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(revision, _)| revision.parse().unwrap())
        .collect();
    assert_eq!(seen, (1..=25).collect::<Vec<_>>());
    assert_eq!(printed.lines().filter(|line| *line == "open").count(), 2);
}

/// Asks for a stream over a socket that takes next to nothing, and never reads.
fn deaf(runtime: &Runtime, server: &Server, secret: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    let address = server.address().parse().unwrap();
    let mut stream = runtime.block_on(socket.connect(address)).unwrap().into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET /changes HTTP/1.1\r\nHost: jeton\r\nAuthorization: {secret}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    // The first byte of the answer says that there is a subscription.
    stream.read_exact(&mut [0; 1]).unwrap();
    stream
}

/// Kilobytes of memory that a process holds.
fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

const READERS: usize = 500;
const CREATES: usize = 2000;

/// By how much it may grow, in kilobytes. It grows by some ten megabytes, most of it for the tokens and the log; if all that
/// nobody reads were kept for the readers, it would be six hundred.
const MOST: u64 = 64 * 1024;

#[test]
fn readers_who_never_read_hold_up_nobody_and_are_let_go() {
    if !Path::new("/proc/self/status").exists() {
        return left_out("the memory of a server: this needs /proc");
    }
    let mut flags = vec!["--log-level", "debug", "--token-rate", "0"];
    flags.extend(["--stream-keepalive", "1s", "--write-timeout", "2s"]);
    let mut world = World::with(&flags);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let readers: Vec<_> = (0..READERS).map(|_| deaf(&runtime, &world.server, &world.owner)).collect();
    let id = world.server.process().id();
    let before = resident(id);
    for number in 0..CREATES {
        world.make(&number.to_string());
    }
    let after = resident(id);
    println!("resident with {READERS} readers: {before} kB; after {CREATES} creates: {after} kB");
    assert!(after < before + MOST, "{before} kB, then {after} kB");
    for _ in 0..READERS {
        world.server.process().logged("a connection was cut for being too slow");
    }
    // What is under way to them they may still read, in drops as small as their windows: nobody waits for that here.
    drop(readers);
    world.make("still there");
    world.server.stop();
}

/// The drain would last an hour: that it ends at all says that nobody waited for the streams.
#[test]
fn a_server_that_stops_ends_its_streams_in_good_order() {
    let world = World::with(&["--drain-timeout", "1h"]);
    let paths = ["/changes", "/api/v1/users?subscribe", &format!("{MINE}?subscribe")];
    let mut streams: Vec<_> = paths.iter().map(|path| follow(&world.server, &world.owner, path)).collect();
    let first = ["keep-alive", "owner@localhost", "First token"];
    for (stream, first) in streams.iter_mut().zip(first) {
        stream.printed(first);
    }
    let ended = world.server.stop();
    assert!(ended.stderr.contains(r#""cut_connections":0"#), "{}", ended.stderr);
    for stream in streams {
        let ended = stream.wait();
        assert_eq!((ended.code(), &*ended.stderr, ended.stdout.lines().count()), (0, "", 1), "{ended:?}");
    }
}

#[test]
fn whoever_resumes_after_kill_9_has_missed_nothing() {
    let world = World::with(&["--token-rate", "0"]);
    let mut stream = follow(&world.server, &world.owner, "/changes?after=0");
    stream.printed("First token");
    let (address, owner) = (world.server.address().to_owned(), world.owner.clone());
    // Writes until the server is gone, and goes on writing while the reader reads.
    let writing = std::thread::spawn(move || -> std::io::Result<Infallible> {
        let mut connection = Connection::open(&address)?;
        loop {
            connection.ask(&owner, "POST", MINE, r#"{"description":"under way"}"#)?;
        }
    });
    stream.printed(r#""revision":50"#);
    let (address, World { dir, server, .. }) = (world.server.address().to_owned(), world);
    server.crash();
    writing.join().unwrap().unwrap_err();
    let ended = stream.wait();
    assert_ne!(ended.code(), 0, "a stream that is cut says so");
    // A line that was cut off is none.
    let whole = ended.stdout.rsplit_once('\n').unwrap().0;
    let mut seen = revisions(whole);
    let last = *seen.last().unwrap();

    let mut world = World::again(dir, &address);
    world.make("the last");
    let mut stream = follow(&world.server, &world.owner, &format!("/changes?after={last}"));
    seen.extend(revisions(&stream.printed("the last")));
    assert!(seen.len() > 50);
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
}
