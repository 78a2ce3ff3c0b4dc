//! LaunchDarkly v2 through its outer door: create, get, delete, reset, and the neighbours that clients ask.
//!
//! The list is in `launchdarkly_list.rs`, the patch in `launchdarkly_patch.rs`, headers in `launchdarkly_headers.rs`, who
//! may do what in `authorization.rs`. That no reply holds a `null`, a fraction or a half-filled member is looked at in
//! every test by the test kit.

use std::time::Duration;

use jeton_core::policy::{Effect, Statement};
use jeton_core::role::BaseRole;
use jeton_testkit::{Jeton, Reply};
use serde_json::{Value, json};

const TOKENS: &str = "/api/v2/tokens";
const NOBODY: &str = "0123456789abcdef01234567";
const NOW: i64 = 1_767_323_045_678;
const JSON: Option<&str> = Some("application/json");
const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

async fn create(jeton: &Jeton, body: &Value) -> Reply {
    jeton.call(&jeton.owner.secret, "POST", TOKENS, Some(&body.to_string())).await
}

async fn owner(jeton: &Jeton, method: &str, path: &str) -> Reply {
    jeton.call(&jeton.owner.secret, method, path, None).await
}

/// Whether a secret is good.
async fn works(jeton: &Jeton, secret: &str) -> bool {
    let reply = jeton.call(secret, "GET", "/api/v2/caller-identity", None).await;
    assert!(reply.status == 200 || reply.status == 401, "{reply:?}");
    reply.status == 200
}

/// What the test kit's owner looks like as the member of a token.
fn owner_summary(jeton: &Jeton) -> Value {
    let id = jeton.owner.id.to_string();
    json!({
        "_links": { "self": { "href": format!("/api/v2/members/{id}"), "type": "application/json" } },
        "_id": id,
        "firstName": "Owner",
        "role": "owner",
        "email": "owner@example.com",
    })
}

/// A custom role that allows everything about service tokens.
async fn role(jeton: &Jeton, key: &str) -> String {
    let statement = Statement {
        effect: Effect::Allow,
        resources: vec!["service-token/*".to_owned()],
        not_resources: Vec::new(),
        actions: vec!["*".to_owned()],
        not_actions: Vec::new(),
    };
    jeton.define_role(key, vec![statement]).await.to_string()
}

#[tokio::test]
async fn a_token_lives_its_whole_life() {
    let jeton = Jeton::start().await;

    let created =
        create(&jeton, &json!({ "name": "ci", "description": "of the pipeline", "role": "admin" })).await;
    let created = created.expect(201);
    assert_eq!(created.header("content-type"), Some("application/json"));
    assert_eq!(created.header("cache-control"), Some("no-store"));
    let (id, secret) = (created.string("_id"), created.string("token"));
    let mut token = json!({
        "_id": id,
        "ownerId": jeton.account.to_string(),
        "memberId": jeton.owner.id.to_string(),
        "_member": owner_summary(&jeton),
        "name": "ci",
        "description": "of the pipeline",
        "creationDate": NOW,
        "lastModified": NOW,
        "role": "admin",
        "token": secret,
        "serviceToken": false,
        "_links": {
            "parent": { "href": TOKENS, "type": "application/json" },
            "self": { "href": format!("{TOKENS}/{id}"), "type": "application/json" },
        },
        "defaultApiVersion": 20_240_415,
        "lastUsed": 0,
    });
    assert_eq!(created.json(), token);

    // From now on only the end of the secret is shown. Looking at a token is no use of it; asking with it is.
    token["token"] = json!(secret[secret.len() - 4..]);
    let single = format!("{TOKENS}/{id}");
    assert_eq!(owner(&jeton, "GET", &single).await.expect(200).json(), token);
    jeton.clock.advance(Duration::from_secs(5));
    token["lastUsed"] = json!(NOW + 5000);
    assert_eq!(jeton.call(&secret, "GET", &single, None).await.expect(200).json(), token);

    // A reset: the same token with another secret.
    jeton.clock.advance(Duration::from_secs(5));
    let reset = owner(&jeton, "POST", &format!("{single}/reset")).await.expect(200);
    assert_eq!(reset.header("cache-control"), Some("no-store"));
    let next = reset.string("token");
    assert_ne!(next, secret);
    token["token"] = json!(next);
    token["lastModified"] = json!(NOW + 10_000);
    assert_eq!(reset.json(), token);
    assert!(!works(&jeton, &secret).await);
    assert!(works(&jeton, &next).await);

    let gone = owner(&jeton, "DELETE", &single).await.expect(204);
    assert_eq!((gone.header("content-type"), gone.body.len()), (None, 0));
    assert!(!works(&jeton, &next).await);
    for (method, path) in [("GET", &single), ("DELETE", &single), ("POST", &format!("{single}/reset"))] {
        let headers = [("authorization", jeton.owner.secret.as_str()), ("x-request-id", "r1")];
        let nothing = jeton.send(method, path, &headers, "").await.expect(404);
        let expected = json!({ "code": "not_found", "message": "There is no such access token", "id": "r1" });
        assert_eq!(nothing.json(), expected);
    }
}

