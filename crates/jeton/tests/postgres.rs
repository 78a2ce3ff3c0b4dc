//! The program on PostgreSQL: it starts, keeps what it answered, and never says the database's password.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../jeton-store/tests/postgres/cluster.rs"]
#[allow(dead_code, reason = "the tests of the store use it too, and each a part of it")]
mod cluster;
mod support;

use cluster::Database;
use support::{Server, curl, jeton, on_one_core, owner_token, run, serve};
use tempfile::tempdir;

const URL: &str = "JETON_DATABASE_URL";

#[test]
fn a_server_on_postgresql_is_there_again_after_a_restart() {
    let Some(database) = Database::new() else { return };
    let (one, other) = (tempdir().unwrap(), tempdir().unwrap());
    let start = || Server::start_with(serve(one.path()).env(URL, database.url()));
    let server = start();
    let secret = owner_token(one.path());
    assert_eq!(server.status_for(&secret), 200);

    // One with a key of its own would find no token good.
    let second = run(serve(other.path()).env(URL, database.url()));
    let (told, code) = second.error();
    assert!(told.contains("server key") && code == 1, "{second:?}");

    let ended = server.stop();
    let again = start();
    assert_eq!(again.status_for(&secret), 200);
    for said in [ended.stderr, again.stop().stderr, second.stderr] {
        assert!(!said.contains("hunter2"), "{said}");
    }
    assert!(!one.path().join("jeton.db").exists(), "nothing is kept beside it but the key");
}

#[test]
fn commands_know_what_is_not_theirs() {
    let Some(database) = Database::new() else { return };
    let dir = tempdir().unwrap();
    let copy = dir.path().join("copy");
    let (told, code) = run(jeton(&["backup"]).arg(&copy).env(URL, database.url())).error();
    let expected = format!(
        "{} is on PostgreSQL, which copies itself: use pg_dump, and keep the server key with the copy",
        database.address()
    );
    assert_eq!((told, code), (expected, 1));
    let checked = run(jeton(&["config", "check"]).env(URL, database.url())).success();
    let masked = checked.lines().any(|line| line.starts_with("# database = \"********\""));
    assert!(masked && !checked.contains("hunter2"), "{checked}");
}

/// The database tells it, also when no server answers.
#[test]
fn a_cluster_can_be_looked_at() {
    let Some(database) = Database::new() else { return };
    let dir = tempdir().unwrap();
    let list = |more: &[&str]| run(jeton(&["node", "list"]).args(more).env(URL, database.url())).success();
    let (told, code) = run(jeton(&["node", "list"]).env(URL, database.url())).error();
    let begins = format!("the database {} cannot be opened: ", database.address());
    assert_eq!((told, code), (format!("{begins}no server was ever started on it"), 1));
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(database.sql(tables), [""; 0], "who only looks leaves everything as it is");
    let node = |name: &str| {
        Server::start_with(serve(dir.path()).env(URL, database.url()).env("JETON_NODE_NAME", name))
    };
    let (one, two) = (node("one"), node("two"));
    let shown = list(&[]);
    let words: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    let states: Vec<_> = words[1..3].iter().map(|row| (row[0], row[2], row[3])).collect();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(states, [("one", version, "fresh"), ("two", version, "fresh")], "{shown}");
    assert!(shown.ends_with("lease 1000 ms, last revision 3\n"), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&list(&["--json"])).unwrap();
    assert_eq!((&json[1]["name"], &json[1]["leaseMs"]), (&"two".into(), &1000.into()), "{json}");
    two.stop();
    let left: serde_json::Value = serde_json::from_str(&list(&["--json"])).unwrap();
    assert_eq!(left.as_array().unwrap().len(), 1, "one that ends leaves: {left}");
    one.stop();
    let embedded = run(jeton(&["node", "list", "--data-dir"]).arg(dir.path())).error();
    assert!(embedded.0.contains("belongs to one server alone") && embedded.1 == 1, "{embedded:?}");
}

/// What the runbook promises for a rolling upgrade: the next version brings the schema forward by additions alone, and nodes
/// of this one go on beside it, also over new connections. None can be started any more.
#[test]
fn nodes_go_on_while_the_next_version_brings_the_schema_forward() {
    let Some(database) = Database::new() else { return };
    let dir = tempdir().unwrap();
    let start = || Server::start_with(serve(dir.path()).env(URL, database.url()));
    let (one, two) = (start(), start());
    let owner = owner_token(dir.path());
    let before = one.issue(&owner, "before");
    assert_eq!(two.status_for(&before), 200, "what both have prepared is older than the schema");
    database.sql(
        "CREATE TABLE next_version (id bigint PRIMARY KEY);
         ALTER TABLE tokens ADD COLUMN next_version text;
         ALTER TABLE members ADD COLUMN next_version bigint NOT NULL DEFAULT 7;
         ALTER TABLE nodes ADD COLUMN next_version boolean NOT NULL DEFAULT false;
         INSERT INTO jeton_migrations (number, name, sha256)
         SELECT max(number) + 1, 'next', repeat('0', 64) FROM jeton_migrations",
    );
    database.end_sessions();
    let after = one.issue(&owner, "after");
    for secret in [&before, &after] {
        assert_eq!((one.status_for(secret), two.status_for(secret)), (200, 200));
    }
    let url = two.url("/oauth2/revoke");
    assert_eq!(curl(&["-d", &format!("token={before}"), &url]).status, 200);
    assert_eq!((one.status_for(&before), two.status_for(&before)), (401, 401));
    two.stop();
    let (told, code) = run(serve(dir.path()).env(URL, database.url())).error();
    assert!(told.contains("was written by a newer version of jeton") && code == 1, "{told}");
    assert_eq!(one.status_for(&after), 200);
    one.stop();
}

/// Where there is one core the runtime has one thread: whatever waits there has to let everything else go on.
#[test]
fn one_core_is_enough() {
    let Some(database) = Database::new() else { return };
    let (alone, node) = (tempdir().unwrap(), tempdir().unwrap());
    let commands = [serve(alone.path()), serve(node.path())];
    for (mut command, dir) in commands.into_iter().zip([&alone, &node]) {
        if dir.path() == node.path() {
            command.env(URL, database.url());
        }
        let server = Server::start_with(&mut on_one_core(&command));
        let owner = owner_token(dir.path());
        let secrets: Vec<_> = (0..20).map(|_| server.issue(&owner, "on one core")).collect();
        for secret in &secrets {
            assert_eq!(server.status_for(secret), 200);
            let revoked = curl(&["-d", &format!("token={secret}"), &server.url("/oauth2/revoke")]);
            assert_eq!((revoked.status, server.status_for(secret)), (200, 401));
        }
        server.stop();
    }
}
