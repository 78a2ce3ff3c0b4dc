//! Limits through both outer doors: rates, sizes, numbers and instants, each at its edge.

use std::net::IpAddr;
use std::time::Duration;

use jeton_core::limits::Limits;
use jeton_core::timestamp::Timestamp;
use jeton_server::Settings;
use jeton_server::http::listen::Peer;
use jeton_server::http::rate_limit::RateLimit;
use jeton_testkit::{Jeton, Reply, request};
use serde_json::{Value, json};

const CANVUS: &str = "/api/v1/users/1000/access-tokens";
const TOKENS: &str = "/api/v2/tokens";
const NOW: i64 = 1_767_323_045_678;
/// Bytes in a text.
const MOST: usize = 16 * 1024;
const WINDOW: Duration = Duration::from_secs(10);

async fn create(jeton: &Jeton, body: &Value) -> Reply {
    jeton.call(&jeton.owner.secret, "POST", TOKENS, Some(&body.to_string())).await
}

async fn status(jeton: &Jeton, secret: &str, path: &str) -> u16 {
    jeton.call(secret, "GET", path, None).await.status.as_u16()
}

/// Asks from an address.
async fn from(jeton: &Jeton, address: &str, secret: &str, path: &str) -> Reply {
    let peer = address.parse::<IpAddr>().map_or(Peer::Unix, |ip| Peer::Tcp(ip, 50_000));
    let mut request = request("GET", path, &[("authorization", secret)], "");
    request.extensions_mut().insert(peer);
    jeton.exchange(request).await
}

async fn limited(token_requests: u32, failed_authentications: u32) -> Jeton {
    let limit = |requests| RateLimit { requests, window: WINDOW };
    let settings = Settings {
        token_requests: limit(token_requests),
        failed_authentications: limit(failed_authentications),
        ..Settings::default()
    };
    Jeton::with(settings, Limits::default()).await
}

