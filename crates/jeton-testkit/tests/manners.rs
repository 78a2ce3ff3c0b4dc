//! Manners that both dialects share, each in its own words: paths and methods that are none, bodies that are too large, too
//! deep or no text, request ids, HEAD, and what happens when the machinery breaks.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::channel::Channel;
use jeton_core::limits::Limits;
use jeton_server::Settings;
use jeton_store::Sqlite;
use jeton_testkit::cluster::Cluster;
use jeton_testkit::{Jeton, Reply, Unreliable, request};
use serde_json::{Value, json};

const CANVUS: &str = "/api/v1/users/1000/access-tokens";
const TOKENS: &str = "/api/v2/tokens";
const NOBODY: &str = "0123456789abcdef01234567";

async fn owner(jeton: &Jeton, method: &str, path: &str, body: impl AsRef<[u8]>) -> Reply {
    jeton.send(method, path, &[("authorization", &jeton.owner.secret)], body).await
}

/// A token of the owner's, by its path in each dialect.
async fn token(jeton: &Jeton) -> [String; 2] {
    let made = owner(jeton, "POST", CANVUS, r#"{"description":"ci"}"#).await.expect(200);
    [format!("{CANVUS}/{}", made.string("id")), format!("{TOKENS}/{}", made.string("id"))]
}

/// What an error says, whatever the dialect calls it.
fn message(reply: &Reply) -> String {
    let body = reply.json();
    let told = ["msg", "message", "detail"].into_iter().find_map(|name| body[name].as_str());
    told.expect("an error says something").to_owned()
}

/// A path that is none is answered by whose it would be, to anybody: it tells nothing but what the documentation does.
#[tokio::test]
async fn a_path_that_leads_nowhere() {
    let jeton = Jeton::start().await;
    for (path, said) in [
        ("/api/v1", "Unknown object type"),
        ("/api/v1/", "Unknown object type"),
        ("/api/v1/canvases", "Unknown object type canvases"),
        ("/api/v1/users/1000/access-tokens/x/y", "Unknown object type users"),
        ("/api/v1//users/1000/access-tokens", "Unknown object type users"),
        ("/api/v1/users/1000/access%2Dtokens", "Unknown object type users"),
        ("/api/v1/Users/1000/access-tokens", "Unknown object type Users"),
        ("/api/v1/users/1000/access-tokens/x//", "Unknown object type users"),
        ("/api/v2/flags", "There is nothing at /api/v2/flags"),
        ("/api/v2/tokens/x/y", "There is nothing at /api/v2/tokens/x/y"),
        ("/api/v2/tokens/x/reset/y", "There is nothing at /api/v2/tokens/x/reset/y"),
        ("/api/v2/openapi.json", "There is nothing at /api/v2/openapi.json"),
        ("/api/v2//tokens", "There is nothing at /api/v2//tokens"),
        ("/api/v2/%74okens", "There is nothing at /api/v2/%74okens"),
        ("/api/v2/tokens/../tokens", "There is nothing at /api/v2/tokens/../tokens"),
    ] {
        for headers in [
            vec![],
            vec![("authorization", "nonsense")],
            vec![("authorization", jeton.owner.secret.as_str())],
        ] {
            for method in ["GET", "POST", "PATCH", "DELETE", "PUT", "BREW"] {
                let reply = jeton.send(method, path, &headers, "{").await.expect(404);
                assert_eq!(message(&reply), said, "{method} {path}");
            }
        }
    }
    // Whatever else looks like one of the dialects is neither.
    for path in [
        "/",
        "/api",
        "/api/v3",
        "/api/v10/users",
        "/api/v2x/tokens",
        "/API/v2/tokens",
        "/users/1000/access-tokens",
    ] {
        let reply = jeton.send("GET", path, &[], "").await.expect(404);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        let detail =
            format!("There is nothing at {path}: Canvus v1 is under /api/v1, LaunchDarkly v2 under /api/v2");
        let expected =
            json!({ "type": "about:blank", "title": "Not Found", "status": 404, "detail": detail });
        assert_eq!(reply.json(), expected);
    }
}

/// A method that a path does not have: 405 to anybody, with the methods that it has.
#[tokio::test]
async fn a_method_that_a_path_does_not_have() {
    let jeton = Jeton::start().await;
    for (path, allow, others) in [
        (CANVUS, "GET,HEAD,POST", vec!["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]),
        ("/api/v1/users/1000/access-tokens/x", "GET,HEAD,PATCH,DELETE", vec!["POST", "PUT", "OPTIONS"]),
        ("/api/v1/server-info", "GET,HEAD", vec!["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        ("/api/v2", "OPTIONS,GET,HEAD", vec!["POST", "PUT", "PATCH", "DELETE"]),
        (TOKENS, "OPTIONS,GET,HEAD,POST", vec!["PUT", "PATCH", "DELETE", "TRACE", "BREW"]),
        ("/api/v2/tokens/x", "OPTIONS,GET,HEAD,PATCH,DELETE", vec!["POST", "PUT"]),
        ("/api/v2/tokens/x/reset", "OPTIONS,POST", vec!["GET", "PUT", "PATCH", "DELETE"]),
        ("/api/v2/caller-identity", "OPTIONS,GET,HEAD", vec!["POST", "PUT", "PATCH", "DELETE"]),
        ("/api/v2/versions", "OPTIONS,GET,HEAD", vec!["POST", "PUT", "PATCH", "DELETE"]),
        ("/healthz", "GET,HEAD", vec!["POST", "DELETE"]),
        ("/readyz", "GET,HEAD", vec!["POST", "DELETE"]),
    ] {
        for method in others {
            for path in [path.to_owned(), format!("{path}/")] {
                if path.ends_with("z/") {
                    continue;
                }
                let reply = jeton.send(method, &path, &[], "{").await.expect(405);
                assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
                assert!(message(&reply).contains("Allow header"), "{method} {path}");
            }
        }
    }
    // HEAD where there is no GET.
    jeton.send("HEAD", "/api/v2/tokens/x/reset", &[], "").await.expect(405);
}

/// As GET, but for the body.
#[tokio::test]
async fn a_head_is_a_get_without_a_body() {
    let jeton = Jeton::start().await;
    let [canvus, launchdarkly] = token(&jeton).await;
    for (path, status) in [
        (CANVUS, 200),
        (&canvus, 200),
        (&format!("{CANVUS}/{NOBODY}"), 404),
        ("/api/v1/users/me/access-tokens", 400),
        ("/api/v1/server-info", 200),
        ("/api/v1/nowhere", 404),
        (TOKENS, 200),
        (&launchdarkly, 200),
        (&format!("{TOKENS}/{NOBODY}"), 404),
        ("/api/v2/tokens?limit=x", 400),
        ("/api/v2/caller-identity", 200),
        ("/api/v2", 200),
        ("/healthz", 200),
        ("/nowhere", 404),
    ] {
        let get = owner(&jeton, "GET", path, "").await.expect(status);
        let head = owner(&jeton, "HEAD", path, "").await.expect(status);
        for name in ["content-type", "content-length", "cache-control", "access-control-allow-origin"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
    jeton.send("HEAD", TOKENS, &[], "").await.expect(401);
}

/// The caller's id comes back, if it is harmless; else there is one of ours. In LaunchDarkly's errors it stands too.
#[tokio::test]
async fn every_answer_has_the_id_of_its_request() {
    let jeton = Jeton::start().await;
    let long = "x".repeat(64);
    let too_long = "x".repeat(65);
    for (headers, echoed) in [
        (vec![("x-request-id", "r1")], Some("r1")),
        (vec![("X-Request-ID", "A-1_b.c")], Some("A-1_b.c")),
        (vec![("x-request-id", long.as_str())], Some(long.as_str())),
        (vec![("x-request-id", "r1"), ("x-request-id", "r2")], Some("r1")),
        (vec![], None),
        (vec![("x-request-id", "")], None),
        (vec![("x-request-id", too_long.as_str())], None),
        (vec![("x-request-id", "with space")], None),
        (vec![("x-request-id", "ü")], None),
        (vec![("x-request-id", "a\"b")], None),
    ] {
        for (method, path) in [
            ("GET", CANVUS),
            ("DELETE", TOKENS),
            ("GET", "/api/v2/nowhere"),
            ("GET", "/api/v2"),
            ("GET", TOKENS),
            ("OPTIONS", TOKENS),
            ("GET", "/healthz"),
            ("GET", "/nowhere"),
        ] {
            let reply = jeton.send(method, path, &headers, "").await;
            let id = reply.header("x-request-id").unwrap();
            match echoed {
                Some(echoed) => assert_eq!(id, echoed),
                // In the shape of a UUID, which one dialect promises for its errors.
                None => assert!(id.len() == 36 && id.split('-').map(str::len).eq([8, 4, 4, 4, 12]), "{id}"),
            }
            if path.starts_with("/api/v2") && reply.status.is_client_error() {
                assert_eq!(reply.json()["id"], id, "{reply:?}");
            }
        }
    }
    // Two requests, two ids.
    let first = jeton.send("GET", TOKENS, &[], "").await;
    let second = jeton.send("GET", TOKENS, &[], "").await;
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

/// Where bodies are read: the three calls of each dialect that have one.
async fn calls_with_bodies(jeton: &Jeton) -> [(&'static str, String); 5] {
    let [canvus, launchdarkly] = token(jeton).await;
    [
        ("POST", CANVUS.to_owned()),
        ("PATCH", canvus),
        ("POST", TOKENS.to_owned()),
        ("POST", format!("{launchdarkly}/reset")),
        ("PATCH", launchdarkly),
    ]
}

#[tokio::test]
async fn a_body_that_is_too_large() {
    let settings = Settings { max_body_bytes: 1000, ..Settings::default() };
    let jeton = Jeton::with(settings, Limits::default()).await;
    let calls = calls_with_bodies(&jeton).await;
    let length = jeton.log().await.len();
    let fits = format!("{:1000}", "{");
    let too_large = format!("{:1001}", "{");
    for (method, path) in &calls {
        // What fits is read, and is no JSON.
        let reply = owner(&jeton, method, path, &fits).await.expect(400);
        assert!(message(&reply).contains("EOF while parsing an object at line 1 column 1000"), "{reply:?}");
        let reply = owner(&jeton, method, path, &too_large).await.expect(413);
        assert_eq!(message(&reply), "the body is larger than 1000 bytes");
        // Strangers are not told, and nothing of theirs is read.
        let reply = jeton.send(method, path, &[], &too_large).await.expect(401);
        assert!(reply.header("retry-after").is_none());
    }
    // Piece by piece, without a length.
    for (method, path) in &calls {
        let (mut sender, body) = Channel::<Bytes>::new(3);
        let headers = [("authorization", jeton.owner.secret.as_str())];
        sender.send_data(Bytes::from(fits.clone())).await.unwrap();
        sender.send_data(Bytes::from_static(b" ")).await.unwrap();
        // Nobody waits for the end of it.
        let reply = jeton.exchange(request(method, path, &headers, Body::new(body))).await.expect(413);
        assert_eq!(message(&reply), "the body is larger than 1000 bytes");
    }
    // A method without a body has none, however large.
    for (method, path) in [("GET", CANVUS), ("GET", TOKENS)] {
        owner(&jeton, method, path, &too_large).await.expect(200);
    }
    assert_eq!(jeton.log().await.len(), length);
}

/// The clock of the runtime stands still here until nobody has anything to do; then it goes to the next deadline.
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come() {
    let jeton = Jeton::start().await;
    let calls = calls_with_bodies(&jeton).await;
    for (method, path) in &calls {
        let (mut sender, body) = Channel::<Bytes>::new(1);
        sender.send_data(Bytes::from_static(b"{")).await.unwrap();
        let headers = [("authorization", jeton.owner.secret.as_str())];
        let reply = jeton.exchange(request(method, path, &headers, Body::new(body))).await.expect(408);
        assert_eq!(message(&reply), "the body did not arrive in time");
        drop(sender);
    }
}

/// A token that dies while a body is under way is dead when the body is there.
#[tokio::test]
async fn a_body_that_comes_after_its_token_died() {
    let jeton = Jeton::start().await;
    for (method, path, body) in
        [("POST", CANVUS, r#"{"description":"too late"}"#), ("POST", TOKENS, r#"{"role":"reader"}"#)]
    {
        let made = owner(&jeton, "POST", CANVUS, r#"{"description":"short-lived"}"#).await.expect(200);
        let (secret, single) = (made.string("plain_token"), format!("{TOKENS}/{}", made.string("id")));
        let (mut sender, slow) = Channel::<Bytes>::new(1);
        let late = request(method, path, &[("authorization", &secret)], Body::new(slow));
        let revoked_meanwhile = async {
            tokio::task::yield_now().await;
            owner(&jeton, "DELETE", &single, "").await.expect(204);
            sender.send_data(Bytes::from(body)).await.unwrap();
            drop(sender);
        };
        let (reply, ()) = tokio::join!(jeton.exchange(late), revoked_meanwhile);
        reply.expect(401);
    }
    let list = owner(&jeton, "GET", CANVUS, "").await.expect(200).json();
    assert_eq!(list.as_array().map(Vec::len), Some(1), "nothing was made");
}

/// Bytes that are no text, in every place where text is read.
#[tokio::test]
async fn what_is_no_utf8() {
    let jeton = Jeton::start().await;
    for (method, path) in &calls_with_bodies(&jeton).await {
        for body in [
            &b"{\"description\":\"\xff\",\"role\":\"\xff\",\"expiry\":\"\xff\"}"[..],
            b"\xff",
            b"\xef\xbb\xbf{}",
            b"{\"\xc0\x80\":1}",
            b"\xed\xa0\x80",
        ] {
            let reply = owner(&jeton, method, path, body).await.expect(400);
            assert!(message(&reply).starts_with("the body is not valid JSON: "), "{method} {path} {reply:?}");
        }
    }
    // A member that nobody knows is passed over unread, but not its name.
    owner(&jeton, "POST", TOKENS, b"{\"role\":\"reader\",\"unknown\":\"\xff\"}").await.expect(201);
    owner(&jeton, "POST", TOKENS, b"{\"role\":\"reader\",\"\xff\":1}").await.expect(400);
    owner(&jeton, "POST", CANVUS, b"{\"description\":\"x\",\"\xff\":1}").await.expect(400);
    // In a query it is no number, no flag and no name of a parameter.
    owner(&jeton, "GET", "/api/v2/tokens?limit=%ff", "").await.expect(400);
    owner(&jeton, "GET", "/api/v2/tokens?showAll=%ff", "").await.expect(400);
    owner(&jeton, "GET", "/api/v2/tokens?%ff=%ff&%=%&&=", "").await.expect(200);
    // In a path it is no id.
    owner(&jeton, "GET", "/api/v2/tokens/%ff%00", "").await.expect(404);
    owner(&jeton, "GET", "/api/v1/users/1000/access-tokens/%ff%00", "").await.expect(404);
    // In a header it is no secret.
    jeton.send("GET", TOKENS, &[("authorization", "ü")], "").await.expect(401);
}

/// Deeper than anything of ours, and far deeper than a stack.
#[tokio::test]
async fn what_is_nested_too_deep() {
    let jeton = Jeton::start().await;
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (method, path) in &calls_with_bodies(&jeton).await {
        for body in ["[".repeat(100_000), deep(100_000), format!("{{\"a\":{}", "{\"a\":".repeat(40_000))] {
            owner(&jeton, method, path, body).await.expect(400);
        }
    }
    // In a member that nobody knows it is passed over where nothing is kept of it.
    let body = format!(r#"{{"role":"reader","unknown":{}}}"#, deep(50_000));
    owner(&jeton, "POST", TOKENS, body).await.expect(201);
    // Not where the body is read whole. Either is fine, and neither takes the server with it.
    let body = format!(r#"{{"description":"x","unknown":{}}}"#, deep(50_000));
    let reply = owner(&jeton, "POST", CANVUS, body).await.expect(400);
    assert!(message(&reply).starts_with("the body is not valid JSON: recursion limit exceeded"), "{reply:?}");
}

#[tokio::test]
async fn numbers_beyond_all_measure() {
    let jeton = Jeton::start().await;
    let digits = "9".repeat(10_000);
    for number in
        ["1e400", "-1e400", "1e-400", "9223372036854775808", "-9223372036854775809", &digits, "0.1e1"]
    {
        let body = format!(r#"{{"role":"reader","expiry":{number}}}"#);
        owner(&jeton, "POST", TOKENS, body).await.expect(400);
        let body = format!(r#"{{"role":"reader","defaultApiVersion":{number}}}"#);
        owner(&jeton, "POST", TOKENS, body).await.expect(400);
        let body = format!(r#"{{"description":{number}}}"#);
        owner(&jeton, "POST", CANVUS, body).await.expect(400);
        let [_, launchdarkly] = token(&jeton).await;
        let body = format!(r#"[{{"op":"replace","path":"/expiry","value":{number}}}]"#);
        owner(&jeton, "PATCH", &launchdarkly, body).await.expect(400);
        owner(&jeton, "POST", &format!("{launchdarkly}/reset"), format!(r#"{{"expiry":{number}}}"#))
            .await
            .expect(400);
        owner(&jeton, "POST", &format!("{launchdarkly}/reset?expiry={number}"), "").await.expect(400);
        owner(&jeton, "GET", &format!("{TOKENS}?offset={number}"), "")
            .await
            .expect(if number == "9223372036854775808" { 200 } else { 400 });
    }
    // At the edge of what can be said.
    for number in ["9223372036854775807", "-9223372036854775808", "-0"] {
        let [_, launchdarkly] = token(&jeton).await;
        owner(&jeton, "POST", &format!("{launchdarkly}/reset?expiry={number}"), "").await.expect(200);
    }
}

/// JSON leaves open what a name that comes twice means. In a body of fixed shape it is a mistake; where Canvus looks for
/// one member in an object of any shape, the last one counts, as with the vendor's own reader.
#[tokio::test]
async fn names_that_come_twice() {
    let jeton = Jeton::start().await;
    let [_, launchdarkly] = token(&jeton).await;
    for (body, name) in [
        (r#"{"role":"reader","role":"admin"}"#, "role"),
        (r#"{"role":"reader","name":"a","name":"b"}"#, "name"),
        (r#"{"role":"reader","expiry":null,"expiry":null}"#, "expiry"),
    ] {
        let reply = owner(&jeton, "POST", TOKENS, body).await.expect(400);
        assert_eq!(message(&reply), format!("the body: duplicate field `{name}`"));
    }
    let inline =
        r#"{"inlineRole":[{"effect":"deny","effect":"allow","actions":["*"],"resources":["proj/*"]}]}"#;
    let reply = owner(&jeton, "POST", TOKENS, inline).await.expect(400);
    assert_eq!(message(&reply), "/inlineRole/0: duplicate field `effect`");
    let reset = format!("{launchdarkly}/reset");
    owner(&jeton, "POST", &reset, r#"{"expiry":1,"expiry":2}"#).await.expect(400);
    owner(&jeton, "POST", TOKENS, r#"{"role":"reader","unknown":1,"unknown":2}"#).await.expect(201);

    let made = owner(&jeton, "POST", CANVUS, r#"{"description":"a","description":"b"}"#).await.expect(200);
    assert_eq!(made.json()["description"], "b");
    let patch = r#"[{"op":"replace","path":"/role","path":"/name","value":"a","value":"b"}]"#;
    assert_eq!(owner(&jeton, "PATCH", &launchdarkly, patch).await.expect(200).json()["name"], "b");
}

/// What clients put into the wrong place may be a secret: answers, which get into logs, don't repeat it.
#[tokio::test]
async fn answers_repeat_no_secret() {
    let jeton = Jeton::start().await;
    let made = owner(&jeton, "POST", CANVUS, r#"{"description":"x"}"#).await.expect(200);
    let secret = made.string("plain_token");
    let quoted = json!(secret).to_string();
    // The test kit looks at each of these answers; see there.
    for (method, path, body) in [
        ("GET", format!("/{secret}"), String::new()),
        ("GET", format!("/api/v1/{secret}"), String::new()),
        ("GET", format!("/api/v1/users/{secret}/access-tokens"), String::new()),
        ("GET", format!("{CANVUS}/{secret}"), String::new()),
        ("GET", format!("/api/v2/{secret}"), String::new()),
        ("GET", format!("{TOKENS}/{secret}"), String::new()),
        ("GET", format!("{TOKENS}?limit={secret}&offset={secret}"), String::new()),
        ("POST", CANVUS.to_owned(), quoted.clone()),
        ("POST", CANVUS.to_owned(), format!(r#"{{"description":[{quoted}]}}"#)),
        ("POST", CANVUS.to_owned(), format!(r#"{{"description":"x" {quoted}}}"#)),
        ("POST", TOKENS.to_owned(), format!(r#"{{"role":{quoted}}}"#)),
        ("POST", TOKENS.to_owned(), format!(r#"{{"customRoleIds":[{quoted}]}}"#)),
        ("POST", TOKENS.to_owned(), format!(r#"{{"role":"reader","expiry":{quoted}}}"#)),
        (
            "POST",
            TOKENS.to_owned(),
            format!(r#"{{"inlineRole":[{{"effect":"allow","actions":["*"],"resources":[{quoted}]}}]}}"#),
        ),
        ("POST", TOKENS.to_owned(), secret.clone()),
        (
            "PATCH",
            format!("{TOKENS}/{}", made.string("id")),
            format!(r#"[{{"op":{quoted},"path":"/name"}}]"#),
        ),
        (
            "PATCH",
            format!("{TOKENS}/{}", made.string("id")),
            format!(r#"[{{"op":"add","path":"/{secret}","value":1}}]"#),
        ),
        ("POST", format!("{TOKENS}/{}/reset?expiry={secret}", made.string("id")), String::new()),
    ] {
        let reply = owner(&jeton, method, &path, &body).await;
        assert!(reply.status.is_client_error(), "{reply:?}");
        for (name, value) in &reply.headers {
            assert!(!value.to_str().unwrap().contains(&secret), "{name}");
        }
    }
    let headers = [("authorization", jeton.owner.secret.as_str()), ("ld-api-version", secret.as_str())];
    jeton.send("GET", TOKENS, &headers, "").await.expect(400);
    let headers =
        [("authorization", jeton.owner.secret.as_str()), ("x-http-method-override", secret.as_str())];
    jeton.send("POST", TOKENS, &headers, "").await.expect(400);
}

/// Whether it lives, and whether it is ready: for machines that ask every second, without a token.
#[tokio::test]
async fn the_server_tells_how_it_is() {
    let jeton = Jeton::start().await;
    let health = jeton.send("GET", "/healthz", &[], "").await.expect(200);
    assert_eq!(health.json(), json!({ "status": "ok" }));
    assert_eq!(health.header("cache-control"), Some("no-store"));
    let ready = jeton.send("GET", "/readyz", &[("authorization", "nonsense")], "").await.expect(200);
    assert_eq!(ready.json(), json!({ "status": "ready", "revision": 3 }));
    assert_eq!(ready.header("cache-control"), Some("no-store"));
}

/// The machinery breaks: each dialect says so, when to come back, and that nothing was done. Then it works again.
#[tokio::test]
async fn when_the_machinery_breaks() {
    let store = Arc::new(Unreliable::new(Arc::new(Sqlite::in_memory().unwrap())));
    let jeton = Jeton::on(store.clone(), Settings::default(), Limits::default()).await;
    let [canvus, launchdarkly] = token(&jeton).await;
    let before = owner(&jeton, "GET", &launchdarkly, "").await.expect(200).json();
    let length = jeton.log().await.len();
    let rename = r#"[{"op":"replace","path":"/name","value":"x"}]"#;
    let writes = [
        ("POST", CANVUS, r#"{"description":"x"}"#),
        ("PATCH", canvus.as_str(), r#"{"description":"x"}"#),
        ("DELETE", canvus.as_str(), ""),
        ("POST", TOKENS, r#"{"role":"reader"}"#),
        ("PATCH", launchdarkly.as_str(), rename),
        ("POST", &format!("{launchdarkly}/reset"), ""),
        ("DELETE", launchdarkly.as_str(), ""),
    ];
    let reads = [
        ("GET", CANVUS, ""),
        ("GET", canvus.as_str(), ""),
        ("GET", TOKENS, ""),
        ("GET", launchdarkly.as_str(), ""),
    ];
    let full =
        "The disk of the server is full: nothing was changed; try again when its operator has made room";
    let unavailable =
        "The server cannot reach its database: nothing is known to have been changed; try again later";
    let contended = "The record is being changed by others at this moment: read it again and retry";
    let bug = "The server made a mistake: its operator finds it in the log by the request id";

    store.set_full(true);
    fail(&jeton, &writes, 507, full).await;
    store.set_full(false);
    store.set_contended(true);
    fail(&jeton, &writes, 409, contended).await;
    store.set_contended(false);
    store.set_broken(true);
    fail(&jeton, &writes, 503, unavailable).await;
    fail(&jeton, &reads, 503, unavailable).await;
    store.set_broken(false);
    store.set_panicking(true);
    fail(&jeton, &[reads[1], reads[3], writes[1], writes[4]], 500, bug).await;
    store.set_panicking(false);

    assert_eq!(jeton.log().await.len(), length);
    let mut after = owner(&jeton, "GET", &launchdarkly, "").await.expect(200).json();
    after["lastUsed"] = before["lastUsed"].clone();
    assert_eq!(after, before);
    owner(&jeton, "PATCH", &launchdarkly, rename).await.expect(200);
}

async fn fail(jeton: &Jeton, calls: &[(&str, &str, &str)], status: u16, said: &str) {
    for (method, path, body) in calls {
        let reply = owner(jeton, method, path, body).await.expect(status);
        assert_eq!(message(&reply), said, "{method} {path}");
        // What passes by itself says when to come back; a bug does not.
        assert_eq!(reply.header("retry-after"), (status != 500).then_some("1"), "{method} {path}");
        let shape: Value = reply.json();
        assert_eq!(
            shape.as_object().unwrap().len(),
            if path.starts_with("/api/v1") { 1 } else { 3 },
            "{shape}"
        );
    }
}

/// What gateways and services ask most goes past the router, but where answers say their age: there nothing does. Whoever asks
/// sees no difference.
#[tokio::test]
async fn past_the_router_is_as_through_it() {
    let direct = Jeton::start().await;
    let mut cluster = Cluster::with_staleness(Duration::from_mins(1));
    let routed = cluster.join().await.jeton;
    for path in [
        "/verify/x-forwarded",
        "/verify/x-forwarded?on_limit=403",
        "/verify/x-forwarded?on_limit=1",
        "/verify/x-forwarded/",
        "/%76erify/x-forwarded",
        "/verify/x-original",
        "/verify",
        "/verify/",
        "/oauth2/introspect",
        "/oauth2/introspect?token=x",
        "/oauth2//introspect",
        "/OAUTH2/introspect",
        "/ext-authz",
        "/ext-authz/",
        "/ext-authz/a/b?c=d",
        "/ext-authzs/a",
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE"] {
            for body in ["", "token=x", r#"{"secret":"x"}"#] {
                let ask = async |jeton: &Jeton, secret: &str| {
                    let bearer = format!("Bearer {secret}");
                    let kind = "application/x-www-form-urlencoded";
                    let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
                    let reply = jeton.send(method, path, &headers, body).await;
                    // The engine writes the length, where the router does not.
                    let names = reply.headers.keys().filter(|name| *name != "content-length");
                    let names: BTreeSet<_> = names.map(ToString::to_string).collect();
                    (reply.status, names, reply.body.len())
                };
                for owner in [true, false] {
                    let secret =
                        |jeton: &Jeton| if owner { jeton.owner.secret.clone() } else { "x".to_owned() };
                    let (one, other) =
                        (ask(&direct, &secret(&direct)).await, ask(&routed, &secret(&routed)).await);
                    assert_eq!(one, other, "{method} {path} {body}");
                }
            }
        }
    }
}
