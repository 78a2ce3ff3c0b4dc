//! `/explain` and the reasons in refusals, through the outer door.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use std::time::Duration;

use jeton_core::member::Standing;
use jeton_core::role::BaseRole;
use jeton_service::ports::Clock as _;
use jeton_testkit::{Jeton, Reply};
use serde_json::{Value, json};

const TOKENS: &str = "/api/v2/tokens";

async fn create(jeton: &Jeton, body: Value) -> (String, String) {
    create_by(jeton, &jeton.owner.secret, body).await
}

async fn create_by(jeton: &Jeton, secret: &str, body: Value) -> (String, String) {
    let made = jeton.call(secret, "POST", TOKENS, Some(&body.to_string())).await.expect(201);
    (made.string("_id"), made.string("token"))
}

async fn explain(jeton: &Jeton, secret: &str, query: &str) -> Reply {
    jeton.call(secret, "GET", &format!("/explain?{query}"), None).await
}

#[tokio::test]
async fn the_statement_that_decided_is_named() {
    let jeton = Jeton::start().await;
    let policy = json!([
        { "effect": "allow", "actions": ["*"], "resources": ["service-token/*"] },
        { "effect": "deny", "actions": ["deleteAccessToken"], "resources": ["service-token/*"] },
    ]);
    let role = json!({ "key": "ops", "name": "Ops", "policy": policy }).to_string();
    jeton.call(&jeton.owner.secret, "POST", "/api/v2/roles", Some(&role)).await.expect(201);
    let (id, secret) = create(&jeton, json!({ "name": "by role", "customRoleIds": ["ops"] })).await;

    let denied = "action=deleteAccessToken&resource=service-token/t";
    let told = explain(&jeton, &secret, denied).await.expect(200).json();
    assert_eq!(told["allowed"], false);
    assert_eq!(told["because"], "Denied: in the token's scope, statement 1 of the role ops denies it");
    let voice = &told["bounds"][0]["voices"][0];
    assert_eq!((&voice["says"], &voice["pointer"]), (&json!("deny"), &json!("/1")));
    assert_eq!((&voice["statement"], &voice["customRole"]["key"]), (&policy[1], &json!("ops")));

    let allowed = explain(&jeton, &secret, "action=createAccessToken&resource=service-token/t").await;
    let allowed = allowed.expect(200).json();
    assert_eq!(allowed["allowed"], true);
    assert_eq!(allowed["bounds"].as_array().unwrap().len(), 2, "scope and owner");
    let silent = explain(&jeton, &secret, "action=createMember&resource=member/m").await.expect(200).json();
    assert_eq!(silent["because"], "Denied: in the token's scope, no statement of the role ops allows it");

    // The same of another token, for whoever sees it.
    let other = format!("{denied}&token={id}");
    assert_eq!(explain(&jeton, &jeton.owner.secret, &other).await.expect(200).json(), told);
    let stranger = jeton.add_member(1500, BaseRole::Writer).await;
    explain(&jeton, &stranger.secret, &other).await.expect(404);

    // The refusal itself says it too.
    let (victim, _) = create(&jeton, json!({ "role": "reader", "serviceToken": true })).await;
    let refused = jeton.call(&secret, "DELETE", &format!("{TOKENS}/{victim}"), None).await.expect(403).json();
    assert_eq!(refused["reason"], policy[1]);
    assert_eq!(refused["access"]["resource"], format!("service-token/{victim}"));
}

/// What may be done with a token that is good for nothing is nothing, whatever its roles say.
#[tokio::test]
async fn a_token_that_is_good_for_nothing_is_said_to_be() {
    let jeton = Jeton::start().await;
    let question = |id: &str| format!("action=viewProject&resource=proj/p&token={id}");
    let person = jeton.add_member(1500, BaseRole::Writer).await;
    let theirs = jeton.token_of(&person.secret).to_string();
    let (service, _) =
        create_by(&jeton, &person.secret, json!({ "role": "reader", "serviceToken": true })).await;
    let soon = jeton.clock.now().as_millis() + 1000;
    let (ending, _) = create(&jeton, json!({ "role": "reader", "expiry": soon })).await;
    let told = async |id: &str| {
        let told = explain(&jeton, &jeton.owner.secret, &question(id)).await.expect(200).json();
        (told["active"] == true, told["allowed"] == true, told["because"].as_str().unwrap().to_owned())
    };
    for id in [&theirs, &service, &ending] {
        let (active, allowed, because) = told(id).await;
        assert!(active && allowed && because.starts_with("Allowed: "), "{because}");
    }
    jeton.change_member(person.id, |member| member.standing = Standing::Blocked).await;
    jeton.clock.advance(Duration::from_secs(1));
    assert_eq!(told(&theirs).await, (false, false, "Denied: the token's owner is blocked".to_owned()));
    assert_eq!(told(&ending).await, (false, false, "Denied: the token has expired".to_owned()));
    assert!(told(&service).await.1, "a service's token outlives its maker");
}

#[tokio::test]
async fn what_is_missing_or_nonsense_is_said() {
    let jeton = Jeton::start().await;
    let owner = &jeton.owner.secret;
    for (query, said) in [
        ("", "action is missing"),
        ("action=x", "resource is missing"),
        ("action=x&resource=planet/earth", "names no resource"),
    ] {
        let refused = explain(&jeton, owner, query).await.expect(400);
        assert!(refused.string("detail").contains(said), "{}", refused.text());
    }
    explain(&jeton, owner, "action=x&resource=proj/p&token=nonsense").await.expect(404);
    explain(&jeton, "garbage", "action=x&resource=proj/p").await.expect(401);
    let told = explain(&jeton, owner, "action=x&resource=proj/p").await.expect(200).json();
    assert_eq!(
        told["because"],
        "Allowed: the rights of the token's owner allow it (the base role owner allows it)"
    );
}
