//! `jeton route test`, as somebody who writes a route map uses it.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use std::process::Command;

/// What it prints of a request by the map of the examples, and whether it lets the request through.
fn tested(method: &str, path: &str) -> (bool, String) {
    let map = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/routes.toml");
    let arguments = ["route", "test", "--route-map", map, method, path];
    let output = Command::new(env!("CARGO_BIN_EXE_jeton")).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), said.strip_prefix(&format!("{method} {path}: ")).unwrap().to_owned())
}

#[test]
fn what_a_request_needs_is_told_with_the_route_that_says_so() {
    for (method, path, passes, said) in [
        ("GET", "/public/a/b", true, "route 1 (/public/{*rest}): open: anybody may, without a token\n"),
        ("GET", "/me", true, "route 2 (/me): a good token is enough\n"),
        (
            "HEAD",
            "/projects/web/flags/dark-mode?x=y",
            true,
            "route 3 (/projects/{project}/flags/{flag}): needs readFlag on proj/web:env/production:flag/dark-mode\n",
        ),
        (
            "GET",
            "/projects/*/flags/dark-mode",
            false,
            "route 3 (/projects/{project}/flags/{flag}): denied: what a name captures has to be letters, digits and \
             -._~ to be part of a resource\n",
        ),
        ("POST", "/me", false, "denied: no route fits\n"),
    ] {
        assert_eq!(tested(method, path), (passes, said.to_owned()), "{method} {path}");
    }
    let (passes, said) = tested("GET", "/public/../me");
    assert!(!passes && said.starts_with("denied: the path could be read in two ways"), "{said}");
}
