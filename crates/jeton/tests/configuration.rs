//! The configuration: which layer holds, what `jeton config check` says of it, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;

use support::{Server, jeton, run, serve};
use tempfile::{TempDir, tempdir};

fn file(dir: &TempDir, text: &str) -> PathBuf {
    let path = dir.path().join("jeton.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn each_value_is_shown_with_where_it_comes_from_and_secrets_are_masked() {
    let dir = tempdir().unwrap();
    let file = file(
        &dir,
        "# ours\nlisten = \"[::1]:80\"\nmax_tokens = 1_000\ntoken_rate = 0\nidle_timeout = 90\nlog_level = 'warn'\n",
    );
    let mut command = jeton(&["config", "check", "--data-dir", "/srv/a \"b\"", "--config"]);
    command.arg(&file).envs([
        ("JETON_LISTEN", "unix:/run/jeton.sock"),
        ("JETON_OWNER_TOKEN", "hunter2-hunter2-hunter2-hunter2-hunter2"),
        ("JETON_SERVER_KEY", &"0b".repeat(32)),
        ("CANVUS_ADMIN_PASSWORD", "hunter2"),
        ("JETON_NODE_NAME", "here"),
        ("JETON_LISTN", "x"),
    ]);
    let ended = run(&mut command);
    let path = file.display();
    let expected = format!(
        r#"# The effective configuration of jeton, and where each value comes from.
listen = "unix:/run/jeton.sock"              # JETON_LISTEN
data_dir = '/srv/a "b"'                      # --data-dir
database = 'sqlite:/srv/a "b"/jeton.db'      # default
# server_key = "********"                    # JETON_SERVER_KEY
token_prefix = "jtn"                         # default
owner_email = "owner@localhost"              # default
# owner_password = "********"                # CANVUS_ADMIN_PASSWORD
# owner_token = "********"                   # JETON_OWNER_TOKEN
log_level = "warn"                           # {path} line 6
log_format = "json"                          # default
verify_max_age = 0                           # default
stream_keepalive = "15s"                     # default
change_log_retention = "30d"                 # default
node_name = "here"                           # JETON_NODE_NAME
lease = "1s"                                 # default
poll = "50ms"                                # default
max_staleness = 0                            # default
max_tokens = 1000                            # {path} line 3
max_streams = 20000                          # default
max_body_bytes = 262144                      # default
token_rate = 0                               # {path} line 4
failed_auth_rate = "100/10"                  # default
failed_login_rate = "10/60"                  # default
max_connections = 10000                      # default
header_timeout = "10s"                       # default
body_timeout = "30s"                         # default
write_timeout = "30s"                        # default
idle_timeout = "90s"                         # {path} line 5
drain_timeout = "10s"                        # default
# JETON_LISTN is set, but jeton has no such variable: did you mean JETON_LISTEN?
"#
    );
    let printed = ended.success();
    // How wide the first column is says nothing.
    let squeezed = |text: &str| text.split_inclusive('\n').map(squeeze).collect::<String>();
    assert_eq!(squeezed(&printed), squeezed(&expected));
}

fn squeeze(line: &str) -> String {
    match line.split_once("  ") {
        Some((value, origin)) => format!("{value}  {}", origin.trim_start()),
        None => line.to_owned(),
    }
}

#[test]
fn what_is_shown_is_a_file_that_says_the_same() {
    let dir = tempdir().unwrap();
    let arguments =
        ["config", "check", "--max-body-bytes", "1000", "--token-rate", "5/60", "--drain-timeout", "1500ms"];
    let shown = run(jeton(&arguments).env("JETON_OWNER_TOKEN", "x".repeat(32))).success();
    let file = file(&dir, &shown);
    let again = run(jeton(&["config", "check", "--config"]).arg(file)).success();
    let values = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split("  ").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(values(&shown), values(&again));
    assert!(again.contains("jeton.toml line 2"), "{again}");
}

#[test]
fn a_server_does_as_the_layers_say() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let database = dir.path().join("elsewhere.db");
    let file = file(
        &dir,
        &format!(
            "listen = 'nonsense'\ntoken_prefix = 'file'\nmax_tokens = 2\ndatabase = 'sqlite:{}'\n",
            database.display()
        ),
    );
    let server = Server::start_with(serve(&data).env("JETON_CONFIG", file).env("JETON_TOKEN_PREFIX", "envy"));
    let secret = support::owner_token(&data);
    assert!(secret.starts_with("envy_pat_"), "a variable hides the file");
    assert!(database.exists() && !data.join("jeton.db").exists());
    server.issue(&secret, "the second");
    let header = format!("Private-Token: {secret}");
    let url = server.url("/api/v1/users/1000/access-tokens");
    let third = support::curl(&["-X", "POST", "-H", &header, "-d", r#"{"description":"the third"}"#, &url]);
    assert_ne!(third.status, 200, "the limit of the file holds: {third:?}");
}

/// A server that starts all the same has to say what it did not heed.
#[test]
fn a_mistyped_variable_is_warned_about_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = serve(dir.path());
    let ended =
        Server::start_with(command.env("JETON_LISTN", "x").env("JETON_PORT", "tcp://10.0.0.1:80")).stop();
    let warned: Vec<_> = ended.stderr.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warned.len(), 1, "{}", ended.stderr);
    let said = "JETON_LISTN is set, but jeton has no such variable: did you mean JETON_LISTEN?";
    assert!(warned[0].contains(said), "{}", warned[0]);
}