/// What is shown of a create, beside what was asked for: members that were left out are left out.
#[tokio::test]
async fn a_create_takes_what_clients_send() {
    let jeton = Jeton::start().await;
    let deploy = role(&jeton, "deploy").await;
    let other = role(&jeton, "other").await;
    let statements = json!([
        { "effect": "allow", "resources": ["service-token/*"], "actions": ["*"] },
        { "effect": "deny", "notResources": ["member/*:token/*"], "notActions": ["deleteAccessToken", "x"] },
    ]);

    for (body, shown) in [
        (json!({ "role": "reader" }), json!({ "role": "reader" })),
        (json!({ "role": "writer" }), json!({ "role": "writer" })),
        (json!({ "role": "admin" }), json!({ "role": "admin" })),
        // Terraform sends an empty name, and takes one that is there for a change.
        (json!({ "role": "reader", "name": "", "description": "" }), json!({ "role": "reader" })),
        (
            json!({ "role": "reader", "name": " ü\t", "description": "\u{0}" }),
            json!({ "role": "reader", "name": " ü\t", "description": "\u{0}" }),
        ),
        // Roles by id or by key: ids come out, in the order given, each once.
        (json!({ "customRoleIds": [deploy] }), json!({ "customRoleIds": [deploy] })),
        (json!({ "customRoleIds": ["other", "deploy"] }), json!({ "customRoleIds": [other, deploy] })),
        (json!({ "customRoleIds": ["deploy", deploy] }), json!({ "customRoleIds": [deploy] })),
        (json!({ "inlineRole": statements }), json!({ "inlineRole": statements })),
        // The empty ones of the three are as if they were not there.
        (json!({ "role": "reader", "customRoleIds": [], "inlineRole": [] }), json!({ "role": "reader" })),
        (json!({ "customRoleIds": ["deploy"], "inlineRole": [] }), json!({ "customRoleIds": [deploy] })),
        (json!({ "role": "reader", "serviceToken": false }), json!({ "role": "reader" })),
        (
            json!({ "role": "reader", "serviceToken": true }),
            json!({ "role": "reader", "serviceToken": true }),
        ),
        (
            json!({ "role": "reader", "defaultApiVersion": 20_160_426 }),
            json!({ "role": "reader", "defaultApiVersion": 20_160_426 }),
        ),
        (json!({ "role": "reader", "defaultApiVersion": 0 }), json!({ "role": "reader" })),
        (json!({ "role": "reader", "expiry": NOW + 1 }), json!({ "role": "reader", "expiry": NOW + 1 })),
        (json!({ "role": "reader", "expiry": i64::MAX }), json!({ "role": "reader", "expiry": i64::MAX })),
        // Without a value is without the member, in a request too.
        (
            json!({
                "name": null, "description": null, "role": "reader", "customRoleIds": null, "inlineRole": null,
                "serviceToken": null, "defaultApiVersion": null, "expiry": null,
            }),
            json!({ "role": "reader" }),
        ),
        // Unknown members are ignored, and read-only ones too.
        (
            json!({ "role": "reader", "colour": { "deep": [1.5, null] }, "_id": NOBODY, "token": "mine", "memberId": 5 }),
            json!({ "role": "reader" }),
        ),
    ] {
        let created = create(&jeton, &body).await.expect(201);
        let mut expected = json!({
            "ownerId": jeton.account.to_string(),
            "memberId": jeton.owner.id.to_string(),
            "_member": owner_summary(&jeton),
            "creationDate": NOW,
            "lastModified": NOW,
            "serviceToken": false,
            "defaultApiVersion": 20_240_415,
            "lastUsed": 0,
        });
        let given = shown.as_object().unwrap().clone();
        expected.as_object_mut().unwrap().extend(given);
        for (name, value) in [("_id", "_id"), ("token", "token"), ("_links", "_links")] {
            expected[name] = created.json()[value].clone();
        }
        assert_eq!(created.json(), expected, "{body}");
        let got =
            owner(&jeton, "GET", &format!("{TOKENS}/{}", created.string("_id"))).await.expect(200).json();
        expected["token"] = got["token"].clone();
        assert_eq!(got, expected, "{body}");
    }
}

