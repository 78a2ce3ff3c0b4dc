//! Members, custom roles and logins through the outer door, in both dialects: what the contracts say call by call, and
//! what nobody may do.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use std::time::Duration;

use jeton_core::role::BaseRole;
use jeton_testkit::{Jeton, Reply};
use serde_json::{Value, json};

const USERS: &str = "/api/v1/users";
const LOGIN: &str = "/api/v1/users/login";
const MEMBERS: &str = "/api/v2/members";
const ROLES: &str = "/api/v2/roles";
const TOKENS: &str = "/api/v2/tokens";

async fn canvus(jeton: &Jeton, secret: &str, method: &str, path: &str, body: Value) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    jeton.send(method, path, &[("private-token", secret)], body).await
}

async fn call(jeton: &Jeton, secret: &str, method: &str, path: &str, body: Value) -> Reply {
    let body = body.to_string();
    jeton.call(secret, method, path, (body != "null").then_some(body.as_str())).await
}

async fn user(jeton: &Jeton, email: &str, body: Value) -> Value {
    let mut whole = json!({ "email": email, "name": "Ada", "password": "correct horse" });
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    canvus(jeton, &jeton.owner.secret, "POST", USERS, whole).await.expect(200).json()
}

async fn login(jeton: &Jeton, body: Value) -> Reply {
    jeton.send("POST", LOGIN, &[("private-token", "stale")], body.to_string()).await
}

#[tokio::test]
async fn a_user_lives_a_whole_life() {
    let jeton = Jeton::start().await;
    let owner = &jeton.owner.secret;
    let made = user(&jeton, "ada@example.com", json!({ "id": null })).await;
    let expected = json!({
        "admin": false, "approved": true, "blocked": false, "created_at": "2026-01-02T03:04:05.678Z",
        "email": "ada@example.com", "id": 1001, "last_login": "", "name": "Ada", "state": "normal",
    });
    assert_eq!(made, expected);
    let path = format!("{USERS}/1001");
    assert_eq!(canvus(&jeton, owner, "GET", &path, Value::Null).await.expect(200).json(), expected);
    let all = canvus(&jeton, owner, "GET", USERS, Value::Null).await.expect(200).json();
    assert_eq!(
        all.as_array().unwrap().iter().map(|user| user["id"].clone()).collect::<Vec<_>>(),
        [1000, 1001]
    );

    let patch = json!({ "name": "Ada L.", "admin": true });
    let patched = canvus(&jeton, owner, "PATCH", &path, patch).await.expect(200).json();
    assert_eq!((&patched["name"], &patched["admin"]), (&json!("Ada L."), &json!(true)));

    let secret = login(&jeton, json!({ "email": "ADA@example.com", "password": "correct horse" })).await;
    let secret = secret.expect(200).string("token");
    canvus(&jeton, &secret, "GET", &path, Value::Null).await.expect(200);
    let blocked = canvus(&jeton, owner, "POST", &format!("{path}/block"), Value::Null).await.expect(200);
    assert_eq!(blocked.json()["blocked"], true);
    canvus(&jeton, &secret, "GET", &path, Value::Null).await.expect(401);
    let refused = login(&jeton, json!({ "email": "ada@example.com", "password": "correct horse" })).await;
    refused.expect(403);
    canvus(&jeton, owner, "POST", &format!("{path}/unblock"), Value::Null).await.expect(200);
    canvus(&jeton, &secret, "GET", &path, Value::Null).await.expect(200);

    let gone = canvus(&jeton, owner, "DELETE", &path, Value::Null).await.expect(200);
    assert_eq!((gone.header("content-type"), gone.body.len()), (None, 0));
    canvus(&jeton, &secret, "GET", &path, Value::Null).await.expect(401);
    canvus(&jeton, owner, "GET", &path, Value::Null).await.expect(404);
    let refused = login(&jeton, json!({ "email": "ada@example.com", "password": "correct horse" })).await;
    assert_eq!(refused.expect(401).json(), json!({ "msg": "Invalid username or password." }));
    let next = user(&jeton, "ada@example.com", json!({})).await;
    assert_eq!(next["id"], 1002, "the address is free again, the number is not");
}

