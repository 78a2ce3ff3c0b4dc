//! Canvus v1 through its outer door: every call, every error, and the order of checks.

use jeton_core::role::BaseRole;
use jeton_testkit::Jeton;
use serde_json::json;

const TOKENS: &str = "/api/v1/users/1000/access-tokens";

#[tokio::test]
async fn a_token_lives_its_whole_life() {
    let jeton = Jeton::start().await;
    let owner = &jeton.owner.secret;

    let created =
        jeton.send("POST", TOKENS, &[("private-token", owner)], r#"{"description":"Second token"}"#).await;
    let created = created.expect(200);
    assert_eq!(created.header("content-type"), Some("application/json"));
    assert_eq!(created.header("cache-control"), Some("no-store"));
    let secret = created.string("plain_token");
    let id = created.string("id");
    assert_eq!(
        created.text(),
        format!(
            r#"{{"created_at":"2026-01-02T03:04:05.678","description":"Second token","id":"{id}","plain_token":"{secret}"}}"#
        )
    );

    let single = format!("{TOKENS}/{id}");
    let shown = json!({ "created_at": "2026-01-02T03:04:05.678", "description": "Second token", "id": id });
    assert_eq!(jeton.send("GET", &single, &[("private-token", &secret)], "").await.expect(200).json(), shown);
    let list = jeton.send("GET", TOKENS, &[("private-token", &secret)], "").await.expect(200).json();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[1], shown);

    let renamed =
        jeton.send("PATCH", &single, &[("private-token", owner)], r#"{"description":" \u00fc\t "}"#).await;
    assert_eq!(renamed.expect(200).json()["description"], " ü\t ");

    let gone = jeton.send("DELETE", &single, &[("private-token", &secret)], "").await.expect(200);
    assert_eq!((gone.header("content-type"), gone.body.len()), (None, 0));
    let dead = jeton.send("GET", &single, &[("private-token", &secret)], "").await.expect(401);
    assert_eq!(dead.json(), json!({ "message": "401 Unauthorized", "msg": "Invalid token" }));
    jeton.send("GET", &single, &[("private-token", owner)], "").await.expect(404);
    jeton.send("DELETE", &single, &[("private-token", owner)], "").await.expect(404);
}

#[tokio::test]
async fn users_manage_their_own_and_administrators_everybodys() {
    let jeton = Jeton::start().await;
    let user = jeton.add_member(1001, BaseRole::Writer).await;
    let admin = jeton.add_member(1002, BaseRole::Admin).await;
    let body = Some(r#"{"description":"mine"}"#);
    let theirs = "/api/v1/users/1001/access-tokens";

    let mine = jeton.call(&user.secret, "POST", theirs, body).await.expect(200).string("id");
    jeton.call(&user.secret, "GET", TOKENS, None).await.expect(403);
    jeton.call(&user.secret, "POST", TOKENS, body).await.expect(403);
    jeton.call(&user.secret, "GET", "/api/v1/users/4242/access-tokens", None).await.expect(403);
    for secret in [&admin.secret, &jeton.owner.secret] {
        jeton.call(secret, "GET", theirs, None).await.expect(200);
        jeton.call(secret, "GET", &format!("{theirs}/{mine}"), None).await.expect(200);
        jeton.call(secret, "PATCH", &format!("{theirs}/{mine}"), body).await.expect(200);
        jeton.call(secret, "GET", "/api/v1/users/4242/access-tokens", None).await.expect(404);
        // Under another user's path it is no token.
        jeton.call(secret, "GET", &format!("{TOKENS}/{mine}"), None).await.expect(404);
    }
    jeton.call(&admin.secret, "DELETE", &format!("{theirs}/{mine}"), None).await.expect(200);
}