/// A policy is kept word for word, order, repetition and an ignored slash included.
#[tokio::test]
async fn an_inline_role_comes_back_word_for_word() {
    let jeton = Jeton::start().await;
    let policies = [
        json!([{ "effect": "deny", "actions": ["*"], "resources": ["*"] }]),
        json!([{ "effect": "allow", "actions": ["b", "a", "b", "noSuchAction*"], "resources": ["proj/b", "proj/a", "proj/b"] }]),
        json!([{ "effect": "allow", "actions": ["updateOn"], "resources": ["proj/*:env/*;qa_*:/flag/*"] }]),
        json!([{ "effect": "allow", "notActions": ["*"], "notResources": ["proj/*:env/staging"] }]),
        json!([{ "effect": "allow", "actions": ["*"], "resources": ["proj/${roleAttribute/mine}:env/*;{critical:false},Tag"] }]),
    ];
    for policy in policies {
        let created = create(&jeton, &json!({ "inlineRole": policy })).await.expect(201);
        assert_eq!(created.json()["inlineRole"], policy);
    }
    // All four lists, as some clients send them: the empty ones are as if they were not there.
    let padded = json!([{
        "effect": "allow", "actions": ["*"], "notActions": [], "resources": ["proj/*"], "notResources": null,
    }]);
    let created = create(&jeton, &json!({ "inlineRole": padded })).await.expect(201);
    let bare = json!([{ "effect": "allow", "actions": ["*"], "resources": ["proj/*"] }]);
    assert_eq!(created.json()["inlineRole"], bare);
}