#[tokio::test]
async fn a_user_who_can_not_be_made() {
    let jeton = Jeton::start().await;
    let owner = &jeton.owner.secret;
    user(&jeton, "ada@example.com", json!({})).await;
    for (body, said) in [
        (json!({}), "email parameter is missing"),
        (json!({ "email": "a@b" }), "name parameter is missing"),
        (json!({ "email": "nobody", "name": "N" }), "is no e-mail address"),
        (json!({ "email": "Ada@Example.com", "name": "N" }), "already in use"),
        (json!({ "email": "a@b", "name": "N", "password": "short" }), "8 to 1024 characters"),
    ] {
        let refused = canvus(&jeton, owner, "POST", USERS, body).await.expect(400);
        assert!(refused.string("msg").contains(said), "{}", refused.text());
    }
    let regular = jeton.add_member(1500, BaseRole::Writer).await;
    for (method, path) in
        [("POST", USERS), ("DELETE", "/api/v1/users/1001"), ("POST", "/api/v1/users/1001/block")]
    {
        let refused = canvus(&jeton, &regular.secret, method, path, json!({})).await.expect(403);
        assert_eq!(refused.string("msg"), "Permission denied");
    }
    canvus(&jeton, &regular.secret, "GET", USERS, Value::Null).await.expect(200);
    canvus(&jeton, &regular.secret, "PATCH", "/api/v1/users/1500", json!({ "name": "Me" })).await.expect(200);
    canvus(&jeton, &regular.secret, "PATCH", "/api/v1/users/1500", json!({ "admin": true }))
        .await
        .expect(403);
    canvus(&jeton, &regular.secret, "PATCH", "/api/v1/users/1001", json!({ "name": "X" })).await.expect(403);
    canvus(&jeton, owner, "GET", "/api/v1/users/me", Value::Null).await.expect(400);
    canvus(&jeton, owner, "GET", "/api/v1/users/999999", Value::Null).await.expect(404);
}

#[tokio::test]
async fn a_login_is_for_a_day_and_in_no_list() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    user(&jeton, "ada@example.com", json!({ "admin": true })).await;
    let credentials = json!({ "email": "ada@example.com", "password": "correct horse", "remember": true });
    let reply = login(&jeton, credentials.clone()).await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.json()["user"]["id"], 1001);
    let first = reply.string("token");
    assert!(first.starts_with("jtn_log_"));
    let old_words = json!({ "username": "ada@example.com", "password": "correct horse" });
    login(&jeton, old_words).await.expect(200);

    let mine =
        canvus(&jeton, &first, "GET", "/api/v1/users/1001/access-tokens", Value::Null).await.expect(200);
    assert_eq!(mine.json(), json!([]));
    let all = call(&jeton, &owner, "GET", &format!("{TOKENS}?showAll=true"), Value::Null).await.expect(200);
    assert_eq!(all.json()["totalCount"], 1);
    let identity = call(&jeton, &first, "GET", "/api/v2/caller-identity", Value::Null).await.expect(200);
    for method in ["GET", "DELETE"] {
        let path = format!("{TOKENS}/{}", identity.string("tokenId"));
        call(&jeton, &owner, method, &path, Value::Null).await.expect(404);
    }

    jeton.clock.advance(Duration::from_hours(23));
    let second = login(&jeton, json!({ "token": first })).await.expect(200).string("token");
    jeton.clock.advance(Duration::from_hours(23));
    for secret in [&first, &second] {
        canvus(&jeton, secret, "GET", USERS, Value::Null).await.expect(200);
    }
    let out = canvus(&jeton, &second, "POST", "/api/v1/users/logout", json!({ "token": first })).await;
    assert_eq!(out.expect(200).json(), json!({}));
    canvus(&jeton, &first, "GET", USERS, Value::Null).await.expect(401);
    canvus(&jeton, &second, "POST", "/api/v1/users/logout", Value::Null).await.expect(200);
    canvus(&jeton, &second, "POST", "/api/v1/users/logout", Value::Null).await.expect(401);
    // A token that a script lives on is not a login, and outlives a logout.
    canvus(&jeton, &owner, "POST", "/api/v1/users/logout", Value::Null).await.expect(200);
    canvus(&jeton, &owner, "GET", USERS, Value::Null).await.expect(200);
    let third = login(&jeton, credentials).await.expect(200).string("token");
    jeton.clock.advance(Duration::from_hours(24));
    canvus(&jeton, &third, "GET", USERS, Value::Null).await.expect(401);
}

