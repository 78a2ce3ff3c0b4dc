//! LaunchDarkly v2 through its outer door: JSON Patch on a token.
//!
//! First what the contract says, row by row; then random patches against a model of RFC 6902 and of a token that shares
//! no line with the server's. Who may patch what is in `authorization.rs`, the bounds in `limits.rs`.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

#[path = "launchdarkly_patch/model.rs"]
mod model;

use std::time::Duration;

use jeton_core::policy::{Effect, Statement};
use jeton_testkit::{Jeton, Reply};
use serde_json::{Value, json};

const TOKENS: &str = "/api/v2/tokens";
const NOW: i64 = 1_767_323_045_678;

async fn create(jeton: &Jeton, body: &Value) -> (String, String) {
    let created = jeton.call(&jeton.owner.secret, "POST", TOKENS, Some(&body.to_string())).await.expect(201);
    (format!("{TOKENS}/{}", created.string("_id")), created.string("token"))
}

async fn get(jeton: &Jeton, path: &str) -> Value {
    jeton.call(&jeton.owner.secret, "GET", path, None).await.expect(200).json()
}

async fn patch(jeton: &Jeton, path: &str, patch: &Value) -> Reply {
    jeton.call(&jeton.owner.secret, "PATCH", path, Some(&patch.to_string())).await
}

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

/// One operation.
fn op(op: &str, path: &str, value: impl Into<Value>) -> Value {
    json!({ "op": op, "path": path, "value": value.into() })
}

fn remove(path: &str) -> Value {
    json!({ "op": "remove", "path": path })
}