#[test]
fn what_cannot_be_understood_is_refused_with_its_place() {
    let dir = tempdir().unwrap();
    let flag = |flag: &str, value: &str| run(&mut jeton(&["serve", &format!("{flag}={value}")])).error();
    let usage = |message: &str| (message.to_owned(), 2);
    assert_eq!(
        flag("--listen", "8080"),
        usage(
            "--listen: `8080` is not an address to listen on: write HOST:PORT, [IPV6]:PORT or unix:PATH, for example \
             127.0.0.1:8080"
        )
    );
    assert_eq!(
        flag("--database", "postgres://me:hunter2@db/jeton?sslmode=verify-ca"),
        usage(
            "--database: whom this machine trusts may sign for anybody, so a server has to be known by its name: write \
             sslmode=verify-full, or name your own root with sslrootcert=FILE"
        )
    );
    assert_eq!(
        flag("--token-rate", "fast"),
        usage(
            "--token-rate: `fast` is not a rate: write N/SECONDS, for example 100/10 for a hundred in ten seconds, or 0 \
             for no limit"
        )
    );
    assert_eq!(
        flag("--token-prefix", "JTN"),
        usage(
            "--token-prefix: `JTN` cannot be taken: a token prefix is 2 to 12 lower-case letters and digits and begins \
             with a letter"
        )
    );
    assert_eq!(
        flag("--write-timeout", "15s"),
        usage(
            "--write-timeout: after `15s` silent streams would be cut, since they give a sign of life only after 15s: give \
             more, or a shorter --stream-keepalive"
        )
    );
    let variable = run(jeton(&["serve"]).env("JETON_IDLE_TIMEOUT", "soon")).error();
    assert_eq!(
        variable,
        usage("JETON_IDLE_TIMEOUT: `soon` is not a time up to a day: write for example 30s, 500ms or 2m")
    );
    for (text, message) in [
        (
            "\nlog_level = 'loud'",
            "line 2: `loud` is not a log level: write error, warn, info, debug or trace",
        ),
        ("lisen = 'x'", "line 1: there is no setting `lisen`: did you mean `listen`?"),
        ("max_tokens = [1]", "line 1: `max_tokens` takes a text in quotes or a whole number"),
    ] {
        let path = file(&dir, text);
        let expected = format!("{} {message}", path.display());
        assert_eq!(run(jeton(&["serve", "--config"]).arg(path)).error(), (expected, 2));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused_with_who_named_it() {
    let dir = tempdir().unwrap();
    let missing = dir.path().join("missing.toml");
    let expected = |origin: &str| {
        let message = format!(
            "the configuration file {} cannot be read (No such file or directory (os error 2)): check {origin}, and that \
             this user may read the file",
            missing.display()
        );
        (message, 1)
    };
    assert_eq!(run(jeton(&["serve", "--config"]).arg(&missing)).error(), expected("--config"));
    assert_eq!(
        run(jeton(&["config", "check"]).env("JETON_CONFIG", &missing)).error(),
        expected("JETON_CONFIG")
    );
}

#[test]
fn a_secret_given_twice_is_refused() {
    let ended = run(jeton(&["serve", "--owner-token-file", "x"]).env("JETON_OWNER_TOKEN", "y"));
    let message = "--owner-token-file and JETON_OWNER_TOKEN are both given and stand for the same: leave one of them out";
    assert_eq!(ended.error(), (message.to_owned(), 2));
}

#[test]
fn a_check_of_the_configuration_reads_what_only_a_start_would() {
    let check = |variable: &str, value: &str| run(jeton(&["config", "check"]).env(variable, value));
    for (variable, value, beginning) in [
        ("JETON_OWNER_TOKEN", "short", "JETON_OWNER_TOKEN cannot be the owner's token: it is too short"),
        (
            "JETON_OWNER_TOKEN_FILE",
            "/nowhere",
            "the file /nowhere (JETON_OWNER_TOKEN_FILE) cannot be read (No such file",
        ),
        (
            "JETON_OWNER_PASSWORD_FILE",
            "/",
            "the file / (JETON_OWNER_PASSWORD_FILE) cannot be read (Is a directory",
        ),
        ("JETON_SERVER_KEY_FILE", "/nowhere", "the file /nowhere (JETON_SERVER_KEY_FILE) does not exist: "),
        ("JETON_SERVER_KEY", "0b0b", "JETON_SERVER_KEY is not a server key, which is 64 hexadecimal digits"),
    ] {
        let ended = check(variable, value);
        let (message, code) = ended.error();
        assert!(message.starts_with(beginning), "{message}");
        assert_ne!(code, 0);
        assert!(ended.stdout.starts_with("# The effective configuration"), "it is shown all the same");
    }
}
