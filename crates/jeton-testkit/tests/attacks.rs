//! Attacks that once worked, and must not again.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use jeton_testkit::Jeton;
use serde_json::{Value, json};
use tower::ServiceExt;

const TOKENS: &str = "/api/v2/tokens";

async fn create(jeton: &Jeton, secret: &str, body: &Value) -> jeton_testkit::Reply {
    jeton.call(secret, "POST", TOKENS, Some(&body.to_string())).await
}

/// A policy that allows everything and is as heavy as one may be; `last` tells it from others.
fn heavy(last: usize) -> Value {
    let mut statements = vec![json!({ "effect": "allow", "resources": ["*"], "actions": ["*"] })];
    for number in 0..190 {
        let action = format!("{number:0>3}{}", "a".repeat(250));
        statements.push(json!({ "effect": "allow", "resources": ["*"], "actions": [action] }));
    }
    statements.push(json!({ "effect": "allow", "resources": ["*"], "actions": [format!("last{last}")] }));
    json!(statements)
}

/// A chain of heavy policies, each the ceiling of the next, made every request of the last one cost half a second, and
/// the memory of a restart grow without bound.
#[tokio::test]
async fn a_chain_of_heavy_policies_ends_before_it_weighs() {
    let jeton = Jeton::start().await;
    let mut secret = jeton.owner.secret.clone();
    let mut made = 0;
    let refused = loop {
        let reply = create(&jeton, &secret, &json!({ "inlineRole": heavy(made) })).await;
        if reply.status != 201 {
            break reply;
        }
        secret = reply.string("token");
        made += 1;
        assert!(made < 4, "the chain grows on");
    };
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.text().contains("too long a chain"), "{refused:?}");
}

/// Items without text were free.
#[tokio::test]
async fn a_policy_of_a_myriad_of_tiny_items_is_too_heavy() {
    let jeton = Jeton::start().await;
    let actions: Vec<String> = (0..256).map(|number| format!("{number}")).collect();
    let statements: Vec<Value> =
        (0..10).map(|_| json!({ "effect": "allow", "resources": ["*"], "actions": actions })).collect();
    let owner = jeton.owner.secret.clone();
    create(&jeton, &owner, &json!({ "inlineRole": statements })).await.expect(400);
}

/// The holder of a leaked secret took the token over by a reset within the grace that its owner had left it.
#[tokio::test]
async fn a_replaced_secret_cannot_take_its_token_over() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let made = create(&jeton, &owner, &json!({ "role": "admin" })).await.expect(201);
    let (id, leaked) = (made.string("_id"), made.string("token"));
    let soon = jeton.service.now().as_millis() + 60_000;
    let path = format!("{TOKENS}/{id}/reset");
    let fresh =
        jeton.call(&owner, "POST", &format!("{path}?expiry={soon}"), None).await.expect(200).string("token");

    let refused = jeton.call(&leaked, "POST", &path, None).await.expect(403);
    assert_eq!(refused.json()["code"], "forbidden");
    jeton.call(&leaked, "GET", &format!("{TOKENS}/{id}"), None).await.expect(200);
    jeton.call(&fresh, "POST", &path, None).await.expect(200);
    jeton.call(&leaked, "GET", TOKENS, None).await.expect(401);
    jeton.clock.advance(Duration::from_secs(61));
    jeton.call(&fresh, "GET", TOKENS, None).await.expect(401);
}

/// A body of JSON that held `&expiry=` in some text was read as a form.
#[tokio::test]
async fn a_reset_meant_to_kill_leaves_nothing_alive() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let made = create(&jeton, &owner, &json!({ "role": "reader" })).await.expect(201);
    let path = format!("{TOKENS}/{}/reset", made.string("_id"));
    let body = r#"{"note":"a&expiry=4102444800000&b"}"#;
    jeton.call(&owner, "POST", &path, Some(body)).await.expect(200);
    jeton.call(&made.string("token"), "GET", TOKENS, None).await.expect(401);
}

/// A revoked token went on reading the list that it had begun, and saw what was made afterwards.
#[tokio::test]
async fn a_list_ends_when_its_readers_token_does() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    // Too long to be on its way as a whole when the token is revoked.
    let description = "x".repeat(4000);
    for number in 0..200 {
        let body = json!({ "name": format!("token {number}"), "description": description, "role": "reader" });
        create(&jeton, &owner, &body).await.expect(201);
    }
    let reader = create(&jeton, &owner, &json!({ "role": "admin" })).await.expect(201);
    let app = jeton_server::app(jeton.service.clone(), jeton_server::Settings::default());
    let request = Request::get(format!("{TOKENS}?limit=1000"))
        .header("authorization", reader.string("token"))
        .body(Body::empty())
        .unwrap();
    let mut body = app.oneshot(request).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    let path = format!("{TOKENS}/{}", reader.string("_id"));
    jeton.call(&owner, "DELETE", &path, None).await.expect(204);
    create(&jeton, &owner, &json!({ "name": "made after the revoke", "role": "reader" })).await.expect(201);

    let mut rest = Vec::new();
    let cut = loop {
        match body.frame().await {
            Some(Ok(frame)) => rest.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(cut, "the list looks complete");
    assert!(!String::from_utf8(rest).unwrap().contains("made after the revoke"));
}