#[tokio::test]
async fn a_login_says_both_or_a_token_and_nothing_else() {
    let jeton = Jeton::start().await;
    for body in [
        json!({}),
        json!({ "email": "a@b" }),
        json!({ "email": "a@b", "username": "a@b", "password": "p" }),
        json!({ "email": "a@b", "password": "p", "token": "t" }),
        json!({ "email": "a@b", "password": 7 }),
        json!({ "token": null }),
    ] {
        let refused = login(&jeton, body).await.expect(400);
        assert_eq!(refused.string("msg"), "Login request must have either email and password or token");
    }
    login(&jeton, json!({ "token": "garbage" })).await.expect(401);
    let service =
        call(&jeton, &jeton.owner.secret, "POST", TOKENS, json!({ "role": "admin", "serviceToken": true }));
    let service = service.await.expect(201).string("token");
    login(&jeton, json!({ "token": service })).await.expect(401);
}

/// A narrow token must not become its owner by logging in.
#[tokio::test]
async fn a_login_by_a_narrow_token_is_as_narrow() {
    let jeton = Jeton::start().await;
    let narrow = call(&jeton, &jeton.owner.secret, "POST", TOKENS, json!({ "role": "reader" })).await;
    let narrow = narrow.expect(201).string("token");
    let login = login(&jeton, json!({ "token": narrow })).await.expect(200).string("token");
    call(&jeton, &login, "POST", TOKENS, json!({ "role": "reader" })).await.expect(403);
    canvus(&jeton, &login, "POST", "/api/v1/users/1000/access-tokens", json!({ "description": "d" }))
        .await
        .expect(403);
}

/// The other way round: a password set by a narrow token would be the way out of its bounds.
#[tokio::test]
async fn a_narrow_token_sets_no_password() {
    let jeton = Jeton::start().await;
    let narrow = call(&jeton, &jeton.owner.secret, "POST", TOKENS, json!({ "role": "admin" })).await;
    let narrow = narrow.expect(201).string("token");
    let new = json!({ "new_password": "battery staple" });
    canvus(&jeton, &narrow, "POST", "/api/v1/users/1000/password", new).await.expect(403);
    canvus(&jeton, &narrow, "PATCH", "/api/v1/users/1000", json!({ "password": "battery staple" }))
        .await
        .expect(403);
    login(&jeton, json!({ "email": "owner@example.com", "password": "battery staple" })).await.expect(401);
}

/// Whoever may not set a password does not make the server work for it either, nor does an address that fails too often.
#[tokio::test]
async fn no_password_is_hashed_for_those_who_may_not() {
    let jeton = Jeton::start().await;
    let reader = jeton.add_member(1500, BaseRole::Reader).await;
    let too_short = json!({ "password": "short" });
    // The length would be found first if the password were looked at.
    canvus(&jeton, &reader.secret, "PATCH", "/api/v1/users/1000", too_short).await.expect(403);
    let members = json!([{ "email": "a@example.com", "password": "short" }]);
    call(&jeton, &reader.secret, "POST", MEMBERS, members).await.expect(403);
    let new = json!({ "new_password": "short" });
    canvus(&jeton, &reader.secret, "POST", "/api/v1/users/1000/password", new).await.expect(403);
    for _ in 0..100 {
        canvus(&jeton, "garbage", "GET", USERS, Value::Null).await.expect(401);
    }
    login(&jeton, json!({ "email": "new@example.com", "password": "wrong horse" })).await.expect(429);
}

