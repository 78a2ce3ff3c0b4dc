//! `?subscribe` and `/changes`: what is there, then every change to it, once and in order, and nothing for those who may
//! not see it any more.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::time::Duration;

use jeton_core::limits::Limits;
use jeton_core::member::Standing;
use jeton_core::role::BaseRole;
use jeton_server::Settings;
use jeton_testkit::{End, Jeton, Lines, request};
use serde_json::{Value, json};

const MINE: &str = "/api/v1/users/1000/access-tokens";

async fn canvus(jeton: &Jeton, method: &str, path: &str, body: &Value) -> Value {
    let body = (!body.is_null()).then(|| body.to_string());
    let reply = jeton.call(&jeton.owner.secret, method, path, body.as_deref()).await.expect(200);
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

/// A token of the owner: its id, and its secret.
async fn make(jeton: &Jeton, description: &str) -> (String, String) {
    let made = canvus(jeton, "POST", MINE, &json!({ "description": description })).await;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("plain_token"))
}

/// What has been told since the last look.
async fn told(jeton: &Jeton, lines: &mut Lines) -> Vec<Value> {
    jeton.settle();
    lines.ready_news().await
}

#[tokio::test]
async fn a_list_is_told_and_then_each_change_to_it() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let mut lines = jeton.listen(&owner, &format!("{MINE}?subscribe")).await;
    let plain = canvus(&jeton, "GET", MINE, &Value::Null).await;
    assert_eq!(lines.next().await.unwrap(), plain.to_string(), "the first line is the plain answer");

    let (id, _) = make(&jeton, "one").await;
    let at = "2026-01-02T03:04:05.678";
    let state = |description: &str, state: &str| json!([{ "created_at": at, "description": description, "id": id, "state": state }]);
    assert_eq!(told(&jeton, &mut lines).await, [state("one", "normal")]);
    let single = format!("{MINE}/{id}");
    canvus(&jeton, "PATCH", &single, &json!({ "description": "two" })).await;
    assert_eq!(told(&jeton, &mut lines).await, [state("two", "normal")]);
    // What the other dialect does to it is told as well.
    jeton.call(&owner, "POST", &format!("/api/v2/tokens/{id}/reset"), None).await.expect(200);
    let patch = r#"[{"op":"replace","path":"/name","value":"three"}]"#;
    jeton.call(&owner, "PATCH", &format!("/api/v2/tokens/{id}"), Some(patch)).await.expect(200);
    canvus(&jeton, "DELETE", &single, &Value::Null).await;
    let expected =
        json!([state("two", "normal")[0], state("three", "normal")[0], state("three", "deleted")[0]]);
    assert_eq!(told(&jeton, &mut lines).await, [expected], "several changes share a line");

    // Neither service tokens nor those of others are in the list, nor what logins make.
    jeton
        .call(&owner, "POST", "/api/v2/tokens", Some(r#"{"serviceToken":true,"role":"reader"}"#))
        .await
        .expect(201);
    let other = jeton.add_member(1001, BaseRole::Writer).await;
    jeton.call(&other.secret, "POST", "/api/v2/tokens", Some(r#"{"role":"reader"}"#)).await.expect(201);
    assert_eq!(told(&jeton, &mut lines).await, [] as [Value; 0]);
    assert_eq!(lines.end(), None);
}

#[tokio::test]
async fn a_long_list_is_told_in_one_line_however_many_pieces_it_takes() {
    let jeton = Jeton::start().await;
    for number in 0..120 {
        make(&jeton, &number.to_string()).await;
    }
    let owner = jeton.owner.secret.clone();
    let mut lines = jeton.listen(&owner, &format!("{MINE}?subscribe")).await;
    // While it is read, tokens before and after the place are changed.
    let plain = canvus(&jeton, "GET", MINE, &Value::Null).await;
    let id = |at: usize| plain[at]["id"].as_str().unwrap().to_owned();
    canvus(&jeton, "PATCH", &format!("{MINE}/{}", id(3)), &json!({ "description": "early" })).await;
    canvus(&jeton, "PATCH", &format!("{MINE}/{}", id(110)), &json!({ "description": "late" })).await;
    canvus(&jeton, "DELETE", &format!("{MINE}/{}", id(4)), &Value::Null).await;
    canvus(&jeton, "DELETE", &format!("{MINE}/{}", id(111)), &Value::Null).await;
    let news = told(&jeton, &mut lines).await;
    assert_eq!(
        news[0].as_array().unwrap().len(),
        120,
        "one token less, since it was gone when its turn came"
    );
    assert_eq!(news[0][3]["description"], "2", "told before it was changed");
    assert_eq!(news[0][110]["description"], "late", "told after it was changed");
    let rest: Vec<_> = news[1..].iter().flat_map(|line| line.as_array().unwrap()).collect();
    let rest: Vec<_> =
        rest.iter().map(|item| (item["id"].as_str().unwrap(), item["state"].as_str().unwrap())).collect();
    assert_eq!(rest, [(&*id(3), "normal"), (&*id(4), "deleted")], "nothing is told twice");
}

#[tokio::test]
async fn a_single_token_is_told_until_it_is_gone() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let (id, _) = make(&jeton, "one").await;
    let (other, _) = make(&jeton, "other").await;
    let single = format!("{MINE}/{id}");
    let mut lines = jeton.listen(&owner, &format!("{single}?subscribe")).await;
    canvus(&jeton, "PATCH", &single, &json!({ "description": "two" })).await;
    canvus(&jeton, "DELETE", &format!("{MINE}/{other}"), &Value::Null).await;
    let at = "2026-01-02T03:04:05.678";
    assert_eq!(
        told(&jeton, &mut lines).await,
        [
            json!({ "created_at": at, "description": "one", "id": id }),
            json!({ "created_at": at, "description": "two", "id": id, "state": "normal" }),
        ]
    );
    canvus(&jeton, "DELETE", &single, &Value::Null).await;
    let gone = json!({ "created_at": at, "description": "two", "id": id, "state": "deleted" });
    assert_eq!(told(&jeton, &mut lines).await, [gone]);
    assert_eq!(lines.end(), Some(End::Clean), "nothing more can come");
}

#[tokio::test]
async fn who_is_removed_takes_the_tokens_along() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let member = jeton.add_member(1001, BaseRole::Writer).await;
    let list = "/api/v1/users/1001/access-tokens";
    let id = jeton.token_of(&member.secret).to_string();
    let mut all = jeton.listen(&owner, &format!("{list}?subscribe")).await;
    let mut one = jeton.listen(&owner, &format!("{list}/{id}?subscribe")).await;
    let mut theirs = jeton.listen(&member.secret, &format!("{list}?subscribe")).await;
    for lines in [&mut all, &mut one, &mut theirs] {
        assert_eq!(told(&jeton, lines).await.len(), 1);
    }
    canvus(&jeton, "DELETE", "/api/v1/users/1001", &Value::Null).await;
    assert_eq!(told(&jeton, &mut all).await, [] as [Value; 0]);
    assert_eq!(told(&jeton, &mut one).await[0]["state"], "deleted");
    assert_eq!(told(&jeton, &mut theirs).await, [] as [Value; 0]);
    assert_eq!([all.end(), one.end(), theirs.end()], [Some(End::Clean); 3]);
}

#[tokio::test]
async fn users_are_told() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let regular = jeton.add_member(1001, BaseRole::Writer).await;
    let mut all = jeton.listen(&regular.secret, "/api/v1/users?subscribe").await;
    let made =
        canvus(&jeton, "POST", "/api/v1/users", &json!({ "email": "a@example.com", "name": "Ada" })).await;
    let mut one = jeton.listen(&owner, "/api/v1/users/1002?subscribe").await;
    let blocked = canvus(&jeton, "POST", "/api/v1/users/1002/block", &json!({})).await;
    canvus(&jeton, "DELETE", "/api/v1/users/1002", &Value::Null).await;
    let mut gone = blocked.clone();
    gone["state"] = json!("deleted");
    gone["blocked"] = json!(false);
    let lines = told(&jeton, &mut all).await;
    assert_eq!(lines[0].as_array().unwrap().len(), 2);
    assert_eq!(lines[1..], [json!([made, blocked, gone])]);
    assert_eq!(told(&jeton, &mut one).await, [made, blocked, gone]);
    assert_eq!((all.end(), one.end()), (None, Some(End::Clean)));
}

