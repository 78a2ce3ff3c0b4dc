//! The first start: what it makes, what it shows, and that it can be cut off anywhere.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;
use support::{PATIENCE, Reply, Running, Server, curl, jeton, owner_token, run, serve};
use tempfile::tempdir;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

/// The two lines of the welcome that are there to be pasted.
fn curl_lines(welcome: &str) -> Vec<&str> {
    welcome
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with("curl "))
        .collect()
}

/// Does what pasting does.
fn paste(line: &str) -> Reply {
    let line = format!("{line} -q -sS --max-time 30 -w '{}'", Reply::TOLD);
    Reply::printed(&run(Command::new("sh").args(["-c", &line])).success())
}

#[test]
fn the_secret_is_shown_once_with_two_lines_that_work_when_pasted() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let mut server = Server::start(&data);
    let secret = owner_token(&data);
    let welcome = server.process().printed("can be verified");
    assert_eq!(welcome.matches(&secret).count(), 3, "once by itself, once in each line: {welcome}");
    let lines = curl_lines(&welcome);
    let [canvus, launchdarkly] = lines[..] else { panic!("{welcome}") };

    let reply = paste(canvus);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()[0]["description"], "First token");
    let reply = paste(launchdarkly);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["items"][0]["_member"]["email"], "owner@localhost");
    assert_eq!(reply.json()["items"][0]["_member"]["role"], "owner");

    let ended = server.stop();
    assert!(!ended.stderr.contains(&secret), "no log line holds a secret");
    let again = Server::start(&data);
    assert_eq!(again.status_for(&secret), 200);
    assert_eq!(again.stop().stdout, "", "nothing is shown a second time");
}

#[test]
fn the_lines_of_the_welcome_work_on_a_unix_socket() {
    let dir = tempdir().unwrap();
    let socket = dir.path().join("it's here.sock");
    let address = format!("unix:{}", socket.display());
    let mut command = jeton(&["serve", "--listen", &address, "--data-dir"]);
    let mut server = Server::start_with(command.arg(dir.path().join("data")));
    assert_eq!(server.address(), address);
    let welcome = server.process().printed("can be verified");
    for line in curl_lines(&welcome) {
        assert_eq!(paste(line).status, 200, "{line}");
    }
    let health = run(&mut jeton(&["healthcheck", "--listen", &address]));
    assert_eq!(health.success(), "ready\n");
    server.stop();
    assert!(!socket.exists(), "the socket is taken away at the end");
}