#[tokio::test]
async fn wrong_passwords_are_slowed_and_tokens_are_not() {
    let jeton = Jeton::start().await;
    user(&jeton, "ada@example.com", json!({})).await;
    let right = json!({ "email": "ada@example.com", "password": "correct horse" });
    let good = login(&jeton, right.clone()).await.expect(200).string("token");
    for _ in 0..10 {
        login(&jeton, json!({ "email": "Ada@example.com", "password": "wrong" })).await.expect(401);
    }
    let slowed = login(&jeton, right.clone()).await.expect(429);
    assert!(slowed.header("retry-after").is_some());
    canvus(&jeton, &good, "GET", USERS, Value::Null).await.expect(200);
    jeton.clock.advance(Duration::from_mins(1));
    login(&jeton, right).await.expect(200);
}

#[tokio::test]
async fn a_password_changes_and_the_other_logins_end() {
    let jeton = Jeton::start().await;
    user(&jeton, "ada@example.com", json!({})).await;
    let old = json!({ "email": "ada@example.com", "password": "correct horse" });
    let here = login(&jeton, old.clone()).await.expect(200).string("token");
    let elsewhere = login(&jeton, old.clone()).await.expect(200).string("token");
    let path = "/api/v1/users/1001/password";
    let change = |current: &str| json!({ "current_password": current, "new_password": "battery staple" });
    canvus(&jeton, &here, "POST", path, change("wrong horse")).await.expect(401);
    canvus(&jeton, &here, "POST", path, change("correct horse")).await.expect(200);
    canvus(&jeton, &here, "GET", USERS, Value::Null).await.expect(200);
    canvus(&jeton, &elsewhere, "GET", USERS, Value::Null).await.expect(401);
    login(&jeton, old).await.expect(401);
    login(&jeton, json!({ "email": "ada@example.com", "password": "battery staple" })).await.expect(200);
    // An administrator sets another's, but not the owner's: that would be a way to become the owner.
    let admin = jeton.add_member(1500, BaseRole::Admin).await;
    canvus(&jeton, &admin.secret, "POST", path, json!({ "new_password": "from an admin" })).await.expect(200);
    let owners = "/api/v1/users/1000/password";
    canvus(&jeton, &admin.secret, "POST", owners, json!({ "new_password": "from an admin" }))
        .await
        .expect(403);
}

