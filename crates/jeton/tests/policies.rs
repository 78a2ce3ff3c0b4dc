//! `jeton policy check` and `jeton policy test`, as somebody who writes policies uses them.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn jeton(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jeton")).args(arguments).current_dir(directory).output().unwrap()
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn mistakes_are_pointed_at_all_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let good =
        r#"{"key":"ops","policy":[{"effect":"allow","actions":["*"],"resources":["service-token/*"]}]}"#;
    fs::write(directory.path().join("good.json"), good).unwrap();
    let ended = said(&jeton(directory.path(), &["policy", "check", "good.json"]));
    assert_eq!(ended, (0, "good.json: in order, 1 statement\n".to_owned(), String::new()));
    fs::write(directory.path().join("empty.json"), "[]").unwrap();
    let ended = said(&jeton(directory.path(), &["policy", "check", "empty.json"]));
    assert_eq!(ended.1, "empty.json: in order, 0 statements: it allows nothing\n");

    let bad = r#"[
        {"effect":"allow","actions":["*"],"resources":["service-token/*"]},
        {"effect":"Allow","actions":["*"],"resources":["service-token/*"]},
        {"effect":"allow","actions":["*"],"resources":["service-token/*", "planet/*"]},
        {"effect":"allow","action":["*"],"resources":["service-token/*"]}
    ]"#;
    fs::write(directory.path().join("bad.json"), bad).unwrap();
    let (code, stdout, stderr) = said(&jeton(directory.path(), &["policy", "check", "bad.json"]));
    assert_eq!((code, stdout.as_str()), (1, ""));
    for part in [
        "/1/effect: effect must be allow or deny, in lower case",
        "/2/resources/1: Error parsing resource specifier",
        "/3: unknown field `action`",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    for (text, part) in
        [("nonsense", "this is no JSON"), ("7", "a policy is a list"), ("{}", "no list in `policy`")]
    {
        fs::write(directory.path().join("odd.json"), text).unwrap();
        let (code, _, stderr) = said(&jeton(directory.path(), &["policy", "check", "odd.json"]));
        assert!(code == 1 && stderr.contains(part), "{stderr}");
    }
    let (code, _, stderr) = said(&jeton(directory.path(), &["policy", "check", "absent.json"]));
    assert!(code == 1 && stderr.contains("absent.json cannot be read"), "{stderr}");
}

#[test]
fn the_published_examples_have_their_answers() {
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../jeton-core/tests/data/policy-vectors.json");
    let (code, stdout, stderr) = said(&jeton(Path::new("/"), &["policy", "test", vectors]));
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("D1 ") && stdout.ends_with("all 46 answers are the expected ones\n"), "{stdout}");
}

#[test]
fn a_wrong_answer_is_shown_and_counts() {
    let directory = tempfile::tempdir().unwrap();
    let policy = r#"[{"effect":"deny","actions":["*"],"resources":["service-token/*"]}]"#;
    fs::write(directory.path().join("policy.json"), policy).unwrap();
    let questions = r#"[
        {"id":"first","action":"createAccessToken","resource":"service-token/t","expect":"allow"},
        {"action":"createAccessToken","resource":"service-token/t","expect":"deny"}
    ]"#;
    fs::write(directory.path().join("questions.json"), questions).unwrap();
    let arguments = ["policy", "test", "questions.json", "--policy", "policy.json"];
    let (code, stdout, stderr) = said(&jeton(directory.path(), &arguments));
    assert_eq!(code, 1);
    assert!(stdout.contains("first  deny   WRONG, should be allow"), "{stdout}");
    assert!(stdout.contains("(statement 0 denies it)"), "{stdout}");
    assert!(stderr.contains("1 of 2 answers are not the expected ones"), "{stderr}");
}