/// What a patch makes of a token: `before` is what it is created with, `after` are the members that are other then.
#[tokio::test]
async fn what_a_patch_does() {
    let jeton = Jeton::start().await;
    let deploy = role(&jeton, "deploy").await;
    let other = role(&jeton, "other").await;
    let allow = json!([{ "effect": "allow", "resources": ["proj/*"], "actions": ["*"] }]);
    let deny = json!([{ "effect": "deny", "resources": ["proj/*"], "actions": ["*"] }]);
    let reader = json!({ "name": "ci", "role": "reader" });
    let bare = json!({ "role": "reader" });
    let inline = json!({ "inlineRole": allow });
    let roles = json!({ "customRoleIds": ["deploy"] });
    let gone = Value::Null;

    for (before, operations, after) in [
        // Each of the fields.
        (&reader, json!([op("replace", "/name", "cd")]), json!({ "name": "cd" })),
        (&reader, json!([op("replace", "/name", "")]), json!({ "name": gone })),
        (&reader, json!([remove("/name")]), json!({ "name": gone })),
        (&reader, json!([op("replace", "/description", " ü\n")]), json!({ "description": " ü\n" })),
        (&reader, json!([op("replace", "/role", "writer")]), json!({ "role": "writer" })),
        (&reader, json!([op("replace", "/expiry", NOW + 5)]), json!({ "expiry": NOW + 5 })),
        (
            &reader,
            json!([op("replace", "/defaultApiVersion", 20_191_212)]),
            json!({ "defaultApiVersion": 20_191_212 }),
        ),
        // Terraform replaces what is not there yet.
        (&bare, json!([op("replace", "/name", "ci")]), json!({ "name": "ci" })),
        (&bare, json!([op("add", "/name", "ci")]), json!({ "name": "ci" })),
        // And takes one scope away before it gives another, in either direction.
        (
            &reader,
            json!([remove("/role"), op("replace", "/inlineRole", allow.clone())]),
            json!({ "role": gone, "inlineRole": allow }),
        ),
        (
            &reader,
            json!([remove("/role"), op("replace", "/customRoleIds", json!(["deploy"]))]),
            json!({ "role": gone, "customRoleIds": [deploy] }),
        ),
        (
            &inline,
            json!([op("replace", "/role", "admin"), remove("/inlineRole")]),
            json!({ "inlineRole": gone, "role": "admin" }),
        ),
        (
            &roles,
            json!([op("add", "/inlineRole", deny.clone()), remove("/customRoleIds")]),
            json!({ "customRoleIds": gone, "inlineRole": deny }),
        ),
        // Empty is as good as taken away.
        (
            &roles,
            json!([op("replace", "/customRoleIds", json!([])), op("add", "/role", "reader")]),
            json!({ "customRoleIds": gone, "role": "reader" }),
        ),
        // Inside lists; roles by key or id, ids come out.
        (
            &roles,
            json!([op("add", "/customRoleIds/-", "other")]),
            json!({ "customRoleIds": [deploy, other] }),
        ),
        (
            &roles,
            json!([op("add", "/customRoleIds/0", other.clone())]),
            json!({ "customRoleIds": [other, deploy] }),
        ),
        (&roles, json!([op("replace", "/customRoleIds/0", "other")]), json!({ "customRoleIds": [other] })),
        (
            &inline,
            json!([op("add", "/inlineRole/-", deny[0].clone())]),
            json!({ "inlineRole": [allow[0], deny[0]] }),
        ),
        (
            &inline,
            json!([op("add", "/inlineRole/0", deny[0].clone()), remove("/inlineRole/1")]),
            json!({ "inlineRole": deny }),
        ),
        (&inline, json!([op("replace", "/inlineRole/0/effect", "deny")]), json!({ "inlineRole": deny })),
        (
            &inline,
            json!([
                op("replace", "/inlineRole/0/actions/0", "update*"),
                op("add", "/inlineRole/0/resources/-", "proj/x")
            ]),
            json!({ "inlineRole": [{ "effect": "allow", "resources": ["proj/*", "proj/x"], "actions": ["update*"] }] }),
        ),
        // Tests, moves and copies; from what can't be changed one may copy.
        (
            &reader,
            json!([
                op("test", "/name", "ci"),
                op("test", "/serviceToken", false),
                op("replace", "/name", "cd")
            ]),
            json!({ "name": "cd" }),
        ),
        (
            &reader,
            json!([{ "op": "move", "from": "/name", "path": "/description" }]),
            json!({ "name": gone, "description": "ci" }),
        ),
        (
            &reader,
            json!([{ "op": "copy", "from": "/memberId", "path": "/description" }]),
            json!({ "description": jeton.owner.id.to_string() }),
        ),
        // Only the result counts.
        (
            &reader,
            json!([
                op("replace", "/role", 5),
                op("replace", "/name", json!({})),
                op("replace", "/role", "writer"),
                op("replace", "/name", "x")
            ]),
            json!({ "role": "writer", "name": "x" }),
        ),
        (&reader, json!([op("add", "/expiry", NOW - 5), remove("/expiry")]), json!({})),
        // Without a value is without the member.
        (&reader, json!([op("replace", "/name", Value::Null)]), json!({ "name": gone })),
        // A version that is taken away, or 0, is the one that a token gets without any.
        (
            &json!({ "role": "reader", "defaultApiVersion": 20_160_426 }),
            json!([remove("/defaultApiVersion")]),
            json!({ "defaultApiVersion": 20_240_415 }),
        ),
        (
            &json!({ "role": "reader", "defaultApiVersion": 20_160_426 }),
            json!([op("replace", "/defaultApiVersion", 0)]),
            json!({ "defaultApiVersion": 20_240_415 }),
        ),
        (
            &json!({ "role": "reader", "expiry": NOW + 5 }),
            json!([remove("/expiry")]),
            json!({ "expiry": gone }),
        ),
        // What nobody knows in an operation is ignored.
        (
            &reader,
            json!([{ "op": "replace", "path": "/name", "value": "x", "from": 5, "why": {} }]),
            json!({ "name": "x" }),
        ),
    ] {
        jeton.clock.set(jeton_core::timestamp::Timestamp::from_millis(NOW));
        let (path, _) = create(&jeton, before).await;
        let mut expected = get(&jeton, &path).await;
        jeton.clock.advance(Duration::from_millis(1));
        let patched = patch(&jeton, &path, &operations).await.expect(200);
        for (name, value) in after.as_object().unwrap() {
            let expected = expected.as_object_mut().unwrap();
            match value {
                Value::Null => drop(expected.remove(name)),
                value => drop(expected.insert(name.clone(), value.clone())),
            }
        }
        if !after.as_object().unwrap().is_empty() {
            expected["lastModified"] = json!(NOW + 1);
        }
        assert_eq!(patched.json(), expected, "{operations}");
        assert_eq!(get(&jeton, &path).await, expected, "{operations}");
    }
}

