//! LaunchDarkly v2 through its outer door: what headers say, in requests and in replies.
//!
//! Versions, rates, scripts of other origins, methods in disguise, content types. Which version has pages is in
//! `launchdarkly_list.rs`, what limits allow in `limits.rs`.

use std::time::Duration;

use jeton_core::limits::Limits;
use jeton_server::Settings;
use jeton_server::http::rate_limit::RateLimit;
use jeton_testkit::{Jeton, Reply};
use serde_json::json;

const TOKENS: &str = "/api/v2/tokens";
const NOW: i64 = 1_767_323_045_678;
const RENAME: &str = r#"[{"op":"replace","path":"/name","value":"renamed"}]"#;

async fn create(jeton: &Jeton) -> (String, String) {
    let body = Some(r#"{"name":"ci","role":"reader"}"#);
    let created = jeton.call(&jeton.owner.secret, "POST", TOKENS, body).await.expect(201);
    (created.string("_id"), created.string("token"))
}

/// Sends a request of the owner's with some more headers.
async fn with(jeton: &Jeton, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut all = vec![("authorization", jeton.owner.secret.as_str())];
    all.extend(headers);
    jeton.send(method, path, &all, body).await
}

/// The header is looked at on every call, and the first one counts where it comes twice, as one client sends it.
#[tokio::test]
async fn versions() {
    let jeton = Jeton::start().await;
    let (id, _) = create(&jeton).await;
    let (single, reset) = (format!("{TOKENS}/{id}"), format!("{TOKENS}/{id}/reset"));
    let calls = [
        ("GET", TOKENS, "", 200),
        ("POST", TOKENS, r#"{"role":"reader"}"#, 201),
        ("GET", &single, "", 200),
        ("PATCH", &single, RENAME, 200),
        ("POST", &reset, "", 200),
        ("GET", "/api/v2/caller-identity", "", 200),
        ("GET", "/api/v2/versions", "", 200),
    ];
    let version = |version| ("LD-API-Version", version);
    for (headers, good) in [
        (vec![version("20160426")], true),
        (vec![version("20191212")], true),
        (vec![version("20210729")], true),
        (vec![version("20220603")], true),
        (vec![version("20240415")], true),
        (vec![version("beta")], true),
        (vec![version(" 20240415 ")], true),
        (vec![version("20240415"), version("20240415")], true),
        (vec![version("20240415"), version("nonsense")], true),
        (vec![version("nonsense"), version("20240415")], false),
        (vec![version("20240416")], false),
        (vec![version("0")], false),
        (vec![version("")], false),
        (vec![version("2024-04-15")], false),
        (vec![version("Beta")], false),
        (vec![version("-20240415")], false),
        (vec![version("99999999999999999999")], false),
        (vec![version("\u{ff}")], false),
    ] {
        for (method, path, body, status) in calls {
            let status = if good { status } else { 400 };
            let reply = with(&jeton, method, path, &headers, body).await.expect(status);
            if !good {
                let message =
                    "LD-API-Version must be one of 20160426, 20191212, 20210729, 20220603, 20240415";
                let expected = json!({ "code": "invalid_request", "message": message, "id": reply.header("x-request-id") });
                assert_eq!(reply.json(), expected, "{headers:?}");
            }
        }
    }
    // A delete is refused too, and then done.
    with(&jeton, "DELETE", &single, &[version("nonsense")], "").await.expect(400);
    with(&jeton, "DELETE", &single, &[version("20160426")], "").await.expect(204);
    // Who is not known is not told about versions.
    jeton.send("GET", TOKENS, &[version("nonsense")], "").await.expect(401);
}

/// What is left of a token's rate, on every answer to that token, errors included; and nothing where there is no limit.
#[tokio::test]
async fn rates_are_told() {
    let limit = RateLimit { requests: 5, window: Duration::from_secs(10) };
    let settings = Settings { token_requests: limit, ..Settings::default() };
    let jeton = Jeton::with(settings, Limits::default()).await;
    let rates = |reply: &Reply| {
        ["limit", "remaining", "reset"].map(|name| {
            reply.header(&format!("x-ratelimit-auth-token-{name}")).map(|text| text.parse::<i64>().unwrap())
        })
    };
    // Each request takes a fifth of the window; the whole is back when all of it is paid.
    for (method, path, body, status, remaining) in [
        ("GET", TOKENS, "", 200, 4),
        ("POST", TOKENS, "{", 400, 3),
        ("GET", "/api/v2/tokens/0123456789abcdef01234567", "", 404, 2),
        ("GET", "/api/v2/versions", "", 200, 1),
        ("POST", TOKENS, r#"{"role":"reader"}"#, 201, 0),
    ] {
        let reply = with(&jeton, method, path, &[], body).await.expect(status);
        let reset = NOW + (5 - remaining) * 2000;
        assert_eq!(rates(&reply), [Some(5), Some(remaining), Some(reset)], "{method} {path}");
        // This one is for those who have nothing left.
        assert_eq!((reply.header("x-ratelimit-reset"), reply.header("retry-after")), (None, None));
    }

    let reply = with(&jeton, "GET", TOKENS, &[("x-request-id", "r1")], "").await.expect(429);
    let message = "Too many requests with this token: wait until X-Ratelimit-Reset";
    assert_eq!(reply.json(), json!({ "code": "rate_limited", "message": message, "id": "r1" }));
    assert_eq!(rates(&reply), [Some(5), Some(0), Some(NOW + 10_000)]);
    // Clients sleep until this instant, in milliseconds, or for these seconds.
    assert_eq!(reply.header("x-ratelimit-reset"), Some("1767323055678"));
    assert_eq!(reply.header("retry-after"), Some("2"));

    // Who is not known has no rate; paths that nobody authenticates for have none either.
    let reply = jeton.send("GET", TOKENS, &[], "").await.expect(401);
    assert_eq!(rates(&reply), [None; 3]);
    for (method, path, status) in
        [("GET", "/api/v2", 200), ("GET", "/api/v2/flags", 404), ("PUT", TOKENS, 405)]
    {
        assert_eq!(rates(&with(&jeton, method, path, &[], "").await.expect(status)), [None; 3]);
    }

    jeton.clock.advance(Duration::from_millis(1999));
    with(&jeton, "GET", TOKENS, &[], "").await.expect(429);
    jeton.clock.advance(Duration::from_millis(1));
    with(&jeton, "GET", TOKENS, &[], "").await.expect(200);

    let unlimited = RateLimit { requests: 0, window: Duration::from_secs(10) };
    let settings = Settings { token_requests: unlimited, ..Settings::default() };
    let jeton = Jeton::with(settings, Limits::default()).await;
    assert_eq!(rates(&with(&jeton, "GET", TOKENS, &[], "").await.expect(200)), [None; 3]);
}

/// A script of any page may read every answer; the credential is a header, so nothing is shared that it has not got.
#[tokio::test]
async fn scripts_of_any_origin_may_read_any_answer() {
    let jeton = Jeton::start().await;
    let (id, _) = create(&jeton).await;
    let single = format!("{TOKENS}/{id}");
    let exposed = "X-Ratelimit-Global-Limit, X-Ratelimit-Global-Remaining, X-Ratelimit-Route-Limit, \
                   X-Ratelimit-Route-Remaining, X-Ratelimit-Reset, X-Ratelimit-Auth-Token-Limit, \
                   X-Ratelimit-Auth-Token-Remaining, X-Ratelimit-Auth-Token-Reset, Retry-After, X-Request-Id";
    let owner = ("authorization", jeton.owner.secret.as_str());
    for (method, path, headers, status) in [
        ("GET", TOKENS, vec![owner], 200),
        ("GET", TOKENS, vec![], 401),
        ("POST", TOKENS, vec![owner], 400),
        ("GET", "/api/v2/tokens/x", vec![owner], 404),
        ("GET", "/api/v2", vec![], 200),
        ("GET", "/api/v2/nowhere", vec![], 404),
        ("PUT", TOKENS, vec![], 405),
        ("HEAD", TOKENS, vec![owner], 200),
        ("DELETE", &single, vec![owner], 204),
    ] {
        for origin in [None, Some("https://app.example"), Some("null")] {
            let mut headers = headers.clone();
            headers.extend(origin.map(|origin| ("origin", origin)));
            let reply = jeton.send(method, path, &headers, "").await;
            assert!(reply.status == status || method == "DELETE", "{reply:?}");
            assert_eq!(reply.header("access-control-allow-origin"), origin.or(Some("*")), "{method} {path}");
            assert_eq!(reply.header("access-control-expose-headers"), Some(exposed));
        }
    }
    // An answer in place of a handler's, too: it doesn't know the origin, so it is for all of them.
    let disguise = [owner, ("x-http-method-override", "TRACE"), ("origin", "https://app.example")];
    let reply = jeton.send("POST", &single, &disguise, "").await.expect(400);
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
}

/// Preflights come without a token.
#[tokio::test]
async fn a_preflight_is_answered_on_every_path() {
    let jeton = Jeton::start().await;
    let asking = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,ld-api-version"),
    ];
    for path in [
        "/api/v2",
        "/api/v2/tokens",
        "/api/v2/tokens/",
        "/api/v2/tokens/0123456789abcdef01234567",
        "/api/v2/tokens/0123456789abcdef01234567/reset",
        "/api/v2/caller-identity",
        "/api/v2/versions",
    ] {
        let reply = jeton.send("OPTIONS", path, &asking, "").await.expect(204);
        let header = |name: &str| reply.header(&format!("access-control-{name}"));
        assert_eq!(header("allow-origin"), Some("https://app.example"), "{path}");
        assert_eq!(header("allow-methods"), Some("OPTIONS, GET, POST, PATCH, DELETE"));
        let headers = "Accept, Content-Type, Content-Length, Accept-Encoding, Authorization, LD-API-Version, \
                       X-HTTP-Method-Override";
        assert_eq!(header("allow-headers"), Some(headers));
        assert_eq!(header("max-age"), Some("300"));
        let reply = jeton.send("OPTIONS", path, &[], "").await.expect(204);
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    }
}

/// PATCH, DELETE and PUT for clients that can only POST.
#[tokio::test]
async fn methods_in_disguise() {
    let jeton = Jeton::start().await;
    let (id, _) = create(&jeton).await;
    let single = format!("{TOKENS}/{id}");
    let disguise = |method| [("x-http-method-override", method)];

    let renamed = with(&jeton, "POST", &single, &disguise("PATCH"), RENAME).await.expect(200);
    assert_eq!(renamed.json()["name"], "renamed");
    let renamed = with(&jeton, "POST", &single, &disguise("patch"), RENAME).await.expect(200);
    assert_eq!(renamed.json()["token"].as_str().map(str::len), Some(4), "as any PATCH");

    // There is no PUT anywhere, disguised or not.
    let refused = with(&jeton, "POST", &single, &disguise("PUT"), RENAME).await.expect(405);
    assert_eq!(refused.header("allow"), Some("OPTIONS,GET,HEAD,PATCH,DELETE"));
    // A POST is a POST.
    with(&jeton, "POST", &single, &disguise("POST"), RENAME).await.expect(405);
    with(&jeton, "POST", TOKENS, &disguise("POST"), r#"{"role":"reader"}"#).await.expect(201);

    // Whoever asks for a GET did not mean to make a token.
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "", "PATCH, DELETE", "x", "\u{ff}"] {
        let headers = [disguise(method)[0], ("x-request-id", "r1")];
        let refused = with(&jeton, "POST", TOKENS, &headers, r#"{"role":"reader"}"#).await.expect(400);
        let message = "X-HTTP-Method-Override must be PATCH, PUT or DELETE";
        assert_eq!(refused.json(), json!({ "code": "invalid_request", "message": message, "id": "r1" }));
    }
    // On anything but a POST it means nothing.
    with(&jeton, "GET", &single, &disguise("DELETE"), "").await.expect(200);
    with(&jeton, "PATCH", &single, &disguise("nonsense"), RENAME).await.expect(200);
    with(&jeton, "POST", &single, &disguise("DELETE"), "{").await.expect(204);
    with(&jeton, "GET", &single, &[], "").await.expect(404);

    // Canvus has no such header: there a POST stays one.
    let path = "/api/v1/users/1000/access-tokens";
    with(&jeton, "POST", path, &disguise("DELETE"), r#"{"description":"x"}"#).await.expect(200);
    with(&jeton, "POST", path, &disguise("nonsense"), r#"{"description":"x"}"#).await.expect(200);
}

/// Bodies are JSON by whatever name; bodies of GET and DELETE are nothing that anybody meant.
#[tokio::test]
async fn content_types_of_requests() {
    let jeton = Jeton::start().await;
    let kind = |kind| ("content-type", kind);
    for kinds in [
        vec![],
        vec![kind("application/json")],
        vec![kind("application/json; charset=utf-8")],
        vec![kind("application/json-patch+json")],
        vec![kind("text/plain")],
        vec![kind("application/json"), kind("application/json")],
    ] {
        let created = with(&jeton, "POST", TOKENS, &kinds, r#"{"role":"reader"}"#).await.expect(201);
        let single = format!("{TOKENS}/{}", created.string("_id"));
        with(&jeton, "PATCH", &single, &kinds, RENAME).await.expect(200);
        // One client sends `null` with everything.
        for body in ["null", "", "{"] {
            with(&jeton, "GET", &single, &kinds, body).await.expect(200);
            with(&jeton, "GET", TOKENS, &kinds, body).await.expect(200);
        }
        with(&jeton, "DELETE", &single, &kinds, "null").await.expect(204);
    }

    // The one type that says that the body means something else.
    let (id, _) = create(&jeton).await;
    let single = format!("{TOKENS}/{id}");
    for semantic in [
        "application/json; domain-model=launchdarkly.semanticpatch",
        "application/json;domain-model=launchdarkly.semanticpatch; charset=utf-8",
        "application/json; Domain-Model=LaunchDarkly.SemanticPatch",
    ] {
        let reply = with(&jeton, "PATCH", &single, &[kind(semantic)], RENAME).await.expect(400);
        let message = "Semantic patch is not supported here: send a JSON Patch array";
        assert_eq!(reply.json()["message"], message, "{semantic}");
    }
    assert_eq!(with(&jeton, "GET", &single, &[], "").await.expect(200).json()["name"], "ci");
}

/// What a token was shown is for nobody else: a cache on the way may not know `Private-Token` for a credential. What is
/// for everybody may be kept.
#[tokio::test]
async fn what_is_for_one_token_is_stored_by_nobody() {
    let jeton = Jeton::start().await;
    let (id, _) = create(&jeton).await;
    let (single, canvus) = (format!("{TOKENS}/{id}"), "/api/v1/users/1000/access-tokens");
    for (method, path, body, cache) in [
        ("POST", TOKENS, r#"{"role":"reader"}"#, Some("no-store")),
        ("GET", TOKENS, "", Some("no-store")),
        ("GET", &single, "", Some("no-store")),
        ("HEAD", &single, "", Some("no-store")),
        ("PATCH", &single, RENAME, Some("no-store")),
        ("POST", &format!("{single}/reset"), "", Some("no-store")),
        ("GET", "/api/v2/tokens/x", "", Some("no-store")),
        ("POST", TOKENS, "{", Some("no-store")),
        ("GET", "/api/v2/caller-identity", "", Some("no-store")),
        ("DELETE", &single, "", Some("no-store")),
        ("POST", canvus, r#"{"description":"x"}"#, Some("no-store")),
        ("GET", canvus, "", Some("no-store")),
        ("GET", "/api/v1/users/me/access-tokens", "", Some("no-store")),
        ("GET", "/api/v2", "", None),
        ("GET", "/api/v1/server-info", "", None),
    ] {
        let reply = with(&jeton, method, path, &[], body).await;
        assert_eq!(reply.header("cache-control"), cache, "{method} {path}");
    }
    for path in [TOKENS, canvus] {
        let reply = jeton.send("GET", path, &[], "").await.expect(401);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
}

/// The secret is taken raw, as the documentation has it, and behind `Bearer`, as its OAuth clients do.
#[tokio::test]
async fn a_token_is_recognised_wherever_clients_put_it() {
    let jeton = Jeton::start().await;
    let (_, reader) = create(&jeton).await;
    let owner = jeton.owner.secret.as_str();
    let (bearer, spaced) = (format!("Bearer {owner}"), format!("  {owner}  "));
    for (headers, status) in [
        (vec![("Authorization", owner)], 200),
        (vec![("authorization", bearer.as_str())], 200),
        (vec![("authorization", spaced.as_str())], 200),
        (vec![("private-token", owner)], 200),
        (vec![("authorization", owner), ("authorization", "nonsense")], 200),
        (vec![("authorization", "nonsense"), ("authorization", owner)], 401),
        (vec![("authorization", owner), ("private-token", "nonsense")], 200),
        (vec![("authorization", "nonsense"), ("private-token", owner)], 401),
        (vec![("authorization", "Bearer")], 401),
        (vec![("authorization", "Token x")], 401),
        (vec![("api_key", owner)], 401),
    ] {
        let reply = jeton.send("GET", "/api/v2/caller-identity", &headers, "").await;
        assert_eq!(reply.status, status, "{headers:?}");
    }
    // Each dialect prefers its own header.
    let both = [("private-token", reader.as_str()), ("authorization", owner)];
    jeton.send("POST", TOKENS, &both, r#"{"role":"reader"}"#).await.expect(201);
    jeton.send("POST", "/api/v1/users/1000/access-tokens", &both, r#"{"description":"x"}"#).await.expect(403);
}