#[tokio::test]
async fn a_member_lives_a_whole_life() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let body = json!([
        { "email": "ada@example.com", "firstName": "Ada", "lastName": "L", "role": "writer" },
        { "email": "bob@example.com" },
    ]);
    let added = call(&jeton, &owner, "POST", MEMBERS, body).await.expect(201).json();
    let (ada, bob) = (&added["items"][0], &added["items"][1]);
    assert_eq!(added["totalCount"], 2);
    assert_eq!(
        (&ada["firstName"], &ada["lastName"], &ada["role"]),
        (&json!("Ada"), &json!("L"), &json!("writer"))
    );
    assert_eq!((&bob["role"], bob.get("firstName")), (&json!("reader"), None));
    for name in [
        "_links",
        "_id",
        "role",
        "email",
        "_pendingInvite",
        "_verified",
        "customRoles",
        "mfa",
        "_lastSeen",
        "creationDate",
    ] {
        assert!(!ada[name].is_null(), "{name}");
    }
    let path = format!("{MEMBERS}/{}", ada["_id"].as_str().unwrap());
    assert_eq!(call(&jeton, &owner, "GET", &path, Value::Null).await.expect(200).json(), *ada);

    let listed = call(&jeton, &owner, "GET", &format!("{MEMBERS}?limit=2&offset=1"), Value::Null).await;
    let listed = listed.expect(200).json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["totalCount"]), (2, &json!(3)));
    for (filter, expected) in
        [("query:ADA", 1), ("role:writer", 1), ("role:reader|owner", 2), ("email:bob@example.com", 1)]
    {
        let path = format!("{MEMBERS}?filter={filter}");
        let listed = call(&jeton, &owner, "GET", &path, Value::Null).await.expect(200).json();
        assert_eq!(listed["totalCount"], expected, "{filter}");
    }
    call(&jeton, &owner, "GET", &format!("{MEMBERS}?filter=shoe:7"), Value::Null).await.expect(400);
    call(&jeton, &owner, "GET", &format!("{MEMBERS}?sort=size"), Value::Null).await.expect(400);

    let me = call(&jeton, &owner, "GET", &format!("{MEMBERS}/me"), Value::Null).await.expect(200);
    assert_eq!(me.json()["role"], "owner");
    let patch = json!([{ "op": "replace", "path": "/role", "value": "admin" }]);
    let patched = call(&jeton, &owner, "PATCH", &path, patch).await.expect(200);
    assert_eq!(patched.json()["role"], "admin");
    for patch in [
        json!([{ "op": "replace", "path": "/email", "value": "x@example.com" }]),
        json!([{ "op": "replace", "path": "/role", "value": "king" }]),
        json!([{ "op": "replace", "path": "/role", "value": "owner" }]),
    ] {
        call(&jeton, &owner, "PATCH", &path, patch).await.expect(400);
    }
    call(&jeton, &owner, "DELETE", &path, Value::Null).await.expect(204);
    call(&jeton, &owner, "GET", &path, Value::Null).await.expect(404);
}

#[tokio::test]
async fn members_are_added_all_or_none() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let body = |last: Value| json!([{ "email": "ada@example.com" }, { "email": "bob@example.com" }, last]);
    for (last, status) in [
        (json!({ "email": "Owner@example.com" }), 400),
        (json!({ "email": "ADA@example.com" }), 400),
        (json!({ "email": "no address" }), 400),
        (json!({ "email": "eve@example.com", "role": "owner" }), 400),
        (json!({ "email": "eve@example.com", "customRoles": ["unknown"] }), 400),
    ] {
        call(&jeton, &owner, "POST", MEMBERS, body(last)).await.expect(status);
        let listed = call(&jeton, &owner, "GET", MEMBERS, Value::Null).await.expect(200);
        assert_eq!(listed.json()["totalCount"], 1);
    }
    call(&jeton, &owner, "POST", MEMBERS, json!([])).await.expect(400);
    call(&jeton, &owner, "POST", MEMBERS, json!({ "email": "a@b" })).await.expect(400);
}

/// The vendor says which addresses stand in the way, and that it is a mistake in the request: 400, not 409.
#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    call(&jeton, &owner, "POST", MEMBERS, json!([{ "email": "ada@example.com" }])).await.expect(201);
    let refused = call(&jeton, &owner, "POST", MEMBERS, json!([{ "email": "Ada@example.com" }])).await;
    let said = refused.expect(400).json();
    assert_eq!(
        (&said["code"], &said["invalid_emails"]),
        (&json!("email_already_exists_in_account"), &json!(["Ada@example.com"]))
    );
}

