//! Requests to LaunchDarkly's tokens.

use serde_json::Value;

use super::canvus::{body, headers};
use super::draw::Draw;
use super::json;
use super::world::{self, Draft, World};

const HEADERS: [(&str, &str); 12] = [
    ("content-type", "application/json"),
    ("content-type", "application/x-www-form-urlencoded"),
    ("content-type", "application/json; domain-model=launchdarkly.semanticpatch"),
    ("ld-api-version", "20160426"),
    ("ld-api-version", "beta"),
    ("ld-api-version", "99999999999"),
    ("origin", "https://app.example"),
    ("x-http-method-override", "patch"),
    ("x-http-method-override", "GET"),
    ("authorization", "Bearer"),
    ("x-request-id", "0123456789"),
    ("accept", "text/html"),
];

const CREATE: [&str; 9] = [
    "role",
    "name",
    "customRoleIds",
    "inlineRole",
    "serviceToken",
    "expiry",
    "description",
    "defaultApiVersion",
    "unknown",
];

/// Create, and now and then list.
pub(super) fn create(input: &[u8]) {
    world::with(|world| {
        let mut draw = Draw::new(input);
        let (caller, target) = world.cast(&mut draw);
        let method = draw.one_of(&["POST", "POST", "POST", "GET", "HEAD", "PUT", "OPTIONS"]);
        let path =
            draw.one_of(&["/api/v2/tokens", "/api/v2/tokens/", "/api/v2//tokens", "/api/v2/tokens%2F"]);
        let known = [
            "",
            "?limit=2&offset=1",
            "?showAll=True",
            "?limit=99999999999999999999",
            "?offset=-1",
            "?%ff=<secret>",
        ];
        let query = draw.text_like(&known);
        let headers = headers(&mut draw, &HEADERS);
        let body = body(draw, &CREATE);
        let uri = format!("{path}{query}").into_bytes();
        let Some(reply) = world.send(&Draft { caller, target, method, uri, headers, body }) else { return };
        if reply.status == 201 {
            world.assert_no_stronger(caller, &reply.string("token"), None);
            assert_kept(world, &reply.json());
        }
    });
}

/// A patch, also through a tunnel.
pub(super) fn patch(input: &[u8]) {
    world::with(|world| {
        let mut draw = Draw::new(input);
        let (caller, target) = world.cast(&mut draw);
        let slash = draw.one_of(&["", "/"]);
        let tunnelled = draw.rarely(8);
        let mut headers = headers(&mut draw, &HEADERS);
        if tunnelled {
            headers.insert(0, ("x-http-method-override", b"PATCH".to_vec()));
        }
        let body = match draw.number(0..=3) {
            0 => draw.rest().to_vec(),
            1 => body(draw, &["patch", "comment"]),
            _ => operations(draw).into_bytes(),
        };
        let method = if tunnelled { "POST" } else { "PATCH" };
        let uri = format!("/api/v2/tokens/{}{slash}", target.id).into_bytes();
        let draft = Draft { caller, target, method, uri, headers, body };
        let before = world.powers(&draft.target.secret);
        let Some(reply) = world.send(&draft) else { return };
        if reply.status == 200 {
            assert_kept(world, &reply.json());
            world.assert_no_stronger(caller, &draft.target.secret, before);
        }
    });
}

/// An array of operations, or an object with it.
fn operations(mut draw: Draw<'_>) -> String {
    let count = [1, 2, 1, 3, 0, 5, 8, 101][draw.number(0..=7)];
    let wrapped = draw.rarely(8);
    let all: Vec<String> = (0..count).map(|_| operation(&mut draw)).collect();
    let all = all.join(",");
    if wrapped { format!(r#"{{"comment":"c","patch":[{all}]}}"#) } else { format!("[{all}]") }
}

fn operation(draw: &mut Draw<'_>) -> String {
    const PATHS: [&str; 24] = [
        "/name",
        "/description",
        "/role",
        "/customRoleIds",
        "/inlineRole",
        "/expiry",
        "/defaultApiVersion",
        "/customRoleIds/-",
        "/customRoleIds/0",
        "/inlineRole/-",
        "/inlineRole/0",
        "/inlineRole/0/effect",
        "/inlineRole/0/resources",
        "/inlineRole/0/resources/-",
        "/inlineRole/1/notActions/0",
        "/inlineRole/00",
        "/inlineRole/99999999999999999999",
        "",
        "/",
        "/_id",
        "/token",
        "/n~0me",
        "/name/~",
        "/lastUsed",
    ];
    let op = draw.one_of(&["replace", "add", "remove", "test", "move", "copy", "Replace"]);
    let path = draw.text_like(&PATHS);
    let root = path.split('/').nth(1).unwrap_or_default().to_owned();
    let path = serde_json::to_string(&path).unwrap();
    match op {
        "remove" => format!(r#"{{"op":"remove","path":{path}}}"#),
        "move" | "copy" => {
            let from = serde_json::to_string(&draw.text_like(&PATHS)).unwrap();
            format!(r#"{{"op":"{op}","path":{path},"from":{from}}}"#)
        }
        _ => {
            let value = json::member(draw, &root, 4);
            format!(r#"{{"op":"{op}","path":{path},"value":{value}}}"#)
        }
    }
}

/// A reset, with its instant in the query or in one of many bodies.
pub(super) fn reset(input: &[u8]) {
    world::with(|world| {
        let mut draw = Draw::new(input);
        let (caller, target) = world.cast(&mut draw);
        let method = draw.one_of(&["POST", "POST", "POST", "GET"]);
        let id = draw.text_like(&["<id>", "<id>", "<id>", "%3Cid>", "<secret>", "<id>%00", "a%2Fb"]);
        let slash = draw.one_of(&["", "/"]);
        let query = match draw.number(0..=3) {
            0 => String::new(),
            1 => format!("?expiry={}", json::number(&mut draw)),
            _ => draw.text_like(&[
                "?expiry",
                "?expiry=",
                "?expiry=%2B1",
                "?a&expiry=<soon>",
                "?expiry=<secret>",
            ]),
        };
        let headers = headers(&mut draw, &HEADERS);
        let body = match draw.number(0..=3) {
            0 => draw
                .one_of(&["", "null", "{}", r#"{"expiry":<soon>}"#, "expiry=<soon>", "[]", " "])
                .as_bytes()
                .to_vec(),
            1 => draw.rest().to_vec(),
            _ => body(draw, &["expiry"]),
        };
        let uri = format!("/api/v2/tokens/{id}/reset{slash}{query}").into_bytes();
        let draft = Draft { caller, target, method, uri, headers, body };
        let Some(reply) = world.send(&draft) else { return };
        if reply.status == 200 && reply.json()["_id"] == draft.target.id && reply.string("token").len() > 4 {
            let secret = reply.string("token");
            assert_ne!(secret, draft.target.secret);
            world.assert_no_stronger(caller, &secret, None);
            assert_kept(world, &reply.json());
        }
    });
}

/// Insists that a token that was answered is shown again, but for its secret and when it was used.
fn assert_kept(world: &World, answered: &Value) {
    let mut kept = world.shown(&format!("/api/v2/tokens/{}", answered["_id"].as_str().unwrap()));
    let mut answered = answered.clone();
    let end = answered["token"].as_str().and_then(|secret| secret.get(secret.len() - 4..)).map(Value::from);
    answered["token"] = end.unwrap();
    for token in [&mut kept, &mut answered] {
        token["lastUsed"] = 0.into();
    }
    assert_eq!(answered, kept, "an answer that isn't what was kept");
}