#[test]
fn everything_is_for_its_owner_alone_whatever_the_umask() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let mut command = Command::new("sh");
    command.args(["-c", r#"umask 000; exec "$0" serve --listen 127.0.0.1:0 --data-dir "$1""#]);
    command.arg(env!("CARGO_BIN_EXE_jeton")).arg(&data);
    let server = Server::start_with(&mut command);
    server.issue(&owner_token(&data), "so that there is a log");
    assert_eq!(mode(&data), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(
        names,
        ["jeton.db", "jeton.db-shm", "jeton.db-wal", "jeton.db.lock", "owner-token", "server-key"],
        "and nothing else"
    );
    let key = std::fs::read_to_string(data.join("server-key")).unwrap();
    assert_eq!(key.len(), 65);
    assert!(key.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()) && key.ends_with('\n'));
}

#[test]
fn a_token_from_outside_is_neither_shown_nor_written() {
    let dir = tempdir().unwrap();
    let secret = "an-owner's-token:from~outside/0123456789";
    let file = dir.path().join("given");
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let by_variable = ("variable", "JETON_OWNER_TOKEN", secret);
    let by_file = ("file", "JETON_OWNER_TOKEN_FILE", file.to_str().unwrap());
    for (name, variable, value) in [by_variable, by_file] {
        let data = dir.path().join(name);
        let server = Server::start_with(serve(&data).env(variable, value));
        assert_eq!(server.status_for(secret), 200);
        let ended = server.stop();
        assert_eq!(ended.stdout, "");
        assert!(!ended.stderr.contains(secret) && !ended.stderr.contains("WARN"), "{}", ended.stderr);
        assert!(!data.join("owner-token").exists());
        let database = std::fs::read(data.join("jeton.db")).unwrap();
        assert!(!database.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
    }
}

#[test]
fn a_token_that_cannot_be_taken_is_refused_in_words_and_changes_nothing() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    for (secret, reason) in [
        ("hunter2-hunter2", "it is too short: a secret has at least 32 characters"),
        (&"x".repeat(256), "it is too long: a secret has at most 255 characters"),
        (
            "hunter2 with blanks, and otherwise long enough",
            "it holds a blank or a character that no secret has: only visible ASCII is allowed",
        ),
        (
            "jtn_pat_0123456789012345678901234567890123456789000000",
            "its checksum is wrong: a character was changed or mistyped",
        ),
    ] {
        let ended = run(serve(&data).env("JETON_OWNER_TOKEN", secret));
        let expected = format!(
            "JETON_OWNER_TOKEN cannot be the owner's token: {reason}; give 32 to 255 visible ASCII characters, for \
             example from `openssl rand -base64 32`"
        );
        assert_eq!(ended.error(), (expected, 2));
        assert!(!ended.stderr.contains(secret));
    }
    Server::start(&data).stop();
    assert!(data.join("owner-token").exists(), "the next start was the first");
}

#[test]
fn the_owner_is_who_the_operator_says() {
    let dir = tempdir().unwrap();
    let password = dir.path().join("password");
    std::fs::write(&password, "correct horse\n").unwrap();
    for (name, variables) in [
        (
            "own",
            [
                ("JETON_OWNER_EMAIL", "ada@example.org"),
                ("JETON_OWNER_PASSWORD_FILE", password.to_str().unwrap()),
            ],
        ),
        ("courtesy", [("CANVUS_ADMIN_EMAIL", "ada@example.org"), ("CANVUS_ADMIN_PASSWORD", "correct horse")]),
    ] {
        let data = dir.path().join(name);
        let server = Server::start_with(serve(&data).envs(variables));
        let list = server.list(&owner_token(&data)).json();
        assert_eq!(list["items"][0]["_member"]["email"], "ada@example.org");
        let ended = server.stop();
        assert!(!ended.stderr.contains("correct horse") && !ended.stdout.contains("correct horse"));
        let database = rusqlite::Connection::open(data.join("jeton.db")).unwrap();
        let (number, hash): (u32, String) = database
            .query_row("SELECT number, password FROM members", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(number, 1000);
        assert!(hash.starts_with("$argon2id$"), "{hash}");
    }
    let ended = run(serve(&dir.path().join("none")).env("JETON_OWNER_PASSWORD_FILE", "/dev/null"));
    let message =
        "the file /dev/null (JETON_OWNER_PASSWORD_FILE) holds no password: write one, or leave it out";
    assert_eq!(ended.error(), (message.to_owned(), 2));
}

#[test]
fn an_owner_who_comes_too_late_is_told_so() {
    let dir = tempdir().unwrap();
    let ended = Server::start(dir.path()).stop();
    assert!(!ended.stderr.contains("was founded before"), "{}", ended.stderr);
    let ended = Server::start(dir.path()).stop();
    assert!(!ended.stderr.contains("was founded before"), "nothing was said of an owner: {}", ended.stderr);

    let late = "a-token-that-nobody-will-ever-know-0123456789";
    let mut command = serve(dir.path());
    command.args(["--owner-email", "ada@example.org"]).env("JETON_OWNER_TOKEN", late);
    let server = Server::start_with(&mut command);
    assert_eq!(server.status_for(late), 401);
    let ended = server.stop();
    let lines: Vec<_> = ended.stderr.lines().filter(|line| line.contains("was founded before")).collect();
    assert_eq!(lines.len(), 1, "{}", ended.stderr);
    assert!(lines[0].contains(r#""ignored":"--owner-email, JETON_OWNER_TOKEN""#), "{}", lines[0]);
    assert!(!ended.stderr.contains(late) && !ended.stderr.contains("WARN"), "{}", ended.stderr);
}

#[test]
fn secrets_that_everybody_could_read_are_warned_about() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("given");
    std::fs::write(&file, "an-owner-token-from-outside-0123456789").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ended =
        Server::start_with(serve(&dir.path().join("data")).arg("--owner-token-file").arg(&file)).stop();
    let warning = ended.stderr.lines().find(|line| line.contains(r#""level":"WARN""#)).unwrap();
    assert!(warning.contains("everybody on this machine can read this secret"), "{warning}");
    assert!(warning.contains(file.to_str().unwrap()), "{warning}");
}

#[test]
fn a_data_directory_that_everybody_could_write_to_is_warned_about() {
    let dir = tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let ended = Server::start(dir.path()).stop();
    let warning = ended.stderr.lines().find(|line| line.contains(r#""level":"WARN""#)).unwrap();
    assert!(warning.contains("everybody on this machine can put files into the data directory"), "{warning}");
}

/// Each file that the first start makes is watched for, and the process killed when it shows.
#[test]
fn a_first_start_can_be_killed_between_any_two_steps() {
    for step in
        ["jeton.db.lock", "jeton.db", "jeton.db-wal", "server-key", "owner-token.unfinished", "owner-token"]
    {
        let dir = tempdir().unwrap();
        let data = dir.path().join("data");
        let mut process = Running::start(&mut serve(&data));
        let started = Instant::now();
        // A step that is over before it is seen leaves a server that runs: killed all the same, a little later.
        while !data.join(step).exists() && !data.join("owner-token").exists() {
            assert!(process.is_running() && started.elapsed() < PATIENCE, "{step}");
            std::thread::yield_now();
        }
        process.signal(Signal::KILL);
        process.wait();
        let server = Server::start(&data);
        assert_eq!(server.ready()["tokens"], 1, "{step}");
        assert_eq!(server.ready()["revision"], 3, "{step}");
        assert_eq!(server.status_for(&owner_token(&data)), 200, "{step}: the file holds the living secret");
    }
}

/// The state between the making of `owner-token` and the commit, and an old file beside a new database.
#[test]
fn an_owner_token_of_another_database_is_replaced_and_does_not_come_alive() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    Server::start(&data).stop();
    let old = owner_token(&data);
    std::fs::remove_file(data.join("jeton.db")).unwrap();
    let server = Server::start(&data);
    assert_eq!(server.status_for(&old), 401);
    assert_eq!(server.status_for(&owner_token(&data)), 200);
}

#[test]
fn the_prefix_is_the_operators() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start_with(serve(&data).args(["--token-prefix", "acme"]));
    let secret = owner_token(&data);
    assert!(secret.starts_with("acme_pat_"), "{secret}");
    assert!(server.issue(&secret, "another").starts_with("acme_pat_"));
    let version = curl(&[&server.url("/api/v1/server-info")]);
    assert_eq!(version.status, 200, "{version:?}");
}