/// Every filter and order of the vendor that makes sense without teams, and an address as Terraform writes it: encoded
/// once for the filter and once more for the query.
#[tokio::test]
async fn members_are_found_by_every_filter_and_stand_in_every_order() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let role = json!({ "key": "Ops", "name": "Ops", "policy": [] });
    let role = call(&jeton, &owner, "POST", ROLES, role).await.expect(201).string("_id");
    let body = json!([
        { "email": "ada+lists@example.com", "firstName": "Zoe", "role": "admin" },
        { "email": "bob@example.com", "customRoles": ["Ops"] },
        { "email": "half%2540@example.com", "role": "reader" },
    ]);
    let added = call(&jeton, &owner, "POST", MEMBERS, body).await.expect(201).json();
    let ids: Vec<_> = (0..3).map(|at| added["items"][at]["_id"].as_str().unwrap().to_owned()).collect();
    for (filter, expected) in [
        ("query%3Aada%252Blists%2540example.com".to_owned(), 1),
        ("query:ada%2Blists@example.com".to_owned(), 1),
        ("query:half%252540".to_owned(), 1),
        ("role:admin".to_owned(), 2),
        ("role:Admin".to_owned(), 2),
        ("role:owner".to_owned(), 1),
        ("role:Ops".to_owned(), 1),
        (format!("role:{role}|reader"), 2),
        ("role:nothing".to_owned(), 0),
        (format!("id:{}|{}", ids[0], ids[1]), 2),
        ("email:BOB@example.com|ada%2Blists@example.com|nobody@example.com".to_owned(), 2),
        ("email:bob@example.com,role:admin".to_owned(), 0),
        ("noteam:true".to_owned(), 4),
        ("noteam:false".to_owned(), 0),
        ("team:any".to_owned(), 0),
    ] {
        let path = format!("{MEMBERS}?filter={filter}");
        let listed = call(&jeton, &owner, "GET", &path, Value::Null).await.expect(200).json();
        assert_eq!(listed["totalCount"], expected, "{filter}");
    }
    call(&jeton, &owner, "GET", &format!("{MEMBERS}?filter=noteam:perhaps"), Value::Null).await.expect(400);
    // Without a name the address counts.
    let forward = ["bob@example.com", "half%2540@example.com", "ada+lists@example.com"];
    for (sort, turned) in
        [("displayName", false), ("lastSeen,displayName", false), ("-displayName,lastSeen", true)]
    {
        let path = format!("{MEMBERS}?filter=role:reader|no_access|admin&sort={sort}");
        let listed = call(&jeton, &owner, "GET", &path, Value::Null).await.expect(200).json();
        let mut emails: Vec<_> = listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["email"].as_str().unwrap())
            .filter(|email| forward.contains(email))
            .collect();
        if turned {
            emails.reverse();
        }
        assert_eq!(emails, forward, "{sort}");
    }
}

/// Terraform sends every text that its resource has, empty ones too.
#[tokio::test]
async fn an_empty_role_of_a_new_member_is_none() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let role = json!({ "key": "ops", "name": "Ops", "description": "", "policy": null });
    let role = call(&jeton, &owner, "POST", ROLES, role).await.expect(201).string("_id");
    let body = json!([{
        "email": "ada@example.com", "firstName": "", "lastName": "", "role": "", "customRoles": ["ops"],
    }]);
    let added = call(&jeton, &owner, "POST", MEMBERS, body).await.expect(201).json();
    assert_eq!(added["items"][0]["customRoles"], json!([role]));
    let path = format!("{MEMBERS}/{}", added["items"][0]["_id"].as_str().unwrap());
    let patch = json!([
        { "op": "replace", "path": "/role", "value": "writer" },
        { "op": "replace", "path": "/customRoles", "value": [] },
    ]);
    let patched = call(&jeton, &owner, "PATCH", &path, patch).await.expect(200).json();
    assert_eq!((&patched["role"], &patched["customRoles"]), (&json!("writer"), &json!([])));
}