/// What is refused leaves the token as it was, whatever of the patch could have been applied.
#[tokio::test]
async fn what_a_patch_does_not() {
    let jeton = Jeton::start().await;
    role(&jeton, "deploy").await;
    let (path, _) = create(&jeton, &json!({ "name": "ci", "role": "reader", "expiry": NOW + 5 })).await;
    let before = get(&jeton, &path).await;
    let shape = "op must be add, remove, replace, move, copy or test, path (and from) a JSON Pointer, and add, \
                 replace and test need a value (at /1)";
    let one_of =
        "Give exactly one of role, customRoleIds and inlineRole: a token is allowed what that one says";
    let version = "defaultApiVersion must be one of 20160426, 20191212, 20210729, 20220603, 20240415";
    let past = "The expiry must lie in the future: give Unix milliseconds later than now";
    let unpatched = |why: &str| format!("operation 1 of the patch cannot be applied: {why}");
    let fixed = |name: &str| format!("{name:?} cannot be changed (at /1)");
    let allow = json!([{ "effect": "allow", "resources": ["proj/*"], "actions": ["*"] }]);

    for (operation, status, message) in [
        // 422: it can be understood, and not applied.
        (op("test", "/name", "wrong"), 422, unpatched("value did not match")),
        (op("test", "/nowhere", 1), 422, unpatched("path is invalid")),
        (op("test", "/inlineRole", Value::Null), 422, unpatched("path is invalid")),
        (remove("/inlineRole"), 422, unpatched("path is invalid")),
        (remove("/customRoleIds/0"), 422, unpatched("path is invalid")),
        (op("add", "/customRoleIds/-", "deploy"), 422, unpatched("path is invalid")),
        (op("replace", "/customRoleIds/0", "deploy"), 422, unpatched("path is invalid")),
        (op("replace", "/name/x", "deploy"), 422, unpatched("path is invalid")),
        (
            json!({ "op": "move", "from": "/inlineRole", "path": "/name" }),
            422,
            unpatched("\"from\" path is invalid"),
        ),
        (
            json!({ "op": "copy", "from": "/nowhere", "path": "/name" }),
            422,
            unpatched("\"from\" path is invalid"),
        ),
        (
            json!({ "op": "move", "from": "/name", "path": "/name/x" }),
            422,
            unpatched("cannot move the value inside itself"),
        ),
        (op("add", "/inlineRole/0/actions/0/x", 1), 422, unpatched("there is no place so deep")),
        // 400: it touches what can't be changed, or nothing that there is.
        (op("replace", "/_id", "x"), 400, fixed("_id")),
        (op("replace", "/_links", json!({})), 400, fixed("_links")),
        (op("replace", "/_member/role", "admin"), 400, fixed("_member")),
        (op("replace", "/ownerId", "x"), 400, fixed("ownerId")),
        (op("replace", "/memberId", "x"), 400, fixed("memberId")),
        (op("replace", "/creationDate", 1), 400, fixed("creationDate")),
        (op("replace", "/lastModified", 1), 400, fixed("lastModified")),
        (op("replace", "/lastUsed", 1), 400, fixed("lastUsed")),
        (op("replace", "/token", "mine"), 400, fixed("token")),
        (op("replace", "/serviceToken", true), 400, fixed("serviceToken")),
        (remove("/serviceToken"), 400, fixed("serviceToken")),
        (op("add", "/colour", "red"), 400, fixed("colour")),
        (op("add", "/Name", "x"), 400, fixed("Name")),
        (op("add", "/na~0me", "x"), 400, fixed("na~0me")),
        (op("replace", "", json!({ "role": "admin" })), 400, fixed("")),
        (remove(""), 400, fixed("")),
        (op("replace", "/", 1), 400, fixed("")),
        (json!({ "op": "move", "from": "/memberId", "path": "/name" }), 400, fixed("memberId")),
        (json!({ "op": "copy", "from": "/name", "path": "/token" }), 400, fixed("token")),
        // 400: it is no operation.
        (json!("remove"), 400, "an operation is an object with op and path (at /1)".to_owned()),
        (json!({}), 400, shape.to_owned()),
        (json!({ "op": "remove" }), 400, shape.to_owned()),
        (json!({ "op": "Remove", "path": "/name" }), 400, shape.to_owned()),
        (json!({ "op": "merge", "path": "/name", "value": 1 }), 400, shape.to_owned()),
        (json!({ "op": 5, "path": "/name" }), 400, shape.to_owned()),
        (json!({ "op": "add", "path": "/name" }), 400, shape.to_owned()),
        (json!({ "op": "test", "path": "/name" }), 400, shape.to_owned()),
        (json!({ "op": "move", "path": "/name" }), 400, shape.to_owned()),
        (json!({ "op": "replace", "path": "name", "value": "x" }), 400, shape.to_owned()),
        (json!({ "op": "replace", "path": "/na~2me", "value": "x" }), 400, shape.to_owned()),
        (json!({ "op": "replace", "path": 5, "value": "x" }), 400, shape.to_owned()),
        // 400: what comes out is no token.
        (remove("/role"), 400, one_of.to_owned()),
        (op("add", "/customRoleIds", json!(["deploy"])), 400, one_of.to_owned()),
        (op("add", "/inlineRole", allow), 400, one_of.to_owned()),
        (op("replace", "/role", "owner"), 400, "role must be reader, writer or admin (at /role)".to_owned()),
        (op("replace", "/role", 5), 400, "/role: invalid type: integer, expected a string".to_owned()),
        (op("replace", "/name", 5), 400, "/name: invalid type: integer, expected a string".to_owned()),
        (op("replace", "/name", json!([])), 400, "/name: invalid type: array, expected a string".to_owned()),
        (
            op("add", "/customRoleIds", json!([5])),
            400,
            "/customRoleIds/0: invalid type: integer, expected a string".to_owned(),
        ),
        (
            op("add", "/inlineRole", json!([[]])),
            400,
            "/inlineRole/0: invalid type: array, expected an object".to_owned(),
        ),
        (
            op("replace", "/expiry", "soon"),
            400,
            "/expiry: invalid type: string, expected an integer".to_owned(),
        ),
        (op("replace", "/expiry", 1.5), 400, "/expiry: invalid type: number, expected an integer".to_owned()),
        (op("replace", "/expiry", NOW), 400, past.to_owned()),
        (op("replace", "/expiry", -1), 400, past.to_owned()),
        (op("replace", "/defaultApiVersion", 1), 400, version.to_owned()),
    ] {
        // The first operation is good, so that there is something not to do.
        let operations = json!([op("replace", "/name", "half done"), operation]);
        let reply = patch(&jeton, &path, &operations).await.expect(status);
        assert_eq!(reply.json()["message"], *message, "{operations}");
        assert_eq!(get(&jeton, &path).await, before, "{operations}");
    }
    // A custom role that is not there.
    let operations = json!([remove("/role"), op("add", "/customRoleIds", json!(["nowhere"]))]);
    let message = "There is no custom role with the id or key \"nowhere\": list the roles of the account, or correct it";
    assert_eq!(patch(&jeton, &path, &operations).await.expect(400).json()["message"], message);
    assert_eq!(get(&jeton, &path).await, before);
}