#[tokio::test]
async fn a_create_that_cannot_be_understood_says_why_and_where() {
    let jeton = Jeton::start().await;
    let allow = |resources: Value| json!([{ "effect": "allow", "actions": ["*"], "resources": resources }]);
    let one_of =
        "Give exactly one of role, customRoleIds and inlineRole: a token is allowed what that one says";
    let role = "role must be reader, writer or admin (at /role)";
    let version = "defaultApiVersion must be one of 20160426, 20191212, 20210729, 20220603, 20240415";
    let past = "The expiry must lie in the future: give Unix milliseconds later than now";
    let effect = "effect must be allow or deny, in lower case (at /inlineRole/0/effect)";

    for (body, message) in [
        (json!({}), one_of),
        (json!({ "name": "ci" }), one_of),
        (json!({ "customRoleIds": [] }), one_of),
        (json!({ "inlineRole": [] }), one_of),
        (json!({ "role": "reader", "customRoleIds": ["x"] }), one_of),
        (json!({ "role": "reader", "inlineRole": allow(json!(["proj/*"])) }), one_of),
        (json!({ "role": "owner" }), role),
        (json!({ "role": "no_access" }), role),
        (json!({ "role": "Reader" }), role),
        (json!({ "role": "" }), role),
        (
            json!({ "customRoleIds": ["nowhere"] }),
            "There is no custom role with the id or key \"nowhere\": list the roles of the account, or correct it",
        ),
        (json!({ "role": "reader", "defaultApiVersion": 1 }), version),
        (json!({ "role": "reader", "defaultApiVersion": -20_240_415 }), version),
        (json!({ "role": "reader", "defaultApiVersion": 20_240_416 }), version),
        (json!({ "role": "reader", "expiry": NOW }), past),
        (json!({ "role": "reader", "expiry": 0 }), past),
        (json!({ "role": "reader", "expiry": -1 }), past),
        // Wrong types, each with its place.
        (json!({ "role": 5 }), "/role: invalid type: integer, expected a string"),
        (json!({ "role": ["reader"] }), "/role: invalid type: array, expected a string"),
        (json!({ "name": 5, "role": "reader" }), "/name: invalid type: integer, expected a string"),
        (
            json!({ "role": "reader", "serviceToken": "yes" }),
            "/serviceToken: invalid type: string, expected a boolean",
        ),
        (
            json!({ "role": "reader", "expiry": "1767323045679" }),
            "/expiry: invalid type: string, expected an integer",
        ),
        (json!({ "role": "reader", "expiry": 1.0 }), "/expiry: invalid type: number, expected an integer"),
        (
            json!({ "role": "reader", "expiry": u64::MAX }),
            "/expiry: invalid value: integer, expected an integer",
        ),
        (json!({ "customRoleIds": "x" }), "/customRoleIds: invalid type: string, expected an array"),
        (json!({ "customRoleIds": [5] }), "/customRoleIds/0: invalid type: integer, expected a string"),
        (json!({ "inlineRole": {} }), "/inlineRole: invalid type: object, expected an array"),
        (json!({ "inlineRole": ["allow"] }), "/inlineRole/0: invalid type: string, expected an object"),
        (
            json!({ "inlineRole": [["allow", ["proj/*"], null, ["*"], null]] }),
            "/inlineRole/0: invalid type: array, expected an object",
        ),
        (json!({ "inlineRole": [{}] }), "/inlineRole/0: missing field `effect`"),
        (
            json!({ "inlineRole": [{ "effect": 5 }] }),
            "/inlineRole/0/effect: invalid type: integer, expected a string",
        ),
        (json!(["ci"]), "the body: invalid type: array, expected an object"),
        (
            json!(["ci", null, "admin", null, null, null, null, null]),
            "the body: invalid type: array, expected an object",
        ),
        (json!(null), "the body: invalid type: null, expected an object"),
        (json!("reader"), "the body: invalid type: string, expected an object"),
        // Policies.
        (json!({ "inlineRole": [{ "effect": "Allow", "actions": ["*"], "resources": ["proj/*"] }] }), effect),
        (json!({ "inlineRole": [{ "effect": "", "actions": ["*"], "resources": ["proj/*"] }] }), effect),
        (
            json!({ "inlineRole": allow(json!(["proj/k:*"])) }),
            "Error parsing resource specifier \"proj/k:*\" (at /inlineRole/0/resources/0)",
        ),
        (
            json!({ "inlineRole": allow(json!(["proj/k:env/*:agentConfig/*"])) }),
            "Error parsing resource specifier \"proj/k:env/*:agentConfig/*\" (at /inlineRole/0/resources/0)",
        ),
        (
            json!({ "inlineRole": allow(json!(["proj/*", "proj/k:flag/*"])) }),
            "Error parsing resource specifier \"proj/k:flag/*\" (at /inlineRole/0/resources/1)",
        ),
        (
            json!({ "inlineRole": allow(json!(["proj/*", "member/*"])) }),
            "Resource specifiers in a single statement must represent the same kind of resource. \
             (at /inlineRole/0/resources/1)",
        ),
        (
            json!({ "inlineRole": allow(json!([])) }),
            "A statement needs one of \"resources\" and \"notResources\", and it must not be empty. (at /inlineRole/0)",
        ),
        (
            json!({ "inlineRole": [{ "effect": "allow", "resources": ["proj/*"] }] }),
            "A statement needs one of \"actions\" and \"notActions\", and it must not be empty. (at /inlineRole/0)",
        ),
        (
            json!({ "inlineRole": [{ "effect": "allow", "actions": ["*"], "resources": ["proj/*"], "notResources": ["proj/*"] }] }),
            "A statement can't have both \"resources\" and \"notResources\". (at /inlineRole/0)",
        ),
        (
            json!({ "inlineRole": [{ "effect": "allow", "actions": ["*"], "notActions": ["*"], "resources": ["proj/*"] }] }),
            "A statement can't have both \"actions\" and \"notActions\". (at /inlineRole/0)",
        ),
        (
            json!({ "inlineRole": [{ "effect": "allow", "actions": [""], "resources": ["proj/*"] }] }),
            "An action must not be empty. (at /inlineRole/0/actions/0)",
        ),
    ] {
        let reply = create(&jeton, &body).await.expect(400);
        assert_eq!(reply.json()["message"], message, "{body}");
        assert_eq!(reply.json().as_object().unwrap().len(), 3, "code, message and id: {reply:?}");
    }
    assert_eq!(owner(&jeton, "GET", TOKENS).await.expect(200).json()["totalCount"], 1, "nothing was made");
}