#[tokio::test]
async fn the_owner_stays_and_nobody_rises_above_themselves() {
    let jeton = Jeton::start().await;
    let admin = jeton.add_member(1500, BaseRole::Admin).await;
    let (owner, admins) = (format!("{MEMBERS}/{}", jeton.owner.id), format!("{MEMBERS}/{}", admin.id));
    let role = |role: &str| json!([{ "op": "replace", "path": "/role", "value": role }]);
    for secret in [&jeton.owner.secret, &admin.secret] {
        call(&jeton, secret, "PATCH", &owner, role("reader")).await.expect(403);
        call(&jeton, secret, "DELETE", &owner, Value::Null).await.expect(403);
    }
    call(&jeton, &admin.secret, "PATCH", &admins, role("owner")).await.expect(400);
    let writer = jeton.add_member(1501, BaseRole::Writer).await;
    let own = format!("{MEMBERS}/{}", writer.id);
    call(&jeton, &writer.secret, "PATCH", &own, role("admin")).await.expect(403);
    let narrow = json!({ "inlineRole": [{ "effect": "allow", "actions": ["*"], "resources": ["member/*", "role/*"] }] });
    let narrow = json!({ "inlineRole": [
        { "effect": "allow", "actions": ["*"], "resources": ["member/*"] },
        { "effect": "allow", "actions": ["*"], "resources": ["role/*"] },
    ], "name": narrow.to_string() });
    let narrow = call(&jeton, &admin.secret, "POST", TOKENS, narrow).await.expect(201).string("token");
    call(&jeton, &narrow, "POST", MEMBERS, json!([{ "email": "r@example.com" }])).await.expect(201);
    call(&jeton, &narrow, "POST", MEMBERS, json!([{ "email": "a@example.com", "role": "admin" }]))
        .await
        .expect(403);
    call(&jeton, &narrow, "DELETE", &admins, Value::Null).await.expect(403);
    let policy = json!([{ "effect": "allow", "actions": ["*"], "resources": ["service-token/*"] }]);
    call(&jeton, &narrow, "POST", ROLES, json!({ "key": "k", "name": "K", "policy": policy }))
        .await
        .expect(403);
}

#[tokio::test]
async fn a_role_lives_a_whole_life_and_works_at_once() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let policy = |actions: &[&str]| json!([{ "effect": "allow", "actions": actions, "resources": ["service-token/*"] }]);
    let body =
        json!({ "key": "ops", "name": "Ops", "description": "d", "policy": policy(&["createAccessToken"]) });
    let made = call(&jeton, &owner, "POST", ROLES, body.clone()).await.expect(201).json();
    assert_eq!((&made["key"], &made["basePermissions"]), (&json!("ops"), &json!("no_access")));
    let id = made["_id"].as_str().unwrap().to_owned();
    call(&jeton, &owner, "POST", ROLES, body).await.expect(409);
    for name in ["ops", &id] {
        let got = call(&jeton, &owner, "GET", &format!("{ROLES}/{name}"), Value::Null).await.expect(200);
        assert_eq!(got.json(), made);
    }
    let token = json!({ "customRoleIds": ["ops"], "name": "by role" });
    let token = call(&jeton, &owner, "POST", TOKENS, token).await.expect(201);
    assert_eq!(token.json()["customRoleIds"], json!([id]));
    let token = token.string("token");
    let create = || json!({ "role": "reader", "serviceToken": true });
    let first = call(&jeton, &token, "POST", TOKENS, create()).await.expect(201).string("_id");
    call(&jeton, &token, "DELETE", &format!("{TOKENS}/{first}"), Value::Null).await.expect(403);

    let commented = json!({ "comment": "why", "patch": [
        { "op": "replace", "path": "/policy/0/actions", "value": ["*"] },
        { "op": "replace", "path": "/basePermissions", "value": "reader" },
        { "op": "remove", "path": "/description" },
    ] });
    let patched = call(&jeton, &owner, "PATCH", &format!("{ROLES}/ops"), commented).await.expect(200).json();
    assert_eq!((&patched["policy"][0]["actions"], patched.get("description")), (&json!(["*"]), None));
    call(&jeton, &token, "DELETE", &format!("{TOKENS}/{first}"), Value::Null).await.expect(204);

    for patch in [
        json!([{ "op": "replace", "path": "/key", "value": "other" }]),
        json!([{ "op": "add", "path": "/policy/-", "value": { "effect": "Allow", "actions": ["*"], "resources": ["proj/*"] } }]),
        json!([{ "op": "replace", "path": "/basePermissions", "value": "writer" }]),
    ] {
        call(&jeton, &owner, "PATCH", &format!("{ROLES}/ops"), patch).await.expect(400);
    }
    call(&jeton, &owner, "DELETE", &format!("{ROLES}/{id}"), Value::Null).await.expect(204);
    call(&jeton, &owner, "GET", &format!("{ROLES}/ops"), Value::Null).await.expect(404);
    call(&jeton, &token, "POST", TOKENS, create()).await.expect(403);
}