/// Each token for itself, whichever dialect and whichever of its secrets it asks with.
#[tokio::test]
async fn a_token_asks_only_so_often() {
    let jeton = limited(6, 100).await;
    let made = create(&jeton, &json!({ "role": "admin" })).await.expect(201);
    let (path, secret) = (format!("{TOKENS}/{}", made.string("_id")), made.string("token"));
    let other = create(&jeton, &json!({ "role": "admin" })).await.expect(201).string("token");
    let grace = format!("{path}/reset?expiry={}", NOW + 60_000);
    let next = jeton.call(&secret, "POST", &grace, None).await.expect(200).string("token");

    // One taken, five left; what fails is taken too.
    for (secret, path, expected) in [
        (&secret, TOKENS, 200),
        (&next, CANVUS, 200),
        (&secret, "/api/v1/users/me/access-tokens", 400),
        (&next, "/api/v2/tokens/x", 404),
        (&secret, "/api/v2/versions", 200),
    ] {
        assert_eq!(status(&jeton, secret, path).await, expected, "{path}");
    }
    for secret in [&secret, &next] {
        let reply = jeton.call(secret, "GET", CANVUS, None).await.expect(429);
        assert_eq!(reply.text(), r#"{"msg":"Too many requests with this token: wait a moment"}"#);
        assert_eq!(reply.header("retry-after"), Some("2"));
        assert_eq!(reply.header("x-ratelimit-reset"), None, "the other dialect's");
        let reply = jeton.call(secret, "GET", TOKENS, None).await.expect(429);
        assert_eq!(reply.header("retry-after"), Some("2"));
        assert_eq!(reply.header("x-ratelimit-reset"), Some((NOW + 10_000).to_string().as_str()));
    }
    // Nothing was done for one who asks too often.
    let reply = jeton.call(&next, "POST", CANVUS, Some(r#"{"description":"x"}"#)).await;
    assert_eq!(reply.status, 429);
    assert_eq!(jeton.call(&next, "DELETE", &path, None).await.status, 429);
    // Others don't notice, and what needs no token is for everybody.
    assert_eq!(status(&jeton, &other, TOKENS).await, 200);
    assert_eq!(status(&jeton, &secret, "/api/v1/server-info").await, 200);
    assert_eq!(status(&jeton, &secret, "/api/v2").await, 200);
    assert_eq!(status(&jeton, &secret, "/healthz").await, 200);

    // A sixth of the window for each request; a whole window for all.
    jeton.clock.advance(Duration::from_millis(1667));
    assert_eq!(status(&jeton, &secret, TOKENS).await, 200);
    assert_eq!(status(&jeton, &secret, TOKENS).await, 429);
    jeton.clock.advance(WINDOW);
    for _ in 0..6 {
        assert_eq!(status(&jeton, &secret, TOKENS).await, 200);
    }
    assert_eq!(status(&jeton, &secret, TOKENS).await, 429);
}

/// An address that fails too often is told so when it fails again. A good secret from the same address always passes:
/// whoever shares it with an attacker is not shut out, and to a bad secret both answers say no.
#[tokio::test]
async fn an_address_fails_only_so_often_and_good_secrets_pass() {
    let jeton = limited(1000, 3).await;
    let owner = jeton.owner.secret.as_str();
    let here = "192.0.2.1";
    // With a bad secret, with none, in any dialect: it is all failing.
    assert_eq!(from(&jeton, here, "bad", TOKENS).await.status, 401);
    assert_eq!(from(&jeton, here, "", CANVUS).await.status, 401);
    for _ in 0..10 {
        assert_eq!(from(&jeton, here, owner, TOKENS).await.status, 200, "a good one takes nothing");
    }
    assert_eq!(from(&jeton, here, "bad", TOKENS).await.status, 401);

    for _ in 0..2 {
        let reply = from(&jeton, here, "bad", TOKENS).await.expect(429);
        assert_eq!(
            reply.json()["message"],
            "Too many failed attempts from this address: check the token and wait"
        );
        assert_eq!(reply.header("retry-after"), Some("4"));
        assert_eq!(reply.header("x-ratelimit-reset"), Some((NOW + 10_000).to_string().as_str()));
        assert_eq!(reply.header("x-ratelimit-auth-token-limit"), None, "there is no token");
        assert_eq!(reply.header("www-authenticate"), None);
        let reply = from(&jeton, here, "bad", CANVUS).await.expect(429);
        let msg = r#"{"msg":"Too many failed attempts: check the token or the password, and wait"}"#;
        assert_eq!((reply.text(), reply.header("retry-after")), (msg, Some("4")));
        assert_eq!(from(&jeton, here, "", TOKENS).await.status, 429);
        for path in [TOKENS, CANVUS] {
            assert_eq!(from(&jeton, here, owner, path).await.status, 200, "good secrets pass");
        }
    }
    assert_eq!(from(&jeton, "192.0.2.2", "bad", TOKENS).await.status, 401, "from elsewhere");
    // What needs no token fails nobody.
    assert_eq!(from(&jeton, here, "bad", "/api/v2").await.status, 200);
    assert_eq!(from(&jeton, here, "bad", "/api/v1/server-info").await.status, 200);
    assert_eq!(from(&jeton, here, "bad", "/api/v2/nowhere").await.status, 404);

    jeton.clock.advance(Duration::from_millis(3333));
    assert_eq!(from(&jeton, here, "bad", TOKENS).await.status, 429, "a third of a window is not over");
    jeton.clock.advance(Duration::from_millis(1));
    assert_eq!(from(&jeton, here, "bad", TOKENS).await.status, 401);
    assert_eq!(from(&jeton, here, "bad", TOKENS).await.status, 429);
}

/// A flood through a proxy whose word is taken is told to wait, and the good clients behind the same proxy never notice: not
/// at the gateway's surface, where the flooder's own address is what is counted, and not at either dialect or where services
/// ask, where the proxy's is.
#[tokio::test]
async fn a_flood_behind_a_proxy_touches_no_good_client_behind_it() {
    let jeton = limited(100_000, 3).await;
    let owner = jeton.owner.secret.as_str();
    let ask = async |secret: &str, client: &str, path: &str| {
        let headers = [("authorization", secret), ("x-forwarded-for", client)];
        jeton.send("GET", path, &headers, "").await.status.as_u16()
    };
    let (flooder, good) = ("198.51.100.1", ["192.0.2.1", "192.0.2.2", "198.51.100.1"]);
    for path in ["/verify/x-forwarded", TOKENS, CANVUS] {
        let mut flooded = Vec::new();
        for at in 0..200 {
            flooded.push(ask(&format!("bad-{at}"), flooder, path).await);
            for client in good {
                assert_eq!(ask(owner, client, path).await, 200, "{path}, {client}");
            }
        }
        let limited = flooded.iter().position(|status| *status == 429).unwrap();
        assert!(
            limited <= 3 && flooded[limited..].iter().all(|status| *status == 429),
            "{path}: {flooded:?}"
        );
    }
    assert_eq!(
        ask("bad", "192.0.2.1", "/verify/x-forwarded").await,
        401,
        "one slip of a neighbour is one slip"
    );
    let (headers, form) = ([("authorization", owner)], format!("token={owner}"));
    let headers = [headers[0], ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(jeton.send("POST", "/oauth2/introspect", &headers, form).await.status, 200);
}

/// Nobody has to say who they are to revoke a secret, so nobody may try out many; one that is good is always revoked.
#[tokio::test]
async fn a_stranger_revokes_only_so_many_wrong_secrets_and_every_good_one() {
    let jeton = limited(1000, 3).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let service =
        create(&jeton, &json!({ "role": "reader", "serviceToken": true })).await.expect(201).string("token");
    let secret = create(&jeton, &json!({ "role": "reader" })).await.expect(201).string("token");
    let revoke =
        async |secret: &str| jeton.send("POST", "/oauth2/revoke", &[form], format!("token={secret}")).await;
    for _ in 0..3 {
        assert_eq!(revoke("nonsense").await.status, 200);
    }
    let reply = revoke("nonsense").await;
    assert_eq!((reply.status, reply.header("retry-after")), (429.try_into().unwrap(), Some("4")));
    assert_eq!(status(&jeton, &secret, TOKENS).await, 200);
    assert_eq!(revoke(&secret).await.status, 200);
    assert_eq!(jeton.call(&secret, "GET", TOKENS, None).await.status, 429, "it is a wrong one now");
    // Who says who they are is known by that.
    let headers = [form, ("authorization", &format!("Bearer {service}"))];
    assert_eq!(jeton.send("POST", "/oauth2/revoke", &headers, "token=nonsense").await.status, 200);
}

/// An address is what one customer has: a /64 of IPv6, an IPv4 address however it is written, this machine.
#[tokio::test]
async fn an_address_is_what_one_customer_has() {
    for (one, other, same) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("192.0.2.1", "192.0.2.3", false),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
        ("a unix socket", "a unix socket", true),
        ("a unix socket", "127.0.0.1", true),
        ("a unix socket", "127.0.0.2", false),
    ] {
        let jeton = limited(1000, 1).await;
        assert_eq!(from(&jeton, one, "bad", TOKENS).await.status, 401);
        let expected = if same { 429 } else { 401 };
        assert_eq!(from(&jeton, other, "bad", TOKENS).await.status, expected, "{one} and {other}");
    }
}

#[tokio::test]
async fn zero_is_no_limit() {
    let jeton = limited(0, 0).await;
    for _ in 0..200 {
        assert_eq!(status(&jeton, "bad", TOKENS).await, 401);
        let reply = jeton.call(&jeton.owner.secret, "GET", TOKENS, None).await.expect(200);
        assert_eq!(reply.header("x-ratelimit-auth-token-limit"), None);
    }
}

/// The account is full: nothing more is made, in either dialect, until something goes.
#[tokio::test]
async fn an_account_holds_only_so_many_tokens() {
    let jeton = Jeton::with(Settings::default(), Limits { tokens: 3, ..Limits::default() }).await;
    let last = create(&jeton, &json!({ "role": "reader" })).await.expect(201).string("_id");
    create(&jeton, &json!({ "role": "reader", "serviceToken": true })).await.expect(201);
    let told = "The access token limit of 3 was reached: delete tokens that nobody needs";
    let refused = create(&jeton, &json!({ "role": "reader" })).await.expect(400).json();
    assert_eq!((&refused["code"], &refused["message"]), (&json!("invalid_request"), &json!(told)));
    let described = Some(r#"{"description":"x"}"#);
    let refused = jeton.call(&jeton.owner.secret, "POST", CANVUS, described).await.expect(400);
    assert_eq!(refused.json(), json!({ "msg": told }));
    // What is there can be changed and reset all the same.
    let path = format!("{TOKENS}/{last}");
    let rename = Some(r#"[{"op":"replace","path":"/name","value":"x"}]"#);
    jeton.call(&jeton.owner.secret, "PATCH", &path, rename).await.expect(200);
    jeton.call(&jeton.owner.secret, "POST", &format!("{path}/reset"), None).await.expect(200);
    jeton.call(&jeton.owner.secret, "DELETE", &path, None).await.expect(204);
    jeton.call(&jeton.owner.secret, "POST", CANVUS, described).await.expect(200);
}

/// In bytes, to the last one.
#[tokio::test]
async fn a_text_is_only_so_long() {
    let jeton = Jeton::start().await;
    let made = create(&jeton, &json!({ "role": "reader" })).await.expect(201).string("_id");
    let (canvus, launchdarkly) = (format!("{CANVUS}/{made}"), format!("{TOKENS}/{made}"));
    for (text, fits) in [
        ("x".repeat(MOST), true),
        ("x".repeat(MOST + 1), false),
        ("ü".repeat(MOST / 2), true),
        ("ü".repeat(MOST / 2) + "x", false),
        // Six times as long on the wire, and no longer.
        ("\u{1}".repeat(MOST), true),
    ] {
        let patch = |member: &str| {
            json!([{ "op": "replace", "path": format!("/{member}"), "value": text }]).to_string()
        };
        let described = json!({ "description": text }).to_string();
        for (method, path, body, field) in [
            ("POST", CANVUS, described.clone(), "name"),
            ("PATCH", &canvus, described.clone(), "name"),
            ("POST", TOKENS, json!({ "role": "reader", "name": text }).to_string(), "name"),
            ("POST", TOKENS, json!({ "role": "reader", "description": text }).to_string(), "description"),
            ("PATCH", &launchdarkly, patch("name"), "name"),
            ("PATCH", &launchdarkly, patch("description"), "description"),
        ] {
            let reply = jeton.call(&jeton.owner.secret, method, path, Some(&body)).await;
            assert_eq!(reply.status.is_success(), fits, "{method} {path} {field}");
            if !fits {
                let reply = reply.expect(400).json();
                let told = reply.get("msg").or(reply.get("message")).unwrap();
                assert_eq!(told, &json!(format!("The {field} is longer than {MOST} bytes: shorten it")));
            }
        }
    }
}

/// Roles on a token; statements, items and bytes in a policy.
#[tokio::test]
async fn a_scope_is_only_so_large() {
    let jeton = Jeton::start().await;
    let statement = json!({ "effect": "allow", "actions": ["*"], "resources": ["proj/*"] });
    let with = |name: &str, items: Vec<String>| {
        let mut statement = statement.clone();
        statement[name] = json!(items);
        json!({ "inlineRole": [statement] })
    };
    let many = |count: usize, text: &str| vec![text.to_owned(); count];
    let specifier = |length: usize| format!("proj/{}", "x".repeat(length - 5));

    for (body, message) in [
        (json!({ "customRoleIds": many(101, "x") }), Some("A token holds at most 100 custom roles")),
        (json!({ "inlineRole": vec![statement.clone(); 256] }), None),
        (
            json!({ "inlineRole": vec![statement.clone(); 257] }),
            Some("A policy can have at most 256 statements. (at /inlineRole)"),
        ),
        (with("actions", many(256, "a")), None),
        (
            with("actions", many(257, "a")),
            Some("A list in a statement can have at most 256 items. (at /inlineRole/0/actions)"),
        ),
        (
            with("resources", many(257, "proj/*")),
            Some("A list in a statement can have at most 256 items. (at /inlineRole/0/resources)"),
        ),
        (with("actions", many(1, &"a".repeat(256))), None),
        (
            with("actions", many(1, &"a".repeat(257))),
            Some("An action can have at most 256 bytes. (at /inlineRole/0/actions/0)"),
        ),
        (with("resources", vec![specifier(1024)]), None),
        (
            with("resources", vec![specifier(1025)]),
            Some("A resource specifier can have at most 1024 bytes. (at /inlineRole/0/resources/0)"),
        ),
        (
            with("resources", vec![specifier(1024); 65]),
            Some(
                "The actions and resources of a policy can have at most 65536 bytes together. (at /inlineRole)",
            ),
        ),
    ] {
        let reply = create(&jeton, &body).await;
        match message {
            None => drop(reply.expect(201)),
            Some(message) => assert_eq!(reply.expect(400).json()["message"], message),
        }
    }
}

/// Operations are counted, places have a floor, and what copies make of a token has a size: nothing that fits into a body
/// costs more than a body is worth.
#[tokio::test]
async fn a_patch_is_only_so_large() {
    let jeton = Jeton::start().await;
    let inline = json!({ "inlineRole": [{ "effect": "allow", "actions": ["*"], "resources": ["proj/*"] }] });
    let path = format!("{TOKENS}/{}", create(&jeton, &inline).await.expect(201).string("_id"));
    let before = jeton.call(&jeton.owner.secret, "GET", &path, None).await.expect(200).json();
    let patch = async |operations: Value| {
        jeton.call(&jeton.owner.secret, "PATCH", &path, Some(&operations.to_string())).await
    };
    let rename = json!({ "op": "replace", "path": "/name", "value": "x" });
    let copy = |from: &str, path: &str| json!({ "op": "copy", "from": from, "path": path });
    let add = |path: &str, value: Value| json!({ "op": "add", "path": path, "value": value });
    let deep = (0..120).fold(json!([]), |value, _| json!([value]));

    let reply = patch(json!(vec![rename.clone(); 101])).await.expect(400);
    assert_eq!(reply.json()["message"], "A patch has at most 100 operations");
    // Bombs: a list that doubles, a list that is put into itself, a text that is put into lists that double.
    for (operations, said) in [
        (vec![copy("/inlineRole", "/inlineRole/-"); 100], "the patch makes the record too large (at /14)"),
        (
            vec![copy("/inlineRole", "/inlineRole/0/actions/0"); 100],
            "the patch makes the record too large (at /14)",
        ),
        (
            [
                vec![add("/customRoleIds", json!(["x".repeat(100_000)]))],
                vec![copy("/customRoleIds", "/customRoleIds/-"); 99],
            ]
            .concat(),
            "the patch makes the record too large (at /4)",
        ),
        // Small in the end, and dear all the same.
        (
            [
                vec![add("/customRoleIds", json!(["x".repeat(100_000)]))],
                vec![copy("/customRoleIds/0", "/name"); 99],
            ]
            .concat(),
            "the patch makes the record too large (at /11)",
        ),
    ] {
        let reply = patch(json!(operations)).await.expect(400);
        assert_eq!(reply.json()["message"], said);
    }
    // Deeper and deeper: in one step, by a place without a bottom, and a little at a time.
    let bottomless = format!("/inlineRole{}", "/0".repeat(50_000));
    for operation in [
        add(&bottomless, json!(1)),
        copy("/inlineRole", &bottomless),
        copy(&bottomless, "/inlineRole"),
        json!({ "op": "move", "from": "/inlineRole", "path": bottomless }),
        json!({ "op": "test", "path": bottomless, "value": 1 }),
        json!({ "op": "remove", "path": bottomless }),
    ] {
        let reply = patch(json!([operation])).await.expect(422);
        let said = "operation 0 of the patch cannot be applied: there is no place so deep";
        assert_eq!(reply.json()["message"], said);
    }
    // A list that is copied into its own deepest place, again and again: each time it is twice as deep.
    let mut doubling = vec![add("/inlineRole", json!([[]]))];
    for depth in (0..14).map(|times| 1_usize << times) {
        doubling.push(copy("/inlineRole", &format!("/inlineRole{}/-", "/0".repeat(depth))));
    }
    patch(json!(doubling)).await.expect(422);
    let mut nesting = vec![add("/inlineRole", json!([[[[deep]]]]))];
    for _ in 0..33 {
        nesting.push(json!({ "op": "move", "from": "/inlineRole", "path": "/customRoleIds" }));
        nesting.push(add("/inlineRole", json!([[[[]]]])));
        nesting.push(json!({ "op": "move", "from": "/customRoleIds", "path": "/inlineRole/0/0/0" }));
    }
    patch(json!(nesting)).await.expect(400);

    assert_eq!(jeton.call(&jeton.owner.secret, "GET", &path, None).await.expect(200).json(), before);
    patch(json!(vec![rename; 100])).await.expect(200);
}

/// At its end a token has ended; so has a grace. A millisecond before, neither has.
#[tokio::test]
async fn an_end_is_an_end_at_that_instant() {
    let jeton = Jeton::start().await;
    let end = NOW + 1000;
    let made = create(&jeton, &json!({ "role": "reader", "expiry": end })).await.expect(201);
    let (ends, path) = (made.string("token"), format!("{TOKENS}/{}", made.string("_id")));
    let made = create(&jeton, &json!({ "role": "reader" })).await.expect(201);
    let (old, reset) = (made.string("token"), format!("{TOKENS}/{}/reset?expiry={end}", made.string("_id")));
    let new = jeton.call(&jeton.owner.secret, "POST", &reset, None).await.expect(200).string("token");

    for (advance, alive) in [(0, true), (999, true), (1, false), (1, false), (86_400_000, false)] {
        jeton.clock.advance(Duration::from_millis(advance));
        let expected = if alive { 200 } else { 401 };
        for secret in [&ends, &old] {
            for path in [TOKENS, CANVUS, "/api/v2/caller-identity"] {
                assert_eq!(status(&jeton, secret, path).await, expected);
            }
        }
        assert_eq!(status(&jeton, &new, TOKENS).await, 200);
    }
    // It has ended, and is there all the same, to be seen and deleted.
    let shown = jeton.call(&jeton.owner.secret, "GET", &path, None).await.expect(200).json();
    assert_eq!(shown["expiry"], end);
    jeton.call(&jeton.owner.secret, "DELETE", &path, None).await.expect(204);
}

/// An operator's correction: everything goes on by the corrected clock. Rates are not given away for it, but cost a
/// window at the most and not the whole step.
#[tokio::test]
async fn a_clock_that_is_set_back() {
    let jeton = limited(4, 4).await;
    let made = create(&jeton, &json!({ "role": "admin", "expiry": NOW + 500 })).await.expect(201);
    let (secret, path) = (made.string("token"), format!("{TOKENS}/{}", made.string("_id")));
    assert_eq!(status(&jeton, "bad", TOKENS).await, 401);
    jeton.clock.set(Timestamp::from_millis(NOW - 3_600_000));

    // The ends of tokens are instants, and this one has not come.
    assert_eq!(status(&jeton, &secret, TOKENS).await, 200);
    // Who had asked before the step waits, by the new clock: a share of the window for one request, a window for all.
    assert_eq!(status(&jeton, &jeton.owner.secret, TOKENS).await, 429);
    assert_eq!(status(&jeton, "bad", TOKENS).await, 429);
    jeton.clock.advance(Duration::from_millis(2500));
    assert_eq!(status(&jeton, &jeton.owner.secret, TOKENS).await, 200);
    assert_eq!(status(&jeton, "bad", TOKENS).await, 401);
    jeton.clock.advance(WINDOW);

    // What is written now is of now, and the log goes on.
    let rename = Some(r#"[{"op":"replace","path":"/name","value":"x"}]"#);
    let renamed = jeton.call(&jeton.owner.secret, "PATCH", &path, rename).await.expect(200).json();
    assert_eq!(renamed["lastModified"], NOW - 3_600_000 + 12_500);
    assert_eq!(renamed["creationDate"], NOW);
    // When a token was last used never goes back.
    assert_eq!(renamed["lastUsed"], NOW - 3_600_000);
    let next = create(&jeton, &json!({ "role": "reader" })).await.expect(201);
    assert_eq!(next.json()["creationDate"], NOW - 3_600_000 + 12_500);
    assert_eq!(status(&jeton, &next.string("token"), TOKENS).await, 200);
    jeton.clock.set(Timestamp::from_millis(NOW + 500));
    assert_eq!(status(&jeton, &secret, TOKENS).await, 401);
}
