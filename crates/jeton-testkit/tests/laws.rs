//! The laws, each by its name, as far as one process can show them. Those that need a process to die, or a whole suite
//! to have run, are tested with the real program.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::sync::Arc;
use std::time::Duration;

use jeton_core::limits::Limits;
use jeton_core::member::Standing;
use jeton_core::role::BaseRole;
use jeton_server::Settings;
use jeton_store::Sqlite;
use jeton_testkit::{Jeton, Unreliable};
use proptest::prelude::*;
use serde_json::json;

const TOKENS: &str = "/api/v2/tokens";

async fn create(jeton: &Jeton, body: &serde_json::Value) -> (String, String) {
    let owner = jeton.owner.secret.clone();
    let made = jeton.call(&owner, "POST", TOKENS, Some(&body.to_string())).await.expect(201);
    (made.string("_id"), made.string("token"))
}

async fn works(jeton: &Jeton, secret: &str) -> bool {
    let status = jeton.call(secret, "GET", "/api/v2/caller-identity", None).await.status.as_u16();
    assert!(status == 200 || status == 401, "{status}");
    status == 200
}

async fn unreliable() -> (Arc<Unreliable>, Jeton) {
    let store = Arc::new(Unreliable::new(Arc::new(Sqlite::in_memory().unwrap())));
    let jeton = Jeton::on(store.clone(), Settings::default(), Limits::default()).await;
    (store, jeton)
}

/// Every way to narrow, and the very next look.
#[tokio::test]
async fn law_01_a_revocation_that_was_acknowledged_is_never_honoured_again() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();

    let (id, secret) = create(&jeton, &json!({ "role": "reader" })).await;
    assert!(works(&jeton, &secret).await);
    jeton.call(&owner, "DELETE", &format!("{TOKENS}/{id}"), None).await.expect(204);
    assert!(!works(&jeton, &secret).await, "revoked");

    let (id, secret) = create(&jeton, &json!({ "role": "reader" })).await;
    jeton.call(&owner, "POST", &format!("{TOKENS}/{id}/reset"), None).await.expect(200);
    assert!(!works(&jeton, &secret).await, "reset");

    let soon = jeton_core::timestamp::Timestamp::as_millis(jeton.service.now()) + 1000;
    let (id, secret) = create(&jeton, &json!({ "role": "reader" })).await;
    let path = format!("{TOKENS}/{id}/reset?expiry={soon}");
    let next = jeton.call(&owner, "POST", &path, None).await.expect(200).string("token");
    assert!(works(&jeton, &secret).await, "in the grace");
    jeton.clock.advance(Duration::from_secs(1));
    assert!(!works(&jeton, &secret).await, "the grace has run out");
    assert!(works(&jeton, &next).await);

    let (id, replaced) = create(&jeton, &json!({ "role": "reader" })).await;
    let path = format!("{TOKENS}/{id}/reset?expiry={}", soon + 60_000);
    let next = jeton.call(&owner, "POST", &path, None).await.expect(200).string("token");
    assert!(works(&jeton, &replaced).await && works(&jeton, &next).await, "in the grace");
    jeton.call(&owner, "DELETE", &format!("{TOKENS}/{id}"), None).await.expect(204);
    assert!(!works(&jeton, &replaced).await, "revoked with its token, in its grace");
    assert!(!works(&jeton, &next).await, "revoked");

    let (_, secret) = create(&jeton, &json!({ "role": "reader", "expiry": soon + 1000 })).await;
    assert!(works(&jeton, &secret).await);
    jeton.clock.advance(Duration::from_secs(1));
    assert!(!works(&jeton, &secret).await, "expired");

    let person = jeton.add_member(1001, BaseRole::Admin).await;
    let body = Some(r#"{"role":"admin"}"#);
    jeton.call(&person.secret, "POST", TOKENS, body).await.expect(201);
    jeton.change_member(person.id, |member| member.role = BaseRole::Reader).await;
    jeton.call(&person.secret, "POST", TOKENS, body).await.expect(403);
    jeton.change_member(person.id, |member| member.standing = Standing::Blocked).await;
    assert!(!works(&jeton, &person.secret).await, "blocked");
    jeton.change_member(person.id, |member| member.standing = Standing::Active).await;
    assert!(works(&jeton, &person.secret).await, "no longer blocked");
    jeton.change_member(person.id, |member| member.standing = Standing::Removed).await;
    assert!(!works(&jeton, &person.secret).await, "removed");
}