/// A patch comes as an array, or with a comment; everything else is no patch.
#[tokio::test]
async fn what_a_patch_comes_in() {
    let jeton = Jeton::start().await;
    let (path, _) = create(&jeton, &json!({ "name": "ci", "role": "reader" })).await;
    let rename = |name: &str| json!([op("replace", "/name", name)]);
    for (body, name) in [
        (rename("array"), "array"),
        (json!({ "patch": rename("object") }), "object"),
        (json!({ "comment": "because", "patch": rename("comment") }), "comment"),
        (json!({ "comment": 5, "patch": rename("odd comment"), "other": null }), "odd comment"),
        // Nothing to do is done.
        (json!([]), "odd comment"),
        (json!({ "comment": "nothing", "patch": [] }), "odd comment"),
    ] {
        assert_eq!(patch(&jeton, &path, &body).await.expect(200).json()["name"], name, "{body}");
    }

    let shape = "The body must be a JSON Patch array, or an object with the array in patch and a comment";
    for (body, message) in [
        ("{}", shape),
        (r#"{"comment":"because"}"#, shape),
        (r#"{"patch":{}}"#, shape),
        (r#"{"name":"merge patch"}"#, shape),
        (r#""patch""#, shape),
        ("5", shape),
        ("null", shape),
        ("", "the body is empty where JSON was expected"),
        ("[", "the body is not valid JSON: EOF while parsing a list at line 1 column 1"),
        ("[{]", "the body is not valid JSON: key must be a string at line 1 column 3"),
        ("[]]", "the body is not valid JSON: trailing characters at line 1 column 3"),
    ] {
        let reply = jeton.call(&jeton.owner.secret, "PATCH", &path, Some(body)).await.expect(400);
        assert_eq!(reply.json()["message"], message, "{body}");
    }
}

/// What makes no difference leaves no trace: neither an instant nor an entry in the log.
#[tokio::test]
async fn a_patch_that_changes_nothing_is_no_change() {
    let jeton = Jeton::start().await;
    role(&jeton, "deploy").await;
    let (path, _) =
        create(&jeton, &json!({ "name": "ci", "customRoleIds": ["deploy"], "expiry": NOW + 60_000 })).await;
    let before = get(&jeton, &path).await;
    let length = jeton.log().await.len();
    jeton.clock.advance(Duration::from_secs(5));
    for operations in [
        json!([]),
        json!([op("test", "/name", "ci")]),
        json!([op("replace", "/name", "ci")]),
        json!([op("replace", "/name", "x"), op("replace", "/name", "ci")]),
        json!([op("replace", "/customRoleIds/0", "deploy")]),
        json!([op("add", "/customRoleIds/-", "deploy")]),
        json!([op("replace", "/expiry", NOW + 60_000)]),
        json!([op("replace", "/defaultApiVersion", 20_240_415)]),
        json!([op("replace", "/description", "")]),
    ] {
        assert_eq!(patch(&jeton, &path, &operations).await.expect(200).json(), before, "{operations}");
    }
    assert_eq!(jeton.log().await.len(), length);
}

/// A token of its owner's rights shows what those are. To say the same again fixes nothing; to say anything else does.
#[tokio::test]
async fn a_token_of_its_owners_rights_can_be_narrowed() {
    let jeton = Jeton::start().await;
    let path = format!("{TOKENS}/{}", jeton.token_of(&jeton.owner.secret));
    let length = jeton.log().await.len();
    let same = patch(&jeton, &path, &json!([op("replace", "/role", "owner")])).await.expect(200);
    assert_eq!(same.json()["role"], "owner");
    assert_eq!(jeton.log().await.len(), length);
    // Back to the owner's rights there is no way through this API, so this is for a token that may be lost.
    let body = r#"{"description":"made in the other dialect"}"#;
    let made = jeton.call(&jeton.owner.secret, "POST", "/api/v1/users/1000/access-tokens", Some(body)).await;
    let made = made.expect(200);
    let path = format!("{TOKENS}/{}", made.string("id"));
    assert_eq!(get(&jeton, &path).await["role"], "owner");
    assert_eq!(
        patch(&jeton, &path, &json!([op("replace", "/role", "reader")])).await.expect(200).json()["role"],
        "reader"
    );
    patch(&jeton, &path, &json!([op("replace", "/role", "owner")])).await.expect(400);
    jeton.call(&made.string("plain_token"), "DELETE", &path, None).await.expect(403);
}
