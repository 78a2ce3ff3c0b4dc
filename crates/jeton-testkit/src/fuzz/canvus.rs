//! Requests to Canvus's tokens.

use super::draw::Draw;
use super::json;
use super::world::{self, Draft, Target, World};

const USERS: [&str; 12] = [
    "1000",
    "1002",
    "1001",
    "1003",
    "100",
    "-1",
    "0",
    "4294968296",
    "99999999999999999999",
    "me",
    "+1000",
    "<secret>",
];

const HEADERS: [(&str, &str); 8] = [
    ("content-type", "application/x-www-form-urlencoded"),
    ("content-type", "application/json; charset=utf-16"),
    ("authorization", "Bearer"),
    ("private-token", ""),
    ("content-length", "5"),
    ("expect", "100-continue"),
    ("x-http-method-override", "DELETE"),
    ("x-request-id", "0123456789"),
];

pub(super) fn check(input: &[u8]) {
    world::with(|world| {
        let mut draw = Draw::new(input);
        let (caller, target) = world.cast(&mut draw);
        let method = draw.one_of(&["POST", "PATCH", "GET", "DELETE", "PUT", "HEAD", "OPTIONS"]);
        let uri = uri(&mut draw, method);
        let headers = headers(&mut draw, &HEADERS);
        let body = body(draw, &["description", "description", "plain_token", "id"]);
        let draft = Draft { caller, target, method, uri, headers, body };
        let Some(reply) = world.send(&draft) else { return };
        if reply.status == 200 && method == "POST" {
            world.assert_no_stronger(caller, &reply.string("plain_token"), None);
        } else if reply.status == 200 && method == "PATCH" {
            changed(world, &draft.target, &reply.json());
        } else if reply.status == 200 && method == "DELETE" {
            assert!(!world.is_good_secret(&draft.target.secret), "a deleted token lives");
        }
    });
}

fn uri(draw: &mut Draw<'_>, method: &str) -> Vec<u8> {
    let user = draw.text_like(&USERS);
    // Nearly always there where the method belongs.
    let single = (method != "POST") != draw.rarely(16);
    let token = if single {
        format!("/{}", draw.text_like(&["<id>", "%3Cid>", "<secret>", "a%2Fb"]))
    } else {
        String::new()
    };
    let slash = draw.one_of(&["", "/", "//"]);
    let query =
        draw.text_like(&["", "?subscribe", "?subscribe=false", "?subscribe=%31", "?a=<secret>&subscribe=1"]);
    format!("/api/v1/users/{user}/access-tokens{token}{slash}{query}").into_bytes()
}

/// Up to two headers of a table, sometimes with another value.
pub(super) fn headers(
    draw: &mut Draw<'_>,
    known: &[(&'static str, &'static str)],
) -> Vec<(&'static str, Vec<u8>)> {
    let count = [0, 0, 1, 2][draw.number(0..=3)];
    let one = |draw: &mut Draw<'_>| {
        let (name, value) = known[draw.number(0..=u8::try_from(known.len() - 1).unwrap())];
        let value = if draw.rarely(4) { draw.bytes(60) } else { value.as_bytes() };
        (name, value.to_vec())
    };
    (0..count).map(|_| one(draw)).collect()
}

/// A body: all that is left, as it is, or made of these members.
pub(super) fn body(mut draw: Draw<'_>, members: &[&str]) -> Vec<u8> {
    match draw.number(0..=3) {
        0 | 1 => draw.rest().to_vec(),
        2 => json::object(&mut draw, members, 4).into_bytes(),
        _ => json::value(&mut draw, 5).into_bytes(),
    }
}

fn changed(world: &World, target: &Target, reply: &serde_json::Value) {
    let path = format!("/api/v1/users/{}/access-tokens/{}", target.owner, target.id);
    assert_eq!(*reply, world.shown(&path), "an answer that isn't what was kept");
}
