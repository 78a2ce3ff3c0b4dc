//! `jeton migrate` with the real program: from SQLite to PostgreSQL and back, interrupted by `kill -9`, and refused where
//! something could be lost.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and may say how fast it was"
)]

#[path = "../../jeton-store/tests/postgres/cluster.rs"]
#[allow(dead_code, reason = "the tests of the store use it too, and each a part of it")]
mod cluster;
#[path = "../../jeton-store/tests/support/issuer.rs"]
#[allow(dead_code, reason = "likewise")]
mod issuer;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cluster::Database;
use issuer::Issuer;
use jeton_core::digest::ServerKey;
use jeton_store::{Sqlite, Store};
use pollster::block_on;
use rusqlite::types::Value as Cell;
use rustix::process::Signal;
use serde_json::{Value, json};
use support::http::{Connection, Reply};
use support::terminal::Seated;
use support::{Ended, Running, Server, jeton, owner_token, run, serve};
use tempfile::tempdir;

const URL: &str = "JETON_DATABASE_URL";

/// For a migration of a hundred thousand tokens, by a program that was not optimised.
const LONG: Duration = Duration::from_mins(10);

fn migrate(from: &str, to: &str) -> Command {
    jeton(&["migrate", "--from", from, "--to", to])
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every row of a database, in order.
fn dump(database: &Path) -> Vec<(String, Vec<Vec<Cell>>)> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let rows = |table: &str| {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
        let columns = statement.column_count();
        let cells = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect();
        statement.query_map([], cells).unwrap().map(Result::unwrap).collect()
    };
    let tables = ["accounts", "members", "roles", "tokens", "changes", "installation", "migrations"];
    tables.into_iter().map(|table| (table.to_owned(), rows(table))).collect()
}

struct Asked<'a> {
    connection: Connection,
    owner: &'a str,
}

impl Asked<'_> {
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.connection.ask(self.owner, method, path, &body).unwrap();
        assert!((200..300).contains(&reply.status), "{method} {path}: {reply:?}");
        reply
    }
}

/// Secrets that are good, and such as are not.
struct Secrets {
    good: Vec<String>,
    dead: Vec<String>,
}

/// Members, roles, policies, tokens, a rotation in its grace, revocations.
fn fill(server: &Server, owner: &str) -> Secrets {
    let mut asked = Asked { connection: Connection::open(server.address()).unwrap(), owner };
    let policy =
        json!([{ "effect": "allow", "actions": ["createAccessToken"], "resources": ["service-token/*"] }]);
    let role = json!({ "name": "Ops", "key": "ops", "description": "\u{1f980} they", "policy": policy });
    asked.ask("POST", "/api/v2/roles", &role);
    asked.ask("POST", "/api/v2/roles", &json!({ "name": "Gone", "key": "gone", "policy": policy }));
    asked.ask("DELETE", "/api/v2/roles/gone", &Value::Null);
    let ada = json!({ "email": "ada@example.com", "name": "Ada", "password": "correct horse battery", "approved": true });
    let ada = asked.ask("POST", "/api/v1/users", &ada).json();
    let gone = json!({ "email": "gone@example.com", "name": "Gone", "password": "correct horse battery" });
    let gone = asked.ask("POST", "/api/v1/users", &gone).json();
    asked.ask("DELETE", &format!("/api/v1/users/{}", gone["id"]), &Value::Null);
    let login = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    let login = asked.ask("POST", "/api/v1/users/login", &login).string("token");
    let personal = format!("/api/v1/users/{}/access-tokens", ada["id"]);
    let personal = asked.ask("POST", &personal, &json!({ "description": "Ada's" })).string("plain_token");

    let mut make = |body: Value| {
        let reply = asked.ask("POST", "/api/v2/tokens", &body);
        (reply.string("_id"), reply.string("token"))
    };
    let (_, reader) = make(json!({ "name": "reader", "role": "reader", "serviceToken": true }));
    let (_, ops) = make(json!({ "name": "ops", "customRoleIds": ["ops"], "serviceToken": true }));
    let (_, inline) = make(json!({ "name": "inline", "inlineRole": policy, "serviceToken": true }));
    let (rotating, before) = make(json!({ "name": "rotating", "role": "writer" }));
    let (reset, ended) = make(json!({ "name": "reset", "role": "writer" }));
    let (revoked, dead) = make(json!({ "name": "revoked", "role": "writer" }));
    // In a hundred years.
    let grace = format!("/api/v2/tokens/{rotating}/reset?expiry=4900000000000");
    let after = asked.ask("POST", &grace, &Value::Null).string("token");
    let fresh = asked.ask("POST", &format!("/api/v2/tokens/{reset}/reset"), &Value::Null).string("token");
    asked.ask("DELETE", &format!("/api/v2/tokens/{revoked}"), &Value::Null);
    let good = vec![owner.to_owned(), login, personal, reader, ops, inline, before, after, fresh];
    Secrets { good, dead: vec![ended, dead] }
}

