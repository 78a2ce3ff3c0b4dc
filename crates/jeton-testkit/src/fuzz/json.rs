//! JSON that is nearly right: known members with values that fit, and here and there something else altogether.
//!
//! It is written as text, so that members come twice and numbers have forms that no writer gives them.

use super::draw::Draw;
use super::world::ROLE;

const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "1",
    "-0",
    "1.0",
    "1e3",
    "1.5",
    "1e999",
    "-1e-999",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551616",
    "20240415",
    "2000000000000",
    "<soon>",
];

const TEXTS: [&str; 16] = [
    "",
    "ci",
    "reader",
    "writer",
    "admin",
    "owner",
    "no_access",
    "<role>",
    "<id>",
    "<secret>",
    "é\u{1f600}",
    "\\u0000",
    "\\ud800",
    "\\n\\\"",
    "allow",
    "deny",
];

const MEMBERS: [&str; 16] = [
    "name",
    "description",
    "role",
    "customRoleIds",
    "inlineRole",
    "serviceToken",
    "defaultApiVersion",
    "expiry",
    "effect",
    "resources",
    "notResources",
    "actions",
    "notActions",
    "_id",
    "token",
    "patch",
];

/// Any value.
pub(super) fn value(draw: &mut Draw<'_>, depth: usize) -> String {
    match draw.number(0..=11) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => "false".to_owned(),
        3 | 4 => number(draw),
        5..=8 => text(draw, &TEXTS),
        _ if depth == 0 => draw.one_of(&["[]", "{}", "[[[[[[[[]]]]]]]]", "[null]"]).to_owned(),
        9 => list(draw, |draw| value(draw, depth - 1)),
        10 => object(draw, &MEMBERS, depth - 1),
        _ => member(draw, "inlineRole", depth - 1),
    }
}

/// An object with some of these members, each with a value that mostly fits it.
pub(super) fn object(draw: &mut Draw<'_>, members: &[&str], depth: usize) -> String {
    let (first, count) = (draw.number(0..=15), draw.number(0..=6));
    let one = |draw: &mut Draw<'_>, at: usize| {
        // A row of neighbours, so that a member seldom comes twice.
        let name =
            if draw.rarely(8) { draw.text_like(members) } else { members[at % members.len()].to_owned() };
        let value = member(draw, &name, depth);
        format!("{}:{value}", quoted(&name))
    };
    let all: Vec<String> = (first..first + count).map(|at| one(draw, at)).collect();
    format!("{{{}}}", all.join(","))
}

/// The value of a member.
pub(super) fn member(draw: &mut Draw<'_>, name: &str, depth: usize) -> String {
    if depth == 0 || draw.rarely(6) {
        return value(draw, depth.saturating_sub(1));
    }
    match name {
        "name" | "description" | "comment" => long_text(draw),
        "role" => text(draw, &["reader", "writer", "admin", "owner", "no_access", "Admin"]),
        "customRoleIds" => list(draw, |draw| text(draw, &["<role>", ROLE, "<id>", "nobody", "<secret>"])),
        "inlineRole" => list(draw, |draw| {
            object(draw, &["effect", "resources", "actions", "notResources", "notActions"], depth - 1)
        }),
        "serviceToken" => draw.one_of(&["false", "true", "null"]).to_owned(),
        "defaultApiVersion" => draw.one_of(&["20240415", "20160426", "0", "1"]).to_owned(),
        "expiry" => number(draw),
        "effect" => text(draw, &["allow", "deny", "Allow"]),
        "resources" | "notResources" => list(draw, |draw| {
            let known = [
                "*",
                "member/*:token/*",
                "service-token/*",
                "proj/*",
                "member/*",
                "proj/*:flag/*",
                "acct",
                "<secret>",
            ];
            text(draw, &known)
        }),
        "actions" | "notActions" => {
            list(draw, |draw| text(draw, &["*", "createAccessToken", "update*", "view*", ""]))
        }
        _ => value(draw, depth - 1),
    }
}

fn list(draw: &mut Draw<'_>, mut item: impl FnMut(&mut Draw<'_>) -> String) -> String {
    // One is what is mostly meant.
    let count = [1, 0, 1, 2, 1, 3, 4, 5][draw.number(0..=7)];
    let all: Vec<String> = (0..count).map(|_| item(draw)).collect();
    format!("[{}]", all.join(","))
}

pub(super) fn number(draw: &mut Draw<'_>) -> String {
    if draw.rarely(4) { draw.any_i64().to_string() } else { draw.one_of(&NUMBERS).to_owned() }
}

/// A text that is known, as it stands in JSON, or any other.
pub(super) fn text(draw: &mut Draw<'_>, known: &[&str]) -> String {
    if draw.rarely(8) { quoted(&draw.text(40)) } else { format!("\"{}\"", draw.one_of(known)) }
}

fn long_text(draw: &mut Draw<'_>) -> String {
    let text = text(draw, &TEXTS);
    if draw.rarely(8) {
        text.replace('"', &"x".repeat(draw.number(0..=255))).replace('x', "é")
    } else {
        text
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