/// A write on the authority of a token that is revoked while the write waits for its turn is not made.
#[tokio::test(flavor = "multi_thread")]
async fn law_01_holds_for_a_write_that_waits_while_its_token_is_revoked() {
    let (store, jeton) = unreliable().await;
    let jeton = Arc::new(jeton);
    let person = jeton.add_member(1001, BaseRole::Writer).await;
    let id = jeton.token_of(&person.secret);
    let commits = jeton.log().await.len() as u64;

    store.set_paused(true);
    let revoking = tokio::spawn({
        let jeton = Arc::clone(&jeton);
        async move { jeton.call(&jeton.owner.secret, "DELETE", &format!("{TOKENS}/{id}"), None).await.status }
    });
    // The founding was one commit of three changes.
    store.wait_for_commits(commits - 2 + 1);
    let writing = tokio::spawn({
        let (jeton, secret) = (Arc::clone(&jeton), person.secret.clone());
        async move {
            let path = "/api/v1/users/1001/access-tokens";
            jeton.call(&secret, "POST", path, Some(r#"{"description":"too late"}"#)).await.status
        }
    });
    // Whether the write has been authenticated by now or not: it must not be made.
    tokio::task::yield_now().await;
    store.set_paused(false);
    assert_eq!(revoking.await.unwrap(), 204);
    assert_eq!(writing.await.unwrap(), 401);
}

#[tokio::test]
async fn law_02_an_issued_token_works_at_once() {
    let jeton = Jeton::start().await;
    for _ in 0..50 {
        let (id, secret) = create(&jeton, &json!({ "role": "reader" })).await;
        assert!(works(&jeton, &secret).await);
        let path = format!("{TOKENS}/{id}/reset");
        let reset = jeton.call(&jeton.owner.secret, "POST", &path, None).await.expect(200);
        assert!(works(&jeton, &reset.string("token")).await);
    }
}

/// A refused proposal leaves neither rows nor an entry, and no gap; see also the store's conformance suite.
#[tokio::test]
async fn law_04_state_and_change_are_one_transaction() {
    let (store, jeton) = unreliable().await;
    let (id, _) = create(&jeton, &json!({ "name": "before", "role": "reader" })).await;
    let path = format!("{TOKENS}/{id}");
    let rename = r#"[{"op":"replace","path":"/name","value":"after"}]"#;
    let length = jeton.log().await.len();

    store.set_full(true);
    let reply = jeton.call(&jeton.owner.secret, "PATCH", &path, Some(rename)).await.expect(507);
    assert_eq!(reply.json()["code"], "insufficient_storage");
    assert_eq!(jeton.log().await.len(), length);
    store.set_full(false);
    assert_eq!(
        jeton.call(&jeton.owner.secret, "GET", &path, None).await.expect(200).json()["name"],
        "before"
    );
    jeton.call(&jeton.owner.secret, "PATCH", &path, Some(rename)).await.expect(200);
    let log = jeton.log().await;
    assert_eq!(log.len(), length + 1);
    assert_eq!(log[length].revision.number(), length as u64 + 1);
}

/// What the store refused never becomes true in memory.
#[tokio::test]
async fn law_05_durable_first_then_only_what_cannot_fail() {
    let (store, jeton) = unreliable().await;
    let (id, secret) = create(&jeton, &json!({ "role": "reader" })).await;
    let path = format!("{TOKENS}/{id}");
    let before = jeton.service.index().image();
    store.set_full(true);
    jeton.call(&jeton.owner.secret, "POST", TOKENS, Some(r#"{"role":"reader"}"#)).await.expect(507);
    jeton.call(&jeton.owner.secret, "DELETE", &path, None).await.expect(507);
    assert!(works(&jeton, &secret).await, "a revoke that failed has revoked nothing");
    assert_eq!(jeton.service.index().image(), before);
    store.set_full(false);
    jeton.call(&jeton.owner.secret, "DELETE", &path, None).await.expect(204);
    assert!(!works(&jeton, &secret).await);
}

/// Expiry is one comparison, and the instant itself is past the end: in a look-up, at create, in a patch and in a grace.
#[tokio::test]
async fn law_07_expires_at_means_expired_at_that_instant_everywhere() {
    let jeton = Jeton::start().await;
    let now = jeton.service.now().as_millis();
    let owner = jeton.owner.secret.clone();
    let body = json!({ "role": "reader", "expiry": now });
    jeton.call(&owner, "POST", TOKENS, Some(&body.to_string())).await.expect(400);
    let (id, secret) = create(&jeton, &json!({ "role": "reader", "expiry": now + 2 })).await;
    let patch = json!([{ "op": "replace", "path": "/expiry", "value": now }]);
    jeton.call(&owner, "PATCH", &format!("{TOKENS}/{id}"), Some(&patch.to_string())).await.expect(400);
    jeton.clock.advance(Duration::from_millis(1));
    assert!(works(&jeton, &secret).await);
    jeton.clock.advance(Duration::from_millis(1));
    assert!(!works(&jeton, &secret).await);
}

/// While a commit stands still and every read fails, secrets are verified as before.
#[tokio::test(flavor = "multi_thread")]
async fn law_08_verification_touches_no_disk_and_waits_for_no_writer() {
    let (store, jeton) = unreliable().await;
    let jeton = Arc::new(jeton);
    let (_, secret) = create(&jeton, &json!({ "role": "reader" })).await;
    let commits = jeton.log().await.len() as u64 - 2;
    store.set_paused(true);
    let stuck = tokio::spawn({
        let jeton = Arc::clone(&jeton);
        async move { jeton.call(&jeton.owner.secret, "POST", TOKENS, Some(r#"{"role":"reader"}"#)).await.status }
    });
    store.wait_for_commits(commits + 1);
    store.set_broken(true);
    for _ in 0..1000 {
        assert!(jeton.service.authenticate(&secret).await.is_ok());
        assert!(
            jeton
                .service
                .authenticate("jtn_pat_0000000000000000000000000000000000000000000000")
                .await
                .is_err()
        );
    }
    store.set_broken(false);
    store.set_paused(false);
    assert_eq!(stuck.await.unwrap(), 201);
}

/// A secret that is good for nothing just now may be good again: whoever revokes it then has revoked it.
#[tokio::test]
async fn law_01_a_secret_that_slept_when_it_was_revoked_does_not_wake() {
    let jeton = Jeton::start().await;
    let revoke = async |secret: &str| {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        jeton.send("POST", "/oauth2/revoke", &form, format!("token={secret}")).await.expect(200);
    };
    let person = jeton.add_member(1001, BaseRole::Writer).await;
    jeton.change_member(person.id, |member| member.standing = Standing::Blocked).await;
    revoke(&person.secret).await;
    jeton.change_member(person.id, |member| member.standing = Standing::Active).await;
    assert!(!works(&jeton, &person.secret).await, "its owner was let in again");

    let soon = jeton.service.now().as_millis() + 1000;
    let (id, secret) = create(&jeton, &json!({ "role": "reader", "expiry": soon })).await;
    jeton.clock.advance(Duration::from_secs(2));
    revoke(&secret).await;
    let owner = jeton.owner.secret.clone();
    jeton.call(&owner, "GET", &format!("{TOKENS}/{id}"), None).await.expect(404);

    // One that was replaced, and whose grace is over, is nobody's: it ends nothing.
    let (id, secret) = create(&jeton, &json!({ "role": "reader" })).await;
    let grace = jeton.service.now().as_millis() + 1000;
    let path = format!("{TOKENS}/{id}/reset?expiry={grace}");
    let next = jeton.call(&owner, "POST", &path, None).await.expect(200).string("token");
    jeton.clock.advance(Duration::from_secs(2));
    revoke(&secret).await;
    assert!(works(&jeton, &next).await);
}

/// A revocation that is answered with success has happened, also where whoever asks shows nothing but the secret.
#[tokio::test]
async fn law_01_a_secret_that_could_not_be_revoked_is_not_said_to_be() {
    let (store, jeton) = unreliable().await;
    let (_, secret) = create(&jeton, &json!({ "role": "reader" })).await;
    let revoke = async || {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        jeton.send("POST", "/oauth2/revoke", &form, format!("token={secret}")).await
    };
    // RFC 7009, section 2.2.1: after 503 a client takes it that the token lives, and may try again.
    store.set_broken(true);
    revoke().await.expect(503);
    store.set_broken(false);
    assert!(works(&jeton, &secret).await, "nothing was revoked, and nothing said so");
    store.set_full(true);
    revoke().await.expect(503);
    store.set_full(false);
    assert!(works(&jeton, &secret).await);
    revoke().await.expect(200);
    assert!(!works(&jeton, &secret).await);
}

/// To an owner of another account, everything of this one is answered exactly as if it did not exist, and nothing of it
/// counts or changes.
#[tokio::test]
async fn law_10_accounts_are_walls() {
    let jeton = Jeton::start().await;
    let (_, stranger) = jeton.add_account().await;
    let role = jeton.define_role("ops", Vec::new()).await;
    let (personal, _) = create(&jeton, &json!({ "name": "ours", "role": "reader" })).await;
    let (service, _) =
        create(&jeton, &json!({ "name": "ours", "role": "reader", "serviceToken": true })).await;
    let nobody = "0123456789abcdef01234567";
    let before = jeton.service.index().image();
    let rename = r#"[{"op":"replace","path":"/name","value":"theirs"}]"#;

    for id in [&personal, &service] {
        let calls = [
            ("GET", format!("{TOKENS}/ID"), None),
            ("PATCH", format!("{TOKENS}/ID"), Some(rename)),
            ("PATCH", format!("{TOKENS}/ID"), Some("[]")),
            ("POST", format!("{TOKENS}/ID/reset"), None),
            ("DELETE", format!("{TOKENS}/ID"), None),
            ("GET", "/api/v1/users/2000/access-tokens/ID".to_owned(), None),
            ("GET", "/api/v1/users/1000/access-tokens/ID".to_owned(), None),
            ("DELETE", "/api/v1/users/1000/access-tokens/ID".to_owned(), None),
            ("DELETE", "/api/v1/users/2000/access-tokens/ID".to_owned(), None),
        ];
        for (method, path, body) in calls {
            let real = jeton.call(&stranger.secret, method, &path.replace("ID", id), body).await.expect(404);
            let none =
                jeton.call(&stranger.secret, method, &path.replace("ID", nobody), body).await.expect(404);
            assert_eq!(real.json()["message"], none.json()["message"], "{method} {path}");
            assert_eq!(real.json()["msg"], none.json()["msg"], "{method} {path}");
        }
    }
    for path in ["/api/v2/tokens?showAll=true", "/api/v2/tokens"] {
        let list = jeton.call(&stranger.secret, "GET", path, None).await.expect(200).json();
        assert_eq!(list["totalCount"], 1, "a stranger sees their own first token and nothing else");
    }
    jeton.call(&stranger.secret, "GET", "/api/v1/users/1000/access-tokens", None).await.expect(404);
    for name in [role.to_string(), "ops".to_owned()] {
        let body = json!({ "customRoleIds": [name] }).to_string();
        jeton.call(&stranger.secret, "POST", TOKENS, Some(&body)).await.expect(400);
    }
    assert_eq!(jeton.service.index().image(), before);
}

#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    authenticated: bool,
}

fn request() -> impl Strategy<Value = Request> {
    let id =
        prop_oneof![Just("TOKEN".to_owned()), "[0-9a-f]{24}", "[!-~]{0,30}".prop_map(|text| encode(&text))];
    let path = prop_oneof![
        Just("/api/v1/users/1000/access-tokens".to_owned()),
        id.clone().prop_map(|id| format!("/api/v1/users/1000/access-tokens/{id}")),
        (any::<i64>(), id.clone()).prop_map(|(user, id)| format!("/api/v1/users/{user}/access-tokens/{id}")),
        Just("/api/v2/tokens".to_owned()),
        Just("/api/v2/tokens?limit=99999999999999999999&offset=-1&showAll=maybe".to_owned()),
        id.clone().prop_map(|id| format!("/api/v2/tokens/{id}")),
        id.prop_map(|id| format!("/api/v2/tokens/{id}/reset?expiry={}", u64::MAX)),
        "[a-z/]{0,20}".prop_map(|rest| format!("/{rest}")),
    ];
    let json = prop_oneof![
        Just(String::new()),
        "[ -~]{0,60}",
        Just("[".repeat(5000)),
        Just(r#"{"description":{"a":[1e999,null]}}"#.to_owned()),
        Just(r#"{"role":"owner"}"#.to_owned()),
        Just(r#"{"inlineRole":[{"effect":"allow","resources":["proj/*:*"],"actions":["*"]}]}"#.to_owned()),
        Just(r#"[{"op":"replace","path":"","value":{}}]"#.to_owned()),
        Just(r#"[{"op":"copy","from":"/name","path":"/inlineRole"}]"#.to_owned()),
        Just(r#"[{"op":"replace","path":"/expiry","value":9223372036854775807.5}]"#.to_owned()),
        Just(r#"{"role":"reader","expiry":-9223372036854775808}"#.to_owned()),
    ];
    let header = prop_oneof![
        Just(("ld-api-version", "9".repeat(40))),
        Just(("content-type", "application/json; domain-model=launchdarkly.semanticpatch".to_owned())),
        Just(("x-http-method-override", "PATCH".to_owned())),
        Just(("x-request-id", "\u{7f}".repeat(3))),
        Just(("authorization", "Bearer".to_owned())),
    ];
    let method =
        prop_oneof![Just("GET"), Just("POST"), Just("PATCH"), Just("DELETE"), Just("PUT"), Just("HEAD")];
    (method, path, proptest::collection::vec(header, 0..2), json, any::<bool>()).prop_map(
        |(method, path, headers, body, authenticated)| Request { method, path, headers, body, authenticated },
    )
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn law_11_bad_input_gets_a_clear_error_and_changes_nothing(requests in proptest::collection::vec(request(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let jeton = Jeton::start().await;
            let (id, _) = create(&jeton, &json!({ "role": "reader" })).await;
            for request in requests {
                let before = jeton.service.index().revision();
                let mut headers: Vec<(&str, &str)> =
                    request.headers.iter().filter(|(_, value)| value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '))
                        .map(|(name, value)| (*name, value.as_str())).collect();
                if request.authenticated {
                    headers.push(("private-token", &jeton.owner.secret));
                }
                let path = request.path.replace("TOKEN", &id);
                let reply = jeton.send(request.method, &path, &headers, &request.body).await;
                assert!(reply.status.as_u16() < 500 || reply.status == 501, "{request:?}: {reply:?}");
                if reply.status.is_client_error() {
                    assert_eq!(jeton.service.index().revision(), before, "{request:?}: {reply:?}");
                    if request.method != "HEAD" {
                        reply.json();
                    }
                }
            }
        });
    }
}