#[tokio::test]
async fn roles_and_members_of_another_account_do_not_exist() {
    let jeton = Jeton::start().await;
    let (_, stranger) = jeton.add_account().await;
    let policy = json!([]);
    call(&jeton, &jeton.owner.secret, "POST", ROLES, json!({ "key": "k", "name": "K", "policy": policy }))
        .await
        .expect(201);
    for (method, path) in [
        ("GET", format!("{ROLES}/k")),
        ("DELETE", format!("{ROLES}/k")),
        ("GET", format!("{MEMBERS}/{}", jeton.owner.id)),
        ("DELETE", format!("{MEMBERS}/{}", jeton.owner.id)),
    ] {
        call(&jeton, &stranger.secret, method, &path, Value::Null).await.expect(404);
    }
    let listed = call(&jeton, &stranger.secret, "GET", MEMBERS, Value::Null).await.expect(200);
    assert_eq!(listed.json()["totalCount"], 1);
    canvus(&jeton, &stranger.secret, "GET", "/api/v1/users/1000", Value::Null).await.expect(404);
}

#[tokio::test]
async fn a_custom_role_takes_the_place_of_a_members_base_role() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let person = jeton.add_member(1500, BaseRole::Admin).await;
    let policy = json!([{ "effect": "deny", "actions": ["*"], "resources": ["service-token/*"] }]);
    call(&jeton, &owner, "POST", ROLES, json!({ "key": "none", "name": "None", "policy": policy }))
        .await
        .expect(201);
    call(&jeton, &person.secret, "POST", TOKENS, json!({ "role": "reader", "serviceToken": true }))
        .await
        .expect(201);
    let path = format!("{MEMBERS}/{}", person.id);
    let patch = json!([{ "op": "add", "path": "/customRoles/-", "value": "none" }]);
    let patched = call(&jeton, &owner, "PATCH", &path, patch).await.expect(200).json();
    assert_eq!(patched["customRoles"].as_array().unwrap().len(), 1);
    call(&jeton, &person.secret, "POST", TOKENS, json!({ "role": "reader", "serviceToken": true }))
        .await
        .expect(403);
    call(&jeton, &owner, "DELETE", &format!("{ROLES}/none"), Value::Null).await.expect(204);
    let shown = call(&jeton, &owner, "GET", &path, Value::Null).await.expect(200).json();
    assert_eq!(shown["customRoles"], json!([]), "a role that is gone is not shown");
}

/// The order in which somebody wrote fields down is nobody's contract.
#[tokio::test]
async fn an_array_is_not_read_as_the_object_it_could_stand_for() {
    let jeton = Jeton::start().await;
    let owner = &jeton.owner.secret;
    let fields = json!(["eve@example.com", "Eve", null, true, null, null]);
    for (method, path, body) in [
        ("POST", USERS.to_owned(), &fields),
        ("PATCH", format!("{USERS}/1000"), &fields),
        ("POST", format!("{USERS}/1000/password"), &json!([null, "correct horse"])),
    ] {
        let refused = canvus(&jeton, owner, method, &path, body.clone()).await.expect(400);
        assert!(refused.text().contains("an object"), "{refused:?}");
    }
    assert_eq!(jeton.service.index().directory().members_of(jeton.account).len(), 1);
}
