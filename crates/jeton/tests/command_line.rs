//! The command line: help, versions, wrong flags, and `jeton check`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use support::{Server, jeton, owner_token, run, run_with_input};
use tempfile::tempdir;

/// Every command, found by reading the help of the one above it.
fn commands() -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut at = 0;
    while at < found.len() {
        let above: Vec<String> = found[at].clone();
        let help = help(&above);
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in listed.take_while(|line| !line.is_empty()) {
            // A line that goes on is indented deeper than a name.
            if let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) {
                found.push([above.clone(), vec![name.split(' ').next().unwrap().to_owned()]].concat());
            }
        }
        at += 1;
    }
    found
}

fn help(command: &[String]) -> String {
    let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    arguments.push("--help");
    run(&mut jeton(&arguments)).success()
}

#[test]
fn the_help_of_every_command_has_an_example_that_is_one() {
    let commands = commands();
    let names: Vec<_> = commands.iter().map(|command| command.join(" ")).collect();
    let expected = "/serve/config/recover/check/backup/migrate/node/healthcheck/login/logout/token/member/role/explain/watch/policy\
                    /route/bench/completions/man\
                    /config check/node list\
                    /token list/token create/token get/token rename/token rotate/token revoke\
                    /member list/member get/member me/member add/member set-role/member remove\
                    /role list/role get/role create/role edit/role delete\
                    /policy check/policy test/route test";
    assert_eq!(names, expected.split('/').collect::<Vec<_>>());
    for command in &commands {
        let help = help(command);
        let (_, example) = help.split_once("Example:\n  ").unwrap_or_else(|| panic!("{command:?}: {help}"));
        let expected =
            ["jeton".to_owned()].into_iter().chain(command.iter().cloned()).collect::<Vec<_>>().join(" ");
        assert!(example.starts_with(&expected), "{command:?}: {example}");
    }
}

#[test]
fn every_setting_stands_in_the_help_of_serve_with_its_variable_and_default() {
    let help = help(&["serve".to_owned()]).split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "--listen <ADDRESS> Where to listen: HOST:PORT, [IPV6]:PORT or unix:PATH [env: JETON_LISTEN] [default: \
         127.0.0.1:8080]",
        "--database <URL> The database, as sqlite:PATH or postgres://… [env: JETON_DATABASE_URL] [default: jeton.db in the data \
         directory]",
        "[env: JETON_OWNER_EMAIL] [default: owner@localhost]",
    ] {
        assert!(help.contains(expected), "{help}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let expected = format!("jeton {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&mut jeton(&["--version"])).success(), expected);
}

#[test]
fn a_command_line_that_cannot_be_understood_ends_with_2_and_a_hint() {
    for (arguments, hint) in [
        (&["serve", "--lisen", "127.0.0.1:0"][..], "'--listen'"),
        (&["serv"], "'serve'"),
        (&["recover"], "--member <EMAIL>"),
        (&["backup"], "<FILE>"),
        (&["migrate", "--from", "x"], "--to <URL>"),
        (&["serve", "--owner-token", "x"], "--owner-token-file"),
        (&[], "Usage: jeton <COMMAND>"),
    ] {
        let ended = run(&mut jeton(arguments));
        assert_eq!(ended.code(), 2, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(hint), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "");
    }
}

const GOOD: &str = "well formed: the secret of a personal token, and its checksum is right\n";

fn secret(data: &Path, prefix: &str) -> String {
    Server::start_with(support::serve(data).args(["--token-prefix", prefix])).stop();
    owner_token(data)
}

#[test]
fn a_good_secret_is_recognized_as_an_argument_and_on_standard_input() {
    let dir = tempdir().unwrap();
    let secret = secret(&dir.path().join("data"), "jtn");
    assert_eq!(run(&mut jeton(&["check", &secret])).success(), GOOD);
    for arguments in [&["check"][..], &["check", "-"]] {
        for end in ["", "\n", "\r\n"] {
            assert_eq!(run_with_input(&mut jeton(arguments), &format!("{secret}{end}")).success(), GOOD);
        }
    }
}

#[test]
fn a_bad_secret_is_refused_with_its_reason_and_never_repeated() {
    let dir = tempdir().unwrap();
    let secret = secret(&dir.path().join("data"), "jtn");
    let last = if secret.ends_with('x') { 'y' } else { 'x' };
    let mistyped = format!("{}{last}", &secret[..secret.len() - 1]);
    let foreign = "f".repeat(40);
    let blank = format!("{secret} ");
    let long = "l".repeat(100_000);
    for (text, reason) in [
        (mistyped.as_str(), "its checksum is wrong: a character was changed or mistyped"),
        (
            &secret[..50],
            "it begins like one of ours, but is not complete: look for a part that was cut off or added",
        ),
        ("hunter2", "it is too short: a secret has at least 32 characters"),
        (&long, "it is too long: a secret has at most 255 characters"),
        (
            &blank,
            "it begins like one of ours, but is not complete: look for a part that was cut off or added",
        ),
    ] {
        let ended = run_with_input(&mut jeton(&["check"]), text);
        assert_eq!(ended.error(), (format!("this is not a secret: {reason}"), 1));
        assert!(!ended.stderr.contains(text) && ended.stdout.is_empty());
    }
    let (message, code) = run(&mut jeton(&["check", &foreign])).error();
    assert!(
        message.starts_with("this is not a secret that jeton made: it does not begin with jtn_"),
        "{message}"
    );
    assert!(!message.contains(&foreign));
    assert_eq!(code, 1);
}

#[test]
fn the_prefix_of_the_installation_is_honoured_from_every_layer() {
    let dir = tempdir().unwrap();
    let secret = secret(&dir.path().join("data"), "acme");
    let file = dir.path().join("jeton.toml");
    std::fs::write(&file, "token_prefix = 'acme'\n").unwrap();
    assert_eq!(run(&mut jeton(&["check", &secret])).code(), 1);
    assert_eq!(run(&mut jeton(&["check", "--token-prefix", "acme", &secret])).success(), GOOD);
    assert_eq!(run(jeton(&["check", &secret]).env("JETON_TOKEN_PREFIX", "acme")).success(), GOOD);
    assert_eq!(run(jeton(&["check", &secret]).env("JETON_CONFIG", &file)).success(), GOOD);
    let wrong_elsewhere =
        run(jeton(&["check", "--token-prefix", "acme", &secret]).env("JETON_LISTEN", "nonsense"));
    assert_eq!(wrong_elsewhere.success(), GOOD, "what a command does not need keeps nobody from it");
}
