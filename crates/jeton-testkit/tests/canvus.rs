//! Canvus v1 through its outer door: every call, every error, the order of checks, and what real clients of it send.
//!
//! What is the same in both dialects (unknown routes, odd bodies, headers) is in `manners.rs`; who may do what is in
//! `authorization.rs`.

use std::time::Duration;

use jeton_core::member::Standing;
use jeton_core::role::BaseRole;
use jeton_testkit::{Jeton, Reply};
use serde_json::{Value, json};

const TOKENS: &str = "/api/v1/users/1000/access-tokens";
const NOBODY: &str = "0123456789abcdef01234567";

/// Asks as a client of Canvus does.
async fn ask(jeton: &Jeton, secret: &str, method: &str, path: &str, body: &str) -> Reply {
    jeton.send(method, path, &[("private-token", secret)], body).await
}

/// Makes a token of the owner's and gives back its id and its secret.
async fn make(jeton: &Jeton, description: &str) -> (String, String) {
    let body = json!({ "description": description }).to_string();
    let made = ask(jeton, &jeton.owner.secret, "POST", TOKENS, &body).await.expect(200);
    (made.string("id"), made.string("plain_token"))
}

#[tokio::test]
async fn a_token_lives_its_whole_life() {
    let jeton = Jeton::start().await;
    let owner = &jeton.owner.secret;

    let created = ask(&jeton, owner, "POST", TOKENS, r#"{"description":"Second token"}"#).await.expect(200);
    assert_eq!(created.header("content-type"), Some("application/json"));
    assert_eq!(created.header("cache-control"), Some("no-store"));
    let (id, secret) = (created.string("id"), created.string("plain_token"));
    // Members in alphabetical order, on one line, an instant with milliseconds and without a zone.
    assert_eq!(
        created.text(),
        format!(
            r#"{{"created_at":"2026-01-02T03:04:05.678","description":"Second token","id":"{id}","plain_token":"{secret}"}}"#
        )
    );

    // The new secret works at once.
    let single = format!("{TOKENS}/{id}");
    let shown = json!({ "created_at": "2026-01-02T03:04:05.678", "description": "Second token", "id": id });
    assert_eq!(ask(&jeton, &secret, "GET", &single, "").await.expect(200).json(), shown);

    jeton.clock.advance(Duration::from_secs(1));
    let renamed = ask(&jeton, owner, "PATCH", &single, r#"{"description":"Renamed"}"#).await.expect(200);
    let shown = json!({ "created_at": "2026-01-02T03:04:05.678", "description": "Renamed", "id": id });
    assert_eq!(renamed.json(), shown, "the instant and the id stay, and there is no secret");
    assert_eq!(ask(&jeton, owner, "GET", &single, "").await.expect(200).json(), shown);

    // Neither a body nor a type: a client that sees a JSON type parses, and nothing is no JSON.
    let gone = ask(&jeton, owner, "DELETE", &single, "").await.expect(200);
    assert_eq!((gone.header("content-type"), gone.body.len()), (None, 0));

    ask(&jeton, &secret, "GET", &single, "").await.expect(401);
    for method in ["GET", "DELETE"] {
        let nothing = ask(&jeton, owner, method, &single, "").await.expect(404);
        assert_eq!(nothing.text(), r#"{"msg":"There is no such access token"}"#);
    }
    let nothing = ask(&jeton, owner, "PATCH", &single, r#"{"description":"x"}"#).await.expect(404);
    assert_eq!(nothing.text(), r#"{"msg":"There is no such access token"}"#);
}

#[tokio::test]
async fn the_list_holds_the_users_tokens_in_the_order_of_their_making() {
    let jeton = Jeton::start().await;
    let user = jeton.add_member(1001, BaseRole::Writer).await;
    let mut expected = ask(&jeton, &jeton.owner.secret, "GET", TOKENS, "").await.expect(200).json();
    assert_eq!(expected.as_array().map(Vec::len), Some(1), "the owner's first token");
    for name in ["c", "a", "b"] {
        let (id, _) = make(&jeton, name).await;
        let token = json!({ "created_at": "2026-01-02T03:04:05.678", "description": name, "id": id });
        expected.as_array_mut().unwrap().push(token);
    }
    assert_eq!(ask(&jeton, &jeton.owner.secret, "GET", TOKENS, "").await.expect(200).json(), expected);

    // Without any, the list is empty, and not a 404.
    let theirs = "/api/v1/users/1001/access-tokens";
    let first = ask(&jeton, &user.secret, "GET", theirs, "").await.expect(200).json()[0]["id"].clone();
    let first = format!("{theirs}/{}", first.as_str().unwrap());
    ask(&jeton, &jeton.owner.secret, "DELETE", &first, "").await.expect(200);
    assert_eq!(ask(&jeton, &jeton.owner.secret, "GET", theirs, "").await.expect(200).text(), "[]");
}

/// Who turns to whom, and what each is answered: for a call, all four combinations of asker and user.
#[tokio::test]
async fn users_manage_their_own_and_administrators_everybodys() {
    let jeton = Jeton::start().await;
    let user = jeton.add_member(1001, BaseRole::Writer).await;
    let other = jeton.add_member(1002, BaseRole::Reader).await;
    let admin = jeton.add_member(1003, BaseRole::Admin).await;
    let body = r#"{"description":"x"}"#;

    for (asker, number, status) in [
        (&user, 1001, 200),
        (&other, 1002, 200),
        (&admin, 1003, 200),
        (&jeton.owner, 1001, 200),
        (&admin, 1001, 200),
        (&admin, 1000, 200),
        (&user, 1002, 403),
        (&user, 1000, 403),
        (&other, 1003, 403),
    ] {
        let tokens = format!("/api/v1/users/{number}/access-tokens");
        let made = ask(&jeton, &jeton.owner.secret, "POST", &tokens, body).await.expect(200).string("id");
        let single = format!("{tokens}/{made}");
        for (method, path) in
            [("GET", &tokens), ("POST", &tokens), ("GET", &single), ("PATCH", &single), ("DELETE", &single)]
        {
            let reply = ask(&jeton, &asker.secret, method, path, body).await.expect(status);
            if status == 403 {
                assert_eq!(reply.text(), r#"{"msg":"Permission denied"}"#, "{method} {path}");
            }
        }
    }

    // Under another user's path a token is none.
    let (mine, _) = make(&jeton, "mine").await;
    let elsewhere = format!("/api/v1/users/1001/access-tokens/{mine}");
    for method in ["GET", "PATCH", "DELETE"] {
        ask(&jeton, &admin.secret, method, &elsewhere, body).await.expect(404);
    }
}

/// 401, then 400 for the user id, then 403, then 404, then 400 for the body: each request has all the later mistakes too.
///
/// A body that was not taken at all (413, or 408) comes before everything but 401: nothing is decided about half a request.
#[tokio::test]
async fn the_order_of_checks() {
    let jeton = Jeton::start().await;
    let user = jeton.add_member(1001, BaseRole::Writer).await;
    let admin = jeton.add_member(1002, BaseRole::Admin).await;
    let (mine, _) = make(&jeton, "mine").await;
    let bad_body = "{";

    for (asker, user, token, status, msg) in [
        ("nobody", "me", NOBODY, 401, "Invalid token"),
        (user.secret.as_str(), "me", NOBODY, 400, "User ID me is not an integer"),
        (user.secret.as_str(), "1000", NOBODY, 403, "Permission denied"),
        (user.secret.as_str(), "1000", mine.as_str(), 403, "Permission denied"),
        // Whether user 4242 exists is nothing that 1001 learns.
        (user.secret.as_str(), "4242", NOBODY, 403, "Permission denied"),
        (user.secret.as_str(), "1001", mine.as_str(), 404, "There is no such access token"),
        (admin.secret.as_str(), "4242", NOBODY, 404, "There is no such user"),
        (admin.secret.as_str(), "1000", NOBODY, 404, "There is no such access token"),
        (admin.secret.as_str(), "1000", "not-an-id", 404, "There is no such access token"),
        (
            admin.secret.as_str(),
            "1000",
            mine.as_str(),
            400,
            "the body is not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
    ] {
        let path = format!("/api/v1/users/{user}/access-tokens/{token}");
        let reply = ask(&jeton, asker, "PATCH", &path, bad_body).await.expect(status);
        assert_eq!(reply.json()["msg"], msg, "{path}");
        // The list and the create have no token to miss; the rest is the same.
        if msg != "There is no such access token" {
            let path = format!("/api/v1/users/{user}/access-tokens");
            let reply = ask(&jeton, asker, "POST", &path, bad_body).await.expect(status);
            assert_eq!(reply.json()["msg"], msg, "{path}");
        }
    }

    // A narrow token is refused before its body is looked at.
    let narrow =
        jeton.call(&jeton.owner.secret, "POST", "/api/v2/tokens", Some(r#"{"role":"reader"}"#)).await;
    let narrow = narrow.expect(201).string("token");
    let reply = ask(&jeton, &narrow, "PATCH", &format!("{TOKENS}/{mine}"), bad_body).await.expect(403);
    assert_eq!(reply.text(), r#"{"msg":"Permission denied"}"#);
    // What it may create depends on what that is to be, so there the body comes first. The vendor knows no narrow tokens.
    ask(&jeton, &narrow, "POST", TOKENS, bad_body).await.expect(400);
    ask(&jeton, &narrow, "POST", TOKENS, r#"{"description":"x"}"#).await.expect(403);
}

#[tokio::test]
async fn a_user_id_is_an_integer_and_is_told_as_it_was_given() {
    let jeton = Jeton::start().await;
    for (given, status, msg) in [
        ("me", 400, "User ID me is not an integer"),
        ("current", 400, "User ID current is not an integer"),
        ("", 400, "User ID  is not an integer"),
        ("1000.0", 400, "User ID 1000.0 is not an integer"),
        ("1e3", 400, "User ID 1e3 is not an integer"),
        ("0x3e8", 400, "User ID 0x3e8 is not an integer"),
        ("%C3%BC%22", 400, "User ID ü\" is not an integer"),
        ("%FF", 400, "User ID \u{fffd} is not an integer"),
        ("99999999999999999999", 400, "User ID 99999999999999999999 is not an integer"),
        ("-1", 404, "There is no such user"),
        ("0", 404, "There is no such user"),
        ("4294967296", 404, "There is no such user"),
        ("4294968296", 404, "There is no such user"),
    ] {
        let path = format!("/api/v1/users/{given}/access-tokens");
        let reply = ask(&jeton, &jeton.owner.secret, "GET", &path, "").await.expect(status);
        assert_eq!(reply.json(), json!({ "msg": msg }));
    }
    // Encoded, or with a leading zero, it is still the number.
    for given in ["%31000", "01000"] {
        ask(&jeton, &jeton.owner.secret, "GET", &format!("/api/v1/users/{given}/access-tokens"), "")
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn a_description_is_needed_to_create_and_to_change() {
    let jeton = Jeton::start().await;
    let (id, _) = make(&jeton, "before").await;
    let single = format!("{TOKENS}/{id}");
    let missing = "description parameter is missing";
    for (body, msg) in [
        ("", missing),
        (" \r\n", missing),
        ("{}", missing),
        (r#"{"description":null}"#, missing),
        // The vendor's server is written in a language where a missing text and an empty one are the same.
        (r#"{"description":""}"#, missing),
        // Some clients of machine-made documentation send this alone. The documented contract has no `name`.
        (r#"{"name":"ci"}"#, missing),
        (r#"{"Description":"ci"}"#, missing),
        (r#"{"description":5}"#, "description parameter must be a string"),
        (r#"{"description":["ci"]}"#, "description parameter must be a string"),
        (r#"["description"]"#, "the body: invalid type: array, expected an object"),
        (r#""description""#, "the body: invalid type: string, expected an object"),
        ("null", "the body: invalid type: null, expected an object"),
        ("description=ci", "the body is not valid JSON: expected value at line 1 column 1"),
        (
            r#"{"description":"ci""#,
            "the body is not valid JSON: EOF while parsing an object at line 1 column 19",
        ),
        (r#"{"description":"ci"}}"#, "the body is not valid JSON: trailing characters at line 1 column 21"),
    ] {
        for (method, path) in [("POST", TOKENS), ("PATCH", &single)] {
            let reply = ask(&jeton, &jeton.owner.secret, method, path, body).await.expect(400);
            assert_eq!(reply.json(), json!({ "msg": msg }), "{method} {body}");
        }
    }
    assert_eq!(ask(&jeton, &jeton.owner.secret, "GET", &single, "").await.json()["description"], "before");
    let list = ask(&jeton, &jeton.owner.secret, "GET", TOKENS, "").await.json();
    assert_eq!(list.as_array().map(Vec::len), Some(2), "nothing was made");
}

/// curl's `-d` calls it a form, other clients call it nothing at all, and one calls it JSON twice.
#[tokio::test]
async fn a_body_is_json_whatever_it_is_called() {
    let jeton = Jeton::start().await;
    let owner = ("private-token", jeton.owner.secret.as_str());
    let kind = |kind| ("content-type", kind);
    for kinds in [
        vec![],
        vec![kind("application/json")],
        vec![kind("application/json; charset=utf-8")],
        vec![kind("application/x-www-form-urlencoded")],
        vec![kind("text/plain")],
        vec![kind("")],
        vec![kind("nonsense")],
        vec![kind("application/json"), kind("application/json")],
        vec![kind("application/json"), kind("text/html")],
    ] {
        let headers: Vec<_> = [owner].into_iter().chain(kinds).collect();
        let made = jeton.send("POST", TOKENS, &headers, r#"{"description":"x"}"#).await.expect(200);
        let single = format!("{TOKENS}/{}", made.string("id"));
        let changed = jeton.send("PATCH", &single, &headers, r#"{"description":"y"}"#).await.expect(200);
        assert_eq!(changed.json()["description"], "y");
        // A body that nobody asked for is nobody's business, empty or not.
        jeton.send("GET", &single, &headers, "{").await.expect(200);
        jeton.send("DELETE", &single, &headers, "").await.expect(200);
    }
}

#[tokio::test]
async fn any_answer_that_a_client_accepts_is_given() {
    let jeton = Jeton::start().await;
    for accept in ["application/json", "*/*", "application/x-ndjson, application/json", "text/html", ""] {
        let headers = [("private-token", jeton.owner.secret.as_str()), ("accept", accept)];
        let reply = jeton.send("GET", TOKENS, &headers, "").await.expect(200);
        assert_eq!(reply.header("content-type"), Some("application/json"), "{accept}");
    }
}

/// One client compares what it sent with what comes back, field by field.
#[tokio::test]
async fn a_description_comes_back_byte_for_byte() {
    let jeton = Jeton::start().await;
    let (id, _) = make(&jeton, "before").await;
    let single = format!("{TOKENS}/{id}");
    for text in [
        " ",
        "  leading and trailing \t\r\n ",
        "ü – 漢字 – 🙂 – e\u{301}",
        "\u{feff}byte order mark",
        "\u{202e}right to left",
        "\0nothing\u{1}\u{7f}\u{80}",
        "\u{fffe}\u{ffff}\u{10ffff}",
        r#"quotes " \ / and <script>"#,
        "'; DROP TABLE tokens; --",
        "null",
    ] {
        let body = json!({ "description": text }).to_string();
        let made = ask(&jeton, &jeton.owner.secret, "POST", TOKENS, &body).await.expect(200);
        assert_eq!(made.json()["description"], text);
        let changed = ask(&jeton, &jeton.owner.secret, "PATCH", &single, &body).await.expect(200);
        assert_eq!(changed.json()["description"], text);
        let shown = ask(&jeton, &jeton.owner.secret, "GET", &single, "").await.expect(200);
        assert_eq!(shown.json()["description"], text);
        let list = ask(&jeton, &jeton.owner.secret, "GET", TOKENS, "").await.expect(200).json();
        assert_eq!(list.as_array().unwrap().last().unwrap()["description"], text);
    }
    // Escapes say the same text.
    let escaped = r#"{"description":"\u00fc\ud83d\ude42\/"}"#;
    let changed = ask(&jeton, &jeton.owner.secret, "PATCH", &single, escaped).await.expect(200);
    assert_eq!(changed.json()["description"], "ü🙂/");
    // Half of a pair is no text.
    for half in [r#"{"description":"\ud83d"}"#, r#"{"description":"\ude42"}"#] {
        ask(&jeton, &jeton.owner.secret, "PATCH", &single, half).await.expect(400);
    }
}

#[tokio::test]
async fn members_that_nobody_knows_are_ignored() {
    let jeton = Jeton::start().await;
    for body in [
        r#"{"description":"x","name":"y"}"#,
        r#"{"id":null,"description":"x","created_at":"1970-01-01T00:00:00.000","plain_token":"mine"}"#,
        r#"{"description":"x","expires":1,"scopes":["admin"],"nested":{"a":[{}]}}"#,
    ] {
        let made = ask(&jeton, &jeton.owner.secret, "POST", TOKENS, body).await.expect(200);
        assert_eq!(made.json()["description"], "x");
        assert_eq!(made.json()["created_at"], "2026-01-02T03:04:05.678");
        assert_ne!(made.string("plain_token"), "mine");
    }
}

#[tokio::test]
async fn a_token_is_recognised_wherever_clients_put_it() {
    let jeton = Jeton::start().await;
    let (_, secret) = make(&jeton, "second").await;
    let owner = jeton.owner.secret.as_str();
    let bearer = format!("Bearer {owner}");
    let small = format!("bearer   {owner}");
    let long = "x".repeat(10_000);
    for (headers, status) in [
        (vec![("private-token", owner)], 200),
        (vec![("Private-Token", owner)], 200),
        (vec![("PRIVATE-TOKEN", owner)], 200),
        (vec![("authorization", owner)], 200),
        (vec![("authorization", bearer.as_str())], 200),
        (vec![("authorization", small.as_str())], 200),
        // The legacy client sends its login token first and its API key second.
        (vec![("private-token", owner), ("private-token", "nonsense")], 200),
        (vec![("private-token", "nonsense"), ("private-token", owner)], 401),
        (vec![("private-token", owner), ("authorization", "nonsense")], 200),
        (vec![("private-token", "nonsense"), ("authorization", owner)], 401),
        (vec![], 401),
        (vec![("private-token", "")], 401),
        (vec![("private-token", "nonsense")], 401),
        (vec![("private-token", bearer.as_str())], 401),
        (vec![("private-token", long.as_str())], 401),
        (vec![("authorization", "Bearer")], 401),
        (vec![("authorization", "Basic b3duZXI6b3duZXI=")], 401),
        (vec![("cookie", "CanvusSession=e30=")], 401),
    ] {
        let reply = jeton.send("GET", TOKENS, &headers, "").await;
        assert_eq!(reply.status, status, "{headers:?}");
    }
    let both = [("private-token", secret.as_str()), ("private-token", owner)];
    jeton.send("GET", TOKENS, &both, "").await.expect(200);
}

/// One body for both generations of clients: the older reads `message`, the newer `msg`.
#[tokio::test]
async fn whoever_is_not_known_is_told_the_same_whatever_the_reason() {
    let jeton = Jeton::start().await;
    let user = jeton.add_member(1001, BaseRole::Writer).await;
    let (id, revoked) = make(&jeton, "revoked").await;
    ask(&jeton, &jeton.owner.secret, "DELETE", &format!("{TOKENS}/{id}"), "").await.expect(200);
    let expiry = jeton.service.now().as_millis() + 1;
    let expiring = json!({ "role": "admin", "expiry": expiry }).to_string();
    let expired =
        jeton.call(&jeton.owner.secret, "POST", "/api/v2/tokens", Some(&expiring)).await.expect(201);
    let expired = expired.string("token");
    jeton.clock.advance(Duration::from_millis(1));
    jeton.change_member(user.id, |member| member.standing = Standing::Blocked).await;

    let invalid = Some(r#"Bearer realm="jeton", error="invalid_token""#);
    for (secret, challenge) in [
        (Some(revoked.as_str()), invalid),
        (Some(expired.as_str()), invalid),
        (Some(user.secret.as_str()), invalid),
        (Some("jtn_pat_0000000000000000000000000000000000000000000000"), invalid),
        (Some("x"), invalid),
        // RFC 6750, section 3.1: who presents nothing is told how to authenticate, and no error.
        (None, Some(r#"Bearer realm="jeton""#)),
    ] {
        for (method, path) in [
            ("GET", TOKENS.to_owned()),
            ("POST", TOKENS.to_owned()),
            ("GET", format!("{TOKENS}/{NOBODY}")),
            ("PATCH", format!("{TOKENS}/{NOBODY}")),
            ("DELETE", format!("{TOKENS}/{NOBODY}")),
        ] {
            let headers: Vec<_> = secret.map(|secret| ("private-token", secret)).into_iter().collect();
            let reply = jeton.send(method, &path, &headers, r#"{"description":"x"}"#).await.expect(401);
            assert_eq!(reply.text(), r#"{"message":"401 Unauthorized","msg":"Invalid token"}"#);
            assert_eq!(reply.header("www-authenticate"), challenge);
        }
    }
}

/// A blocked user's tokens are refused and kept; a removed user's are gone, and so is the user.
#[tokio::test]
async fn the_tokens_of_a_user_follow_the_user() {
    let jeton = Jeton::start().await;
    let user = jeton.add_member(1001, BaseRole::Writer).await;
    let tokens = "/api/v1/users/1001/access-tokens";
    for standing in [Standing::Blocked, Standing::Pending] {
        jeton.change_member(user.id, |member| member.standing = standing).await;
        ask(&jeton, &user.secret, "GET", tokens, "").await.expect(401);
        let kept = ask(&jeton, &jeton.owner.secret, "GET", tokens, "").await.expect(200).json();
        assert_eq!(kept.as_array().map(Vec::len), Some(1));
        jeton.change_member(user.id, |member| member.standing = Standing::Active).await;
        ask(&jeton, &user.secret, "GET", tokens, "").await.expect(200);
    }
    let id = jeton.token_of(&user.secret);
    jeton.change_member(user.id, |member| member.standing = Standing::Removed).await;
    ask(&jeton, &user.secret, "GET", tokens, "").await.expect(401);
    for path in [tokens.to_owned(), format!("{tokens}/{id}")] {
        let reply = ask(&jeton, &jeton.owner.secret, "GET", &path, "").await.expect(404);
        assert_eq!(reply.text(), r#"{"msg":"There is no such user"}"#);
    }
}

#[tokio::test]
async fn a_token_may_delete_itself() {
    let jeton = Jeton::start().await;
    let (id, secret) = make(&jeton, "short-lived").await;
    let single = format!("{TOKENS}/{id}");
    ask(&jeton, &secret, "DELETE", &single, "").await.expect(200);
    ask(&jeton, &secret, "DELETE", &single, "").await.expect(401);
    ask(&jeton, &jeton.owner.secret, "DELETE", &single, "").await.expect(404);
}

/// A bare `subscribe` counts, and whatever does not say no.
#[tokio::test]
async fn what_asks_for_a_stream() {
    let jeton = Jeton::start().await;
    let (id, _) = make(&jeton, "watched").await;
    let single = format!("{TOKENS}/{id}");
    for (query, streams) in [
        ("?subscribe", true),
        ("?subscribe=", true),
        ("?subscribe=true", true),
        ("?subscribe=True", true),
        ("?subscribe=1", true),
        ("?subscribe=yes", true),
        ("?a=b&subscribe", true),
        ("/?subscribe", true),
        ("?subscribe=false", false),
        ("?subscribe=False", false),
        ("?subscribe=0", false),
        ("?Subscribe", false),
        ("?subscribed=1", false),
    ] {
        for path in [TOKENS, &single, "/api/v1/users", "/api/v1/users/1000"] {
            let plain = ask(&jeton, &jeton.owner.secret, "GET", path, "").await.expect(200);
            let path = format!("{path}{query}");
            let reply = ask(&jeton, &jeton.owner.secret, "GET", &path, "").await.expect(200);
            assert_eq!(reply.text(), plain.text(), "{path} begins with the plain answer");
            assert_eq!(reply.header("content-type"), Some("application/json"));
            let cache = if streams { "no-cache, no-store" } else { "no-store" };
            assert_eq!(reply.header("cache-control"), Some(cache), "{path}");
            assert_eq!(reply.header("x-accel-buffering"), streams.then_some("no"), "{path}");
            // Only a GET waits for anything.
            let head = ask(&jeton, &jeton.owner.secret, "HEAD", &path, "").await.expect(200);
            assert_eq!(head.header("x-accel-buffering"), None);
        }
        let body = r#"{"description":"x"}"#;
        ask(&jeton, &jeton.owner.secret, "POST", &format!("{TOKENS}{query}"), body).await.expect(200);
        ask(&jeton, &jeton.owner.secret, "PATCH", &format!("{single}{query}"), body).await.expect(200);
    }
    // The checks come first, in their order.
    let user = jeton.add_member(1001, BaseRole::Writer).await;
    ask(&jeton, "nobody", "GET", &format!("{TOKENS}?subscribe"), "").await.expect(401);
    ask(&jeton, &user.secret, "GET", "/api/v1/users/me/access-tokens?subscribe", "").await.expect(400);
    ask(&jeton, &user.secret, "GET", &format!("{TOKENS}?subscribe"), "").await.expect(403);
    ask(&jeton, &jeton.owner.secret, "GET", &format!("{TOKENS}/{NOBODY}?subscribe"), "").await.expect(404);
}

/// The first thing that clients ask. It needs no token, and a bad one does not matter.
#[tokio::test]
async fn the_server_tells_what_it_is() {
    let jeton = Jeton::start().await;
    let expected = json!({
        "api": ["v1.2"],
        "go": "",
        "server_id": "00000000-0000-4000-8000-000000000000",
        "version": env!("CARGO_PKG_VERSION"),
    });
    for headers in
        [vec![], vec![("private-token", "nonsense")], vec![("private-token", jeton.owner.secret.as_str())]]
    {
        for path in ["/api/v1/server-info", "/api/v1/server-info/", "/api/v1/server-info?x=1"] {
            let reply = jeton.send("GET", path, &headers, "").await.expect(200);
            assert_eq!(reply.json(), expected);
            assert_eq!(reply.header("content-type"), Some("application/json"));
        }
    }
}

/// Clients join paths with and without a slash, and some follow no redirect on a write.
#[tokio::test]
async fn a_path_may_end_in_a_slash() {
    let jeton = Jeton::start().await;
    let owner = &jeton.owner.secret;
    let made = ask(&jeton, owner, "POST", &format!("{TOKENS}/"), r#"{"description":"x"}"#).await.expect(200);
    let single = format!("{TOKENS}/{}/", made.string("id"));
    ask(&jeton, owner, "GET", &format!("{TOKENS}/"), "").await.expect(200);
    ask(&jeton, owner, "GET", &single, "").await.expect(200);
    ask(&jeton, owner, "PATCH", &single, r#"{"description":"y"}"#).await.expect(200);
    ask(&jeton, owner, "DELETE", &single, "").await.expect(200);
}

/// What each token may do is its owner's business and shows nowhere here; neither do secrets.
#[tokio::test]
async fn nothing_but_the_documented_members_is_shown() {
    let jeton = Jeton::start().await;
    let body = json!({
        "name": "from the other side", "description": "not shown here", "role": "writer",
        "expiry": jeton.service.now().as_millis() + 1000,
    });
    let made =
        jeton.call(&jeton.owner.secret, "POST", "/api/v2/tokens", Some(&body.to_string())).await.expect(201);
    let shown =
        ask(&jeton, &jeton.owner.secret, "GET", &format!("{TOKENS}/{}", made.string("_id")), "").await;
    let expected: Value = json!({
        "created_at": "2026-01-02T03:04:05.678", "description": "from the other side", "id": made.string("_id"),
    });
    assert_eq!(shown.expect(200).json(), expected);
    // A token without a name, which only the other side can make, has an empty description.
    let made = jeton.call(&jeton.owner.secret, "POST", "/api/v2/tokens", Some(r#"{"role":"reader"}"#)).await;
    let path = format!("{TOKENS}/{}", made.expect(201).string("_id"));
    assert_eq!(
        ask(&jeton, &jeton.owner.secret, "GET", &path, "").await.expect(200).json()["description"],
        ""
    );
    // A service token is nobody's.
    let service = r#"{"role":"reader","serviceToken":true}"#;
    let made = jeton.call(&jeton.owner.secret, "POST", "/api/v2/tokens", Some(service)).await.expect(201);
    let path = format!("{TOKENS}/{}", made.string("_id"));
    for method in ["GET", "PATCH", "DELETE"] {
        ask(&jeton, &jeton.owner.secret, method, &path, r#"{"description":"x"}"#).await.expect(404);
    }
    let list = ask(&jeton, &jeton.owner.secret, "GET", TOKENS, "").await.expect(200);
    assert!(!list.text().contains(&made.string("_id")));
}