/// Some clients encode every character of an id that might need it, one encodes nothing.
#[tokio::test]
async fn an_id_may_come_encoded() {
    let jeton = Jeton::start().await;
    let id = create(&jeton, &json!({ "role": "reader" })).await.expect(201).string("_id");
    let encoded: String = id.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02x}"));
    for (given, status) in [
        (id.clone(), 200),
        (encoded.clone(), 200),
        (format!("{encoded}/"), 200),
        // An id has one spelling.
        (id.to_uppercase(), 404),
        (format!("{id}%20"), 404),
        (format!("%20{id}"), 404),
        (format!("{id}0"), 404),
        (id[1..].to_owned(), 404),
        ("a%2Fb%20c".to_owned(), 404),
        ("%FF%00".to_owned(), 404),
        ("%zz%".to_owned(), 404),
        ("..%2F..".to_owned(), 404),
        (NOBODY.to_owned(), 404),
        ("ü".repeat(12).bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02x}")), 404),
    ] {
        let reply = owner(&jeton, "GET", &format!("{TOKENS}/{given}")).await.expect(status);
        if status == 404 {
            assert_eq!(reply.json()["message"], "There is no such access token", "{given}");
        }
    }
    owner(&jeton, "POST", &format!("{TOKENS}/{encoded}/reset")).await.expect(200);
    owner(&jeton, "DELETE", &format!("{TOKENS}/{encoded}")).await.expect(204);
}

