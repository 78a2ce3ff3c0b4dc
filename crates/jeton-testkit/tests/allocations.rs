//! What is asked before every request of somebody's takes a known number of allocations, however many tokens there are and
//! whatever a client sends.
//!
//! Counted is what happens from the head of a request to the head and body of its answer: not the HTTP engine, which is not
//! ours. More than stands here is no bug by itself, but nobody gets there without knowing.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use allocation_counter::measure;
use jeton_testkit::{Jeton, request};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Allocations for an answer, and their bytes, at the most of some tries.
fn taken(jeton: &Jeton, (method, path): (&str, &str), headers: &[(&str, &str)], body: &str) -> (u64, u64) {
    let ask = || {
        let request = request(method, path, headers, body.to_owned());
        let info = measure(|| drop(pollster::block_on(jeton.open(request))));
        (info.count_total, info.bytes_total)
    };
    // What is made once is made now.
    for _ in 0..10 {
        ask();
    }
    (0..50)
        .map(|_| ask())
        .fold((0, 0), |(most, largest), (count, bytes)| (most.max(count), largest.max(bytes)))
}

#[tokio::test]
async fn an_answer_takes_a_known_number_of_allocations() {
    let jeton = Jeton::start().await;
    let secret = &jeton.owner.secret;
    let (bearer, nonsense) = (format!("Bearer {secret}"), "Bearer nonsense-of-no-token-at-all-0123456789");
    let uri = format!("/a/{}", "long/".repeat(50));
    let form = format!("token={secret}");
    let one = format!(r#"{{"secret":"{secret}"}}"#);
    let hundred = format!("[{}]", [one.as_str(); 100].join(","));
    let good = [("authorization", bearer.as_str()), FORM];
    let asked = |authorization| {
        [("authorization", authorization), ("x-forwarded-method", "GET"), ("x-forwarded-uri", &*uri)]
    };
    for (name, question, headers, body, (most, bytes)) in [
        ("forward-auth, good", ("GET", "/verify/x-forwarded"), &asked(&bearer)[..], "", (14, 4096)),
        ("forward-auth, bad", ("GET", "/verify/x-forwarded"), &asked(nonsense), "", (14, 4096)),
        ("Envoy over HTTP", ("GET", "/ext-authz/a"), &good[..1], "", (14, 4096)),
        ("introspection", ("POST", "/oauth2/introspect"), &good, &form, (16, 4096)),
        ("introspection of nonsense", ("POST", "/oauth2/introspect"), &good, "token=nonsense", (16, 4096)),
        ("one secret", ("POST", "/verify"), &good[..1], &one, (20, 5120)),
        ("a hundred", ("POST", "/verify"), &good[..1], &hundred, (40, 73_728)),
    ] {
        let taken = taken(&jeton, question, headers, body);
        assert!(taken.0 <= most && taken.1 <= bytes, "{name}: {taken:?}, not {most} and {bytes}");
    }
}
