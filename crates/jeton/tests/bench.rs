//! `jeton bench`, with the real binary: the shape of what it prints, never the figures; and that nothing stays behind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use support::{Running, jeton, run};
use tempfile::tempdir;

fn bench(scratch: &Path, more: &[&str]) -> Command {
    let mut command = jeton(&["bench", "--tokens", "1000"]);
    command.args(more).env("TMPDIR", scratch);
    // The server that is measured must not be this one.
    command.env("JETON_DATABASE_URL", "postgres://nobody@localhost:1/nowhere");
    command
}

/// Processes whose command line names this directory, as the server's does.
fn processes_on(directory: &Path) -> usize {
    let directory = directory.to_str().unwrap();
    let lines = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.unwrap().path().join("cmdline");
        std::fs::read(path).ok()
    });
    lines.filter(|line| String::from_utf8_lossy(line).contains(directory)).count()
}

#[test]
fn every_figure_is_an_object_and_every_surface_has_some() {
    let scratch = tempdir().unwrap();
    let elsewhere = tempdir().unwrap();
    let picture = elsewhere.path().join("ratios.svg");
    let svg = picture.to_str().unwrap();
    let printed = run(&mut bench(scratch.path(), &["--quick", "--json", "--svg", svg])).success();
    let figures: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for figure in &figures {
        let of = |member: &str| figure.get(member).unwrap_or_else(|| panic!("{member}: {figure}"));
        assert!(of("value").is_f64() && of("name").is_string() && of("unit").is_string(), "{figure}");
        assert_eq!(of("floor").is_null(), of("ratio").is_null(), "{figure}");
        assert_eq!(of("goal").is_null(), of("holds").is_null(), "{figure}");
        assert!(of("goal").is_null() || of("holds").is_boolean(), "{figure}");
    }
    let surfaces = [
        "in process",
        "POST /oauth2/introspect",
        "GET /verify/x-forwarded",
        "GET /verify/x-original",
        "ext_authz over HTTP",
        "POST /verify",
        "POST /verify, 100 secrets",
        "ext_authz over gRPC",
    ];
    for surface in surfaces {
        for what in ["processor time for a verification", "verifications", "answer, p50", "answer, p99"] {
            let name = format!("{surface}: {what}");
            assert!(figures.iter().any(|figure| figure["name"] == name.as_str()), "{name}: {printed}");
        }
    }
    assert!(std::fs::read_to_string(picture).unwrap().starts_with("<svg "));
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn who_interrupts_it_finds_nothing_left_behind() {
    let scratch = tempdir().unwrap();
    let mut running = Running::start(&mut bench(scratch.path(), &[]));
    // By then a server and a floor are at work.
    running.logged("questions a second");
    assert_eq!(processes_on(scratch.path()), 1);
    running.signal(Signal::INT);
    let ended = running.wait();
    assert_eq!(ended.error(), ("stopped before the end, and nothing is left behind".to_owned(), 1));
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    assert_eq!(processes_on(scratch.path()), 0);
}

#[test]
fn the_floor_is_in_no_help_and_on_no_server() {
    let help = run(&mut jeton(&["bench", "--help"])).success();
    assert!(
        help.contains("the ratio is what travels") || help.contains("The ratio is what travels"),
        "{help}"
    );
    assert!(!help.contains("fixed-route"), "{help}");
    let scratch = tempdir().unwrap();
    let server = support::Server::start(scratch.path());
    let said =
        run(Command::new("curl").args(["-q", "-sS", "-w", "%{http_code}"]).arg(server.url("/fixed/0")));
    assert!(said.success().ends_with("404"));
    let refused = run(&mut jeton(&["bench", "--tokens", "10"]));
    assert_eq!(refused.status.code(), Some(2));
}