/// Every form in which a client says until when the old secret works, or says nothing.
#[tokio::test]
async fn a_reset_is_understood_in_every_form() {
    let soon = NOW + 3_600_000;
    let query = format!("?expiry={soon}");
    let both = format!("?x=1&expiry={soon}&expiry=1");
    let body = json!({ "expiry": soon }).to_string();
    let late = json!({ "expiry": NOW + 7_200_000 }).to_string();
    let form = format!("expiry={soon}");

    for (query, kind, body, graced) in [
        // Nothing: the old secret dies at once.
        ("", None, "", false),
        ("", JSON, "", false),
        ("", FORM, "", false),
        ("", JSON, "null", false),
        ("", JSON, " null\n", false),
        ("", None, "null", false),
        ("", JSON, "{}", false),
        ("", JSON, r#"{"expiry":null,"other":1}"#, false),
        ("?expiry=", None, "", false),
        // An instant that has come means the same.
        ("?expiry=-1", None, "", false),
        ("?expiry=0", None, "", false),
        ("?expiry=1767323045678", None, "", false),
        ("", JSON, r#"{"expiry":-1}"#, false),
        // An instant to come.
        (query.as_str(), None, "", true),
        (query.as_str(), JSON, "null", true),
        (both.as_str(), FORM, "", true),
        ("", JSON, body.as_str(), true),
        ("", None, body.as_str(), true),
        ("", FORM, body.as_str(), true),
        ("", FORM, form.as_str(), true),
        // The query counts before the body, and then the body is not even looked at.
        (query.as_str(), JSON, late.as_str(), true),
        (query.as_str(), JSON, "{", true),
        ("?expiry=-1", JSON, late.as_str(), false),
        ("?expiry=", JSON, body.as_str(), true),
    ] {
        let what = format!("{query} {kind:?} {body}");
        let jeton = Jeton::start().await;
        let created = create(&jeton, &json!({ "role": "reader" })).await.expect(201);
        let (id, old) = (created.string("_id"), created.string("token"));
        let mut headers = vec![("authorization", jeton.owner.secret.as_str())];
        headers.extend(kind.map(|kind| ("content-type", kind)));
        let reset =
            jeton.send("POST", &format!("{TOKENS}/{id}/reset{query}"), &headers, body).await.expect(200);
        let new = reset.string("token");
        // What ends is the old secret, and not the token.
        assert_eq!(reset.json().get("expiry"), None, "{what}");
        assert!(works(&jeton, &new).await, "{what}");
        assert_eq!(works(&jeton, &old).await, graced, "{what}");
        jeton.clock.advance(Duration::from_millis(3_599_999));
        assert_eq!(works(&jeton, &old).await, graced, "{what}: to the last millisecond");
        jeton.clock.advance(Duration::from_millis(1));
        assert!(!works(&jeton, &old).await, "{what}: and not one longer");
        assert!(works(&jeton, &new).await, "{what}");
    }
}

#[tokio::test]
async fn a_reset_that_cannot_be_understood_changes_nothing() {
    let jeton = Jeton::start().await;
    let created = create(&jeton, &json!({ "role": "reader" })).await.expect(201);
    let (id, secret) = (created.string("_id"), created.string("token"));
    let query = "expiry must be an integer: Unix milliseconds";
    for (query, body, message) in [
        ("?expiry=soon", "", query),
        ("?expiry=1.5", "", query),
        ("?expiry=1e12", "", query),
        ("?expiry=9223372036854775808", "", query),
        ("?expiry=2026-01-02T03:04:05Z", "", query),
        ("", r#"{"expiry":"1767326645678"}"#, "/expiry: invalid type: string, expected an integer"),
        ("", r#"{"expiry":1.5}"#, "/expiry: invalid type: number, expected an integer"),
        ("", "[1767326645678]", "the body: invalid type: array, expected an object"),
        ("", "5", "the body: invalid type: integer, expected an object"),
        ("", "{", "the body is not valid JSON: EOF while parsing an object at line 1 column 1"),
        ("", "expiry=soon", query),
    ] {
        let path = format!("{TOKENS}/{id}/reset{query}");
        let reply = jeton.call(&jeton.owner.secret, "POST", &path, Some(body)).await.expect(400);
        assert_eq!(reply.json()["message"], message, "{query} {body}");
    }
    assert!(works(&jeton, &secret).await);
    assert_eq!(jeton.log().await.len(), 4, "founding and create, and nothing else");
}

/// A token has two secrets at the most. Its own end, and its end by hand, end both.
#[tokio::test]
async fn a_grace_ends_with_the_next_reset_and_with_the_token() {
    let jeton = Jeton::start().await;
    let day = 86_400_000;
    let end = NOW + 2 * day;
    let created = create(&jeton, &json!({ "role": "admin", "expiry": end })).await.expect(201);
    let (id, first) = (created.string("_id"), created.string("token"));
    let reset = format!("{TOKENS}/{id}/reset?expiry={}", NOW + 9 * day);
    let second = owner(&jeton, "POST", &reset).await.expect(200).string("token");
    assert!(works(&jeton, &first).await && works(&jeton, &second).await);
    let third = owner(&jeton, "POST", &reset).await.expect(200).string("token");
    assert!(!works(&jeton, &first).await, "the oldest is out");
    assert!(works(&jeton, &second).await && works(&jeton, &third).await);

    // The replaced one does what it did, but takes nothing over from whoever replaced it.
    let reply = jeton.call(&second, "POST", &format!("{TOKENS}/{id}/reset"), None).await.expect(403);
    assert_eq!(reply.json()["code"], "forbidden");

    // Both secrets are the same token.
    for secret in [&second, &third] {
        let identity = jeton.call(secret, "GET", "/api/v2/caller-identity", None).await.expect(200);
        assert_eq!(identity.string("tokenId"), id);
        assert_eq!(
            jeton.call(secret, "GET", &format!("{TOKENS}/{id}"), None).await.json()["token"],
            third[50..]
        );
    }

    jeton.clock.advance(Duration::from_millis(u64::try_from(2 * day).unwrap() - 1));
    assert!(works(&jeton, &second).await && works(&jeton, &third).await);
    jeton.clock.advance(Duration::from_millis(1));
    assert!(!works(&jeton, &second).await && !works(&jeton, &third).await, "no grace outlives the token");

    // A later end brings them back, the grace included, and a delete ends both at once.
    let later = json!([{ "op": "replace", "path": "/expiry", "value": NOW + 20 * day }]).to_string();
    jeton.call(&jeton.owner.secret, "PATCH", &format!("{TOKENS}/{id}"), Some(&later)).await.expect(200);
    assert!(works(&jeton, &second).await && works(&jeton, &third).await);
    owner(&jeton, "DELETE", &format!("{TOKENS}/{id}")).await.expect(204);
    assert!(!works(&jeton, &second).await && !works(&jeton, &third).await);
}

#[tokio::test]
async fn a_caller_is_told_who_it_is() {
    let jeton = Jeton::start().await;
    let person = jeton.add_member(1001, BaseRole::Writer).await;
    for (body, kind, service) in [
        (json!({ "name": "mine", "role": "reader" }), "personal", false),
        (json!({ "name": "a machine's", "role": "reader", "serviceToken": true }), "service", true),
    ] {
        let created = create(&jeton, &body).await.expect(201);
        let identity = jeton.call(&created.string("token"), "GET", "/api/v2/caller-identity", None).await;
        let expected = json!({
            "accountId": jeton.account.to_string(),
            "authKind": "token",
            "tokenKind": kind,
            "tokenName": body["name"],
            "tokenId": created.string("_id"),
            "memberId": jeton.owner.id.to_string(),
            "serviceToken": service,
        });
        assert_eq!(identity.expect(200).json(), expected);
        // The account is the same that every token names as its owner.
        assert_eq!(expected["accountId"], created.json()["ownerId"]);
    }
    let unnamed = create(&jeton, &json!({ "role": "reader" })).await.expect(201).string("token");
    let identity = jeton.call(&unnamed, "GET", "/api/v2/caller-identity/", None).await.expect(200);
    assert_eq!(identity.json().get("tokenName"), None);
    let identity = jeton.call(&person.secret, "GET", "/api/v2/caller-identity", None).await.expect(200);
    assert_eq!(identity.string("memberId"), person.id.to_string());
    jeton.send("GET", "/api/v2/caller-identity", &[], "").await.expect(401);
}

/// The versions there are, and the one that answers: the header's, else the token's own.
#[tokio::test]
async fn the_versions_are_told() {
    let jeton = Jeton::start().await;
    let old = json!({ "role": "reader", "defaultApiVersion": 20_191_212 });
    let old = create(&jeton, &old).await.expect(201).string("token");
    for (secret, header, current, beta) in [
        (&jeton.owner.secret, None, 20_240_415, false),
        (&jeton.owner.secret, Some("20160426"), 20_160_426, false),
        (&jeton.owner.secret, Some("beta"), 20_240_415, true),
        (&old, None, 20_191_212, false),
        (&old, Some("20220603"), 20_220_603, false),
        (&old, Some("beta"), 20_240_415, true),
    ] {
        let mut headers = vec![("authorization", secret.as_str())];
        headers.extend(header.map(|version| ("ld-api-version", version)));
        let versions = jeton.send("GET", "/api/v2/versions", &headers, "").await.expect(200);
        let expected = json!({
            "validVersions": [20_160_426, 20_191_212, 20_210_729, 20_220_603, 20_240_415],
            "latestVersion": 20_240_415,
            "currentVersion": current,
            "beta": beta,
        });
        assert_eq!(versions.json(), expected, "{header:?}");
    }
    // The specification declares 401 for this call, so it needs a token, unlike the root.
    jeton.send("GET", "/api/v2/versions", &[], "").await.expect(401);
}

/// The specification declares neither 401 nor 403 for the root: "any string" will do.
#[tokio::test]
async fn the_root_tells_what_there_is_to_anybody() {
    let jeton = Jeton::start().await;
    let link = |path: &str| json!({ "href": format!("/api/v2{path}"), "type": "application/json" });
    let expected = json!({ "links": {
        "self": link(""),
        "account": link("/account"),
        "caller-identity": link("/caller-identity"),
        "members": link("/members"),
        "roles": link("/roles"),
        "tokens": link("/tokens"),
        "versions": link("/versions"),
    }});
    for headers in
        [vec![], vec![("authorization", "any string")], vec![("authorization", jeton.owner.secret.as_str())]]
    {
        for path in ["/api/v2", "/api/v2/"] {
            assert_eq!(jeton.send("GET", path, &headers, "").await.expect(200).json(), expected);
        }
    }
    // Every link leads somewhere.
    for (_, link) in expected["links"].as_object().unwrap() {
        owner(&jeton, "GET", link["href"].as_str().unwrap()).await.expect(200);
    }
}

/// The shape of each error, whole: `code` and `message` always, `id` as in the header, and for a denial what was asked.
#[tokio::test]
async fn errors_have_the_shape_that_typed_clients_read() {
    let jeton = Jeton::start().await;
    let person = jeton.add_member(1001, BaseRole::Admin).await;
    let reader = r#"{"role":"reader"}"#;
    let reader = jeton.call(&person.secret, "POST", TOKENS, Some(reader)).await.expect(201);
    let (id, reader) = (reader.string("_id"), reader.string("token"));
    let single = format!("{TOKENS}/{id}");
    let resource = format!("member/{}:token/{id}", person.id);
    let denied = |action: &str| {
        json!({
            "code": "forbidden",
            "message": "Access to the requested resource was denied",
            "id": "r1",
            "access": { "action": action, "resource": resource },
            "reason": { "effect": "deny" },
        })
    };
    let plain = |code: &str, message: &str| json!({ "code": code, "message": message, "id": "r1" });
    let untestable = r#"[{"op":"test","path":"/name","value":"x"}]"#;

    for (secret, method, path, body, status, expected) in [
        ("nobody", "GET", TOKENS, "", 401, plain("unauthorized", "Invalid access token")),
        (
            &jeton.owner.secret,
            "POST",
            TOKENS,
            "{",
            400,
            plain(
                "invalid_request",
                "the body is not valid JSON: EOF while parsing an object at line 1 column 1",
            ),
        ),
        (&reader, "DELETE", &single, "", 403, denied("deleteAccessToken")),
        (&reader, "POST", &format!("{single}/reset"), "", 403, denied("resetAccessToken")),
        (
            &jeton.owner.secret,
            "POST",
            &format!("{single}/reset"),
            "",
            403,
            plain(
                "forbidden",
                "Only its owner can reset a personal token, because the answer holds the new secret",
            ),
        ),
        (
            &jeton.owner.secret,
            "GET",
            &format!("{TOKENS}/{NOBODY}"),
            "",
            404,
            plain("not_found", "There is no such access token"),
        ),
        ("nobody", "GET", "/api/v2/flags", "", 404, plain("not_found", "There is nothing at /api/v2/flags")),
        (
            "nobody",
            "PUT",
            TOKENS,
            "",
            405,
            plain("method_not_allowed", "This path has other methods: see the Allow header"),
        ),
        (
            &jeton.owner.secret,
            "PATCH",
            &single,
            untestable,
            422,
            plain("patch_failed", "operation 0 of the patch cannot be applied: path is invalid"),
        ),
    ] {
        let headers = [("authorization", secret), ("x-request-id", "r1")];
        let reply = jeton.send(method, path, &headers, body).await.expect(status);
        assert_eq!(reply.json(), expected, "{method} {path}");
    }
    // A create names a token that does not exist yet, by the id that it would have had.
    let reply = jeton.call(&reader, "POST", TOKENS, Some(r#"{"role":"reader"}"#)).await.expect(403).json();
    assert_eq!(reply["access"]["action"], "createAccessToken");
    let named = reply["access"]["resource"].as_str().unwrap();
    assert!(named.starts_with(&format!("member/{}:token/", person.id)) && !named.ends_with(&id), "{named}");
}

/// RFC 6750, section 3: who presents a bad token is told so, who presents none is told how to.
#[tokio::test]
async fn whoever_is_not_known_is_challenged() {
    let jeton = Jeton::start().await;
    let invalid = r#"Bearer realm="jeton", error="invalid_token""#;
    for (headers, challenge) in [
        (vec![], r#"Bearer realm="jeton""#),
        (vec![("authorization", "")], r#"Bearer realm="jeton""#),
        (vec![("authorization", "nonsense")], invalid),
        (vec![("authorization", "Bearer nonsense")], invalid),
        (vec![("authorization", "\u{ff}")], invalid),
        (vec![("private-token", "nonsense")], invalid),
    ] {
        for (method, path) in [
            ("GET", TOKENS),
            ("POST", TOKENS),
            ("GET", &format!("{TOKENS}/{NOBODY}")),
            ("PATCH", &format!("{TOKENS}/{NOBODY}")),
            ("DELETE", &format!("{TOKENS}/{NOBODY}")),
            ("POST", &format!("{TOKENS}/{NOBODY}/reset")),
            ("GET", "/api/v2/caller-identity"),
            ("GET", "/api/v2/versions"),
        ] {
            let reply = jeton.send(method, path, &headers, "").await.expect(401);
            assert_eq!(reply.header("www-authenticate"), Some(challenge), "{headers:?}");
            assert_eq!(reply.json()["message"], "Invalid access token");
        }
    }
}