/// Whatever ends a secret, or what it may see, ends its streams, and no line about what came after is told.
#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_right_to_see_it() {
    type Narrowing = (&'static str, &'static str, Value);
    let narrowings: [Narrowing; 4] = [
        ("POST", "/api/v1/users/1001/block", json!({})),
        ("PATCH", "/api/v1/users/1001", json!({ "admin": false })),
        ("DELETE", "/api/v1/users/1001", Value::Null),
        ("DELETE", "/api/v1/users/1001/access-tokens/<id>", Value::Null),
    ];
    for (method, path, body) in narrowings {
        let jeton = Jeton::start().await;
        let admin = jeton.add_member(1001, BaseRole::Admin).await;
        let id = jeton.token_of(&admin.secret).to_string();
        let mut lines = jeton.listen(&admin.secret, &format!("{MINE}?subscribe")).await;
        make(&jeton, "before").await;
        assert_eq!(told(&jeton, &mut lines).await.len(), 2);
        canvus(&jeton, method, &path.replace("<id>", &id), &body).await;
        make(&jeton, "after").await;
        assert_eq!(told(&jeton, &mut lines).await, [] as [Value; 0], "{method} {path}");
        assert_eq!(lines.end(), Some(End::Clean), "{method} {path}");
    }
}

#[tokio::test]
async fn a_stream_ends_when_a_role_no_longer_shows_it() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let role = r#"{"key":"r","name":"R","policy":[{"effect":"allow","resources":["*"],"actions":["*"]}]}"#;
    jeton.call(&owner, "POST", "/api/v2/roles", Some(role)).await.expect(201);
    let member = jeton.add_member(1001, BaseRole::Writer).await;
    let patch = r#"[{"op":"add","path":"/customRoles/0","value":"r"}]"#;
    jeton.call(&owner, "PATCH", &format!("/api/v2/members/{}", member.id), Some(patch)).await.expect(200);
    let mut lines = jeton.listen(&member.secret, "/api/v1/users?subscribe").await;
    let mut mine = jeton.listen(&member.secret, "/api/v1/users/1001/access-tokens?subscribe").await;
    assert_eq!(told(&jeton, &mut lines).await.len() + told(&jeton, &mut mine).await.len(), 2);
    jeton.call(&owner, "DELETE", "/api/v2/roles/r", None).await.expect(204);
    // Everybody may see the users and their own tokens, whatever their role: those streams go on.
    assert_eq!((told(&jeton, &mut lines).await.len(), lines.end()), (0, None));
    assert_eq!((told(&jeton, &mut mine).await.len(), mine.end()), (0, None));
}