fn check(server: &Server, secrets: &Secrets) {
    for secret in &secrets.good {
        let mut connection = Connection::open(server.address()).unwrap();
        let reply = connection.ask(secret, "GET", "/api/v2/caller-identity", "").unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    for secret in &secrets.dead {
        assert_eq!(server.status_for(secret), 401);
    }
    let login = json!({ "email": "ada@example.com", "password": "correct horse battery" }).to_string();
    let login = Connection::open(server.address()).unwrap().ask("", "POST", "/api/v1/users/login", &login);
    assert_eq!(login.unwrap().status, 200, "the password is known");
}

/// What the owner sees, without what looking at it changes.
fn lists(server: &Server, owner: &str) -> Vec<Value> {
    let mut connection = Connection::open(server.address()).unwrap();
    let paths =
        ["/api/v2/tokens?showAll=true&limit=100", "/api/v2/members", "/api/v2/roles", "/api/v1/users"];
    let mut list = |path: &&str| {
        let reply = connection.ask(owner, "GET", path, "").unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        let mut list = reply.json();
        let items = if list.is_array() { &mut list } else { &mut list["items"] };
        for item in items.as_array_mut().unwrap() {
            if item["name"] == "First token" || item["email"] == "owner@localhost" {
                for used in ["lastUsed", "_lastSeen", "_lastSeenMetadata", "last_login"] {
                    item.as_object_mut().unwrap().remove(used);
                }
            }
        }
        list
    };
    paths.iter().map(&mut list).collect()
}

fn failed(ended: &Ended) -> String {
    let (message, code) = ended.error();
    assert_eq!((code, ended.stdout.as_str()), (1, ""), "{ended:?}");
    assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    message
}

#[test]
fn everything_moves_to_postgresql_and_back() {
    let Some(database) = Database::new() else { return };
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let owner = owner_token(&data);
    let secrets = fill(&server, &owner);
    check(&server, &secrets);
    let before = lists(&server, &owner);
    server.stop();

    let (embedded, back) = (data.join("jeton.db"), dir.path().join("back.db"));
    let there = run(&mut migrate(path(&embedded), &database.url()));
    assert!(!format!("{there:?}").contains("hunter2"), "{there:?}");
    assert!(there.stderr.starts_with("moved 1 of 1 accounts\n"), "{there:?}");
    let printed = there.success();
    for expected in
        ["accounts               1             1   ", "roles                  1             1   ", "\nmoved "]
    {
        assert!(printed.contains(expected), "{printed}");
    }
    let again = run(&mut migrate(&database.url(), &format!("sqlite:{}", back.display()))).success();
    let table = |printed: &str| printed.split("\n\n").next().unwrap().to_owned();
    assert_eq!(table(&again), table(&printed), "the same counts and checksums");
    assert_eq!(dump(&back), dump(&embedded), "nothing differs, not even in form");

    let on_postgres = Server::start_with(serve(&data).env(URL, database.url()));
    assert_eq!(lists(&on_postgres, &owner), before);
    check(&on_postgres, &secrets);
    let late = on_postgres.issue(&owner, "made on PostgreSQL");
    on_postgres.stop();

    // And back for good, into a file of another name.
    let home = dir.path().join("home.db");
    run(&mut migrate(&database.url(), path(&home))).success();
    let url = format!("sqlite:{}", home.display());
    let server = Server::start_with(serve(&data).env(URL, url));
    check(&server, &secrets);
    assert_eq!(server.status_for(&late), 200);
    server.stop();
}

/// A database with so many tokens besides the first, in a directory with the key that belongs to it; and who issued them.
fn with_tokens(data: &Path, count: usize) -> (PathBuf, Issuer) {
    std::fs::create_dir(data).unwrap();
    std::fs::write(data.join("server-key"), format!("{}\n", "09".repeat(32))).unwrap();
    let database = data.join("jeton.db");
    let store = Sqlite::open(&database, "a test").unwrap();
    assert!(block_on(store.bind_key(ServerKey::new([9; 32].into()).fingerprint())).unwrap());
    let mut issuer = Issuer::found(&store);
    for _ in 0..count / 1000 {
        issuer.issue(&store, 1000);
    }
    (database, issuer)
}

/// Begins, is killed after so many lines, is refused to a server, and goes on.
fn interrupted(from: &str, to: &str, target: &str, data: &Path, after_lines: &[usize]) -> String {
    for lines in after_lines {
        let mut running = Running::start(&mut migrate(from, to));
        for _ in 0..*lines {
            running.logged("moved ");
        }
        running.signal(Signal::KILL);
        let ended = running.wait();
        assert!(ended.status.code().is_none() && !ended.stderr.contains("hunter2"), "{ended:?}");
        let mut serving = serve(data);
        let refused = run(serving.env(URL, to));
        let begins =
            format!("a migration into {target} was interrupted, and not everything is there: run that ");
        let message = failed(&refused);
        assert!(message.starts_with(&begins), "{message}");
    }
    Running::start(&mut migrate(from, to)).wait_within(LONG).success()
}

#[test]
fn a_migration_that_was_killed_goes_on() {
    let Some(database) = Database::new() else { return };
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let (embedded, back) = (with_tokens(&data, 20_000).0, dir.path().join("back.db"));
    let target = database.address().to_string();
    let there = interrupted(path(&embedded), &database.url(), &target, &data, &[1, 2, 2, 3]);
    assert!(there.contains(" more were there from an interrupted attempt\n"), "{there}");
    assert!(there.contains("tokens            20,001        20,001   "), "{there}");
    assert_eq!(database.sql("SELECT count(*) FROM changes"), ["20003"]);

    let url = format!("sqlite:{}", back.display());
    let again = interrupted(&database.url(), &url, &url, &data, &[2, 3]);
    assert!(again.contains(" more were there from an interrupted attempt\n"), "{again}");
    assert_eq!(dump(&back), dump(&embedded));
    Server::start_with(serve(&data).env(URL, database.url())).stop();
    Server::start_with(serve(&data).env(URL, url)).stop();
}

#[test]
fn a_hundred_thousand_tokens_take_reasonable_time() {
    let Some(database) = Database::new() else { return };
    let dir = tempdir().unwrap();
    let (embedded, _) = with_tokens(&dir.path().join("data"), 100_000);
    let printed = Running::start(&mut migrate(path(&embedded), &database.url())).wait_within(LONG).success();
    println!("{printed}");
    assert!(printed.contains("tokens           100,001       100,001   "), "{printed}");
}

#[test]
fn on_a_terminal_one_line_says_how_far_it_is() {
    let dir = tempdir().unwrap();
    let (embedded, _) = with_tokens(&dir.path().join("data"), 6_000);
    let mut seated = Seated::start(&mut migrate(path(&embedded), path(&dir.path().join("copy.db"))));
    let bar = |full: usize| format!("\r\u{1b}[K{}{}", "█".repeat(full), "░".repeat(30 - full));
    seated.shows(&format!("{} moved 4,000 of 6,001 tokens{} moved 6,001", bar(19), bar(30)));
    seated.shows(&format!("{} compared 6,003 of 6,003 changes\r\u{1b}[K", bar(30)));
    assert!(seated.ends().success().contains("moved 12,006 records"));
}

#[test]
fn what_could_lose_something_is_refused() {
    let Some(database) = Database::new() else { return };
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let embedded = data.join("jeton.db");
    let nothing = failed(&run(&mut migrate(path(&embedded), &database.url())));
    assert!(nothing.starts_with("there is no database at "), "{nothing}");
    let empty = failed(&run(&mut migrate(&database.url(), path(&dir.path().join("new.db")))));
    let expected = format!(
        "there is nothing to move in {}, nothing was ever written there: name the database of your server with --from",
        database.address()
    );
    assert_eq!(empty, expected);
    assert!(!dir.path().join("new.db").exists(), "nothing was made");

    let server = Server::start(&data);
    let held = failed(&run(&mut migrate(path(&embedded), &database.url())));
    let begins = format!("the database {} is in use by another jeton (process ", embedded.display());
    assert!(held.starts_with(&begins), "{held}");
    server.stop();

    // One that is served on PostgreSQL is neither moved nor moved into.
    let elsewhere = dir.path().join("elsewhere");
    let server = Server::start_with(serve(&elsewhere).env(URL, database.url()));
    let begins = format!("the database {} is served by ", database.address());
    for (from, to) in
        [(path(&embedded), &*database.url()), (&*database.url(), path(&dir.path().join("new.db")))]
    {
        let held = failed(&run(&mut migrate(from, to)));
        assert!(held.starts_with(&begins), "{held}");
    }
    server.stop();
    let used = failed(&run(&mut migrate(path(&embedded), &database.url())));
    let expected = format!(
        "{} cannot be moved into, it is not empty, and nothing is overwritten: name a new file, or a database or schema of \
         its own, with --to",
        database.address()
    );
    assert_eq!(used, expected);
    let (same, code) = run(&mut migrate(path(&embedded), &format!("sqlite:{}", embedded.display()))).error();
    assert_eq!((&*same, code), ("--from and --to name the same database: name another one with --to", 2));
}

/// The source went on serving after an interruption: what arrived is of no use any more.
#[test]
fn a_source_that_was_changed_after_an_interruption_is_refused() {
    let Some(database) = Database::new() else { return };
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let (embedded, mut issuer) = with_tokens(&data, 8_000);
    let address = dir.path().join("address");
    std::fs::write(&address, format!("{}\n", database.url())).unwrap();
    let to = format!("@{}", address.display());
    let mut running = Running::start(&mut migrate(path(&embedded), &to));
    running.logged("moved 4,000 of 8,001 tokens");
    running.signal(Signal::KILL);
    running.wait();
    issuer.issue(&Sqlite::open(&embedded, "a test").unwrap(), 1);
    let message = failed(&run(&mut migrate(path(&embedded), &to)));
    let expected = format!(
        "{} cannot be moved into, it holds what an interrupted migration of another database left, or of this one before it \
         changed (that one's last change was 8003, this one's is 8004): nobody was ever served from it, so remove that file, \
         or drop that database, and run this again",
        database.address()
    );
    assert_eq!(message, expected);
}