/// A secret that was replaced is as dead as one that was revoked.
#[tokio::test]
async fn a_stream_ends_with_a_reset() {
    let jeton = Jeton::start().await;
    let (id, secret) = make(&jeton, "reset").await;
    let mut lines = jeton.listen(&secret, &format!("{MINE}?subscribe")).await;
    assert_eq!(told(&jeton, &mut lines).await.len(), 1);
    jeton.call(&secret, "POST", &format!("/api/v2/tokens/{id}/reset"), None).await.expect(200);
    assert_eq!(told(&jeton, &mut lines).await, [] as [Value; 0]);
    assert_eq!(lines.end(), Some(End::Clean));
}

/// The clock stands until it is moved, and the runtime's own goes on by itself when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_secret_expires() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let (id, secret) = make(&jeton, "short-lived").await;
    let ends_at = jeton.service.now().as_millis() + 60_000;
    let path = format!("/api/v2/tokens/{id}/reset?expiry={ends_at}");
    jeton.call(&owner, "POST", &path, None).await.expect(200);
    let mut lines = jeton.listen(&secret, &format!("{MINE}?subscribe")).await;
    assert_eq!(lines.news().await.unwrap().as_array().unwrap().len(), 2);
    assert_eq!(lines.next().await.unwrap(), "", "a sign of life: its grace is not over");
    jeton.clock.advance(Duration::from_mins(1));
    assert_eq!(lines.next().await, None);
    assert_eq!(lines.end(), Some(End::Clean));
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_gives_signs_of_life() {
    let jeton = Jeton::start().await;
    let mut lines = jeton.listen(&jeton.owner.secret.clone(), &format!("{MINE}?subscribe")).await;
    lines.next().await.unwrap();
    let begun = tokio::time::Instant::now();
    for beat in 1..=3 {
        assert_eq!(lines.next().await.unwrap(), "");
        assert_eq!(begun.elapsed().as_secs(), 15 * beat);
    }
    make(&jeton, "news").await;
    let at = begun.elapsed();
    jeton.settle();
    assert_ne!(lines.next().await.unwrap(), "");
    assert_eq!(lines.next().await.unwrap(), "");
    assert_eq!(begun.elapsed().abs_diff(at).as_secs(), 15, "counted from the last line");
}

#[tokio::test]
async fn streams_end_with_the_server_and_none_begins_after() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let mut list = jeton.listen(&owner, &format!("{MINE}?subscribe")).await;
    let mut changes = jeton.listen(&owner, "/changes").await;
    list.ready().await;
    changes.ready().await;
    jeton.service.end_watches();
    for lines in [&mut list, &mut changes] {
        assert_eq!(lines.ready().await, [] as [&str; 0]);
        assert_eq!(lines.end(), Some(End::Clean));
    }
    assert_eq!(jeton.service.watches(), 0);
}

#[tokio::test]
async fn there_are_only_so_many_streams() {
    let limits = Limits { streams: 2, ..Limits::default() };
    let jeton = Jeton::with(Settings::default(), limits).await;
    let owner = jeton.owner.secret.clone();
    let first = jeton.listen(&owner, &format!("{MINE}?subscribe")).await;
    let _second = jeton.listen(&owner, "/changes").await;
    for path in [&format!("{MINE}?subscribe"), "/api/v1/users?subscribe", "/changes"] {
        let refused = jeton.call(&owner, "GET", path, None).await.expect(503);
        assert!(refused.text().contains("Too many streams"), "{}", refused.text());
        assert!(refused.header("retry-after").is_some());
    }
    drop(first);
    jeton.listen(&owner, "/changes").await;
}

/// A reader who stands still costs an inbox that does not grow, and finds everything in the log when they come back.
#[tokio::test]
async fn a_reader_who_stood_still_misses_nothing() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let mut lines = jeton.listen(&owner, &format!("{MINE}?subscribe")).await;
    let mut changes = jeton.listen(&owner, "/changes").await;
    lines.ready().await;
    changes.ready().await;
    for number in 0..700 {
        make(&jeton, &number.to_string()).await;
    }
    let news = told(&jeton, &mut lines).await;
    let names: Vec<_> =
        news.iter().flat_map(|line| line.as_array().unwrap()).map(|item| &item["description"]).collect();
    let expected: Vec<_> = (0..700).map(|number| json!(number.to_string())).collect();
    assert_eq!(names, expected.iter().collect::<Vec<_>>());
    let revisions: Vec<_> =
        told(&jeton, &mut changes).await.iter().map(|change| change["revision"].as_u64().unwrap()).collect();
    assert_eq!(revisions, (4..=703).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_who_was_away_for_too_long_is_sent_for_a_fresh_start() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let mut lines = jeton.listen(&owner, &format!("{MINE}?subscribe")).await;
    lines.ready().await;
    for number in 0..300 {
        make(&jeton, &number.to_string()).await;
    }
    jeton.settle();
    jeton.clock.advance(Duration::from_hours(24));
    make(&jeton, "late").await;
    assert!(!jeton.service.forget_changes(Duration::from_hours(1)).await.unwrap());
    assert_eq!(told(&jeton, &mut lines).await, [] as [Value; 0]);
    assert_eq!(lines.end(), Some(End::Clean));

    let gone = jeton.call(&owner, "GET", "/changes?after=7", None).await.expect(410);
    let expected = json!({
        "type": "about:blank", "title": "Gone", "status": 410, "detail": gone.json()["detail"],
        "oldest": 304, "newest": 304,
        "snapshot": ["/api/v2/tokens?showAll=true", "/api/v2/members", "/api/v2/roles"],
    });
    assert_eq!(gone.json(), expected);
    assert_eq!(gone.header("content-type"), Some("application/problem+json"));
    // The future is no place to go on from either: the log must have been another one.
    jeton.call(&owner, "GET", "/changes?after=305", None).await.expect(410);
    jeton.call(&owner, "GET", "/changes?after=304", None).await.expect(200);
    jeton.call(&owner, "GET", "/changes?after=303", None).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_with_who_and_what() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let mut lines = jeton.listen(&owner, "/changes").await;
    assert_eq!(
        lines.news().await.unwrap(),
        json!({ "kind": "keep-alive", "revision": 3 }),
        "where it stands"
    );
    let (id, _) = make(&jeton, "one").await;
    canvus(&jeton, "DELETE", &format!("{MINE}/{id}"), &Value::Null).await;
    let at = "2026-01-02T03:04:05.678Z";
    let member = jeton.owner.id.to_string();
    let token = json!({
        "id": id, "kind": "personal", "owner": member, "name": "one", "description": "", "scope": {},
        "apiVersion": 20_240_415, "issuedAt": at, "modifiedAt": at, "expiresAt": null, "oldSecretEndsAt": null,
    });
    let actor = json!({ "token": jeton.token_of(&owner).to_string(), "member": member });
    let change = |revision: u64, kind: &str, before: &Value, after: &Value| {
        json!({
            "revision": revision, "kind": kind, "at": at, "actor": actor, "token": id, "member": member,
            "before": before, "after": after,
        })
    };
    assert_eq!(
        told(&jeton, &mut lines).await,
        [change(4, "token.issued", &Value::Null, &token), change(5, "token.revoked", &token, &Value::Null)]
    );
    assert_eq!(lines.news().await.unwrap(), json!({ "kind": "keep-alive", "revision": 5 }));
}

#[tokio::test]
async fn changes_resume_where_they_were_left() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    for number in 0..5 {
        make(&jeton, &number.to_string()).await;
    }
    let revisions = |lines: Vec<Value>| -> Vec<u64> {
        lines.iter().map(|line| line["revision"].as_u64().unwrap()).collect()
    };
    let mut lines = jeton.listen(&owner, "/changes?after=5").await;
    assert_eq!(revisions(told(&jeton, &mut lines).await), [5, 6, 7, 8]);
    let headers = [("authorization", &*owner), ("last-event-id", "7"), ("accept", "text/event-stream")];
    let response = jeton.open(request("GET", "/changes?after=2", &headers, Vec::new())).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = Lines::of(response);
    let lines = events.ready().await;
    assert_eq!(lines[..4], ["event: keep-alive", "id: 7", r#"data: {"kind":"keep-alive","revision":7}"#, ""]);
    assert_eq!(lines[4..6], ["event: token.issued", "id: 8"]);
    assert!(lines[6].starts_with(r#"data: {"actor":{"#), "{}", lines[6]);
    assert_eq!(lines[7..], [""]);
    for place in ["x", "-1", "", "18446744073709551616"] {
        let refused = jeton.call(&owner, "GET", &format!("/changes?after={place}"), None).await.expect(400);
        assert!(refused.text().contains("must be a revision"), "{}", refused.text());
    }
    let head = jeton.call(&owner, "HEAD", "/changes", None).await.expect(200);
    assert_eq!(head.header("content-type"), Some("application/x-ndjson"));
}

/// Everybody is told of members and roles, of service tokens, and of their own; administrators of all; nobody of another
/// account, nor of what logins make.
#[tokio::test]
async fn changes_are_told_to_those_who_may_see_them() {
    let jeton = Jeton::start().await;
    let reader = jeton.add_member(1001, BaseRole::Reader).await;
    let (_, other) = jeton.add_account().await;
    let mut mine = jeton.listen(&jeton.owner.secret.clone(), "/changes").await;
    let mut theirs = jeton.listen(&reader.secret, "/changes").await;
    let mut elsewhere = jeton.listen(&other.secret, "/changes").await;
    make(&jeton, "personal").await;
    jeton
        .call(
            &jeton.owner.secret,
            "POST",
            "/api/v2/tokens",
            Some(r#"{"name":"s","serviceToken":true,"role":"reader"}"#),
        )
        .await
        .expect(201);
    jeton
        .call(&reader.secret, "POST", "/api/v2/tokens", Some(r#"{"name":"r","role":"reader"}"#))
        .await
        .expect(201);
    jeton.change_member(reader.id, |member| member.standing = Standing::Active).await;
    let user = json!({ "email": "a@example.com", "name": "Ada", "password": "correct horse" });
    canvus(&jeton, "POST", "/api/v1/users", &user).await;
    let credentials = r#"{"email":"a@example.com","password":"correct horse"}"#;
    jeton.send("POST", "/api/v1/users/login", &[], credentials).await.expect(200);
    let names = |lines: Vec<Value>| -> Vec<String> {
        let shown =
            |line: &Value| line["after"]["name"].as_str().or(line["kind"].as_str()).unwrap().to_owned();
        lines.iter().skip(1).map(shown).collect()
    };
    assert_eq!(
        names(told(&jeton, &mut mine).await),
        ["personal", "s", "r", "member.changed", "member.added"]
    );
    assert_eq!(names(told(&jeton, &mut theirs).await), ["s", "r", "member.changed", "member.added"]);
    assert_eq!(names(told(&jeton, &mut elsewhere).await), [] as [&str; 0]);
    assert_eq!(elsewhere.end(), None);
}

/// Each reply that passes through the test kit is compared with the document line by line.
#[tokio::test]
async fn every_kind_of_change_is_as_the_document_says() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let statements = r#"[{"effect":"deny","notResources":["member/*"],"actions":["*"]}]"#;
    let role = format!(r#"{{"key":"r","name":"R","policy":{statements}}}"#);
    jeton.call(&owner, "POST", "/api/v2/roles", Some(&role)).await.expect(201);
    let patch = r#"[{"op":"replace","path":"/name","value":"other"}]"#;
    jeton.call(&owner, "PATCH", "/api/v2/roles/r", Some(patch)).await.expect(200);
    canvus(&jeton, "POST", "/api/v1/users", &json!({ "email": "a@b.c", "name": "Ada" })).await;
    canvus(&jeton, "DELETE", "/api/v1/users/1001", &Value::Null).await;
    for scope in [r#""role":"reader""#, r#""customRoleIds":["r"]"#, &format!(r#""inlineRole":{statements}"#)]
    {
        let made =
            jeton.call(&owner, "POST", "/api/v2/tokens", Some(&format!("{{{scope}}}"))).await.expect(201);
        let path = format!("/api/v2/tokens/{}", made.string("_id"));
        let later = jeton.service.now().as_millis() + 1000;
        jeton.call(&owner, "POST", &format!("{path}/reset?expiry={later}"), None).await.expect(200);
        jeton.call(&owner, "PATCH", &path, Some(patch)).await.expect(200);
        jeton.call(&owner, "DELETE", &path, None).await.expect(204);
    }
    jeton.call(&owner, "DELETE", "/api/v2/roles/r", None).await.expect(204);
    let told = jeton.call(&owner, "GET", "/changes?after=0", None).await.expect(200);
    let kinds: std::collections::BTreeSet<_> =
        jeton.log().await.iter().map(|change| change.event.name()).collect();
    assert_eq!(kinds.len(), 10, "there are no others");
    for kind in kinds {
        assert!(told.text().contains(&format!(r#""kind":"{kind}""#)), "{kind}");
    }
}
