//! `/openapi.json`: the document that says, for people and for programs, what every call takes and answers.
//!
//! It is written by hand: what a handler takes is read with more patience than its types would tell, and what it answers
//! is promised to clients, so neither may change because a type did. The test kit keeps it honest: every reply that
//! passes through it has to be one that the document declares.
//!
//! One piece a surface, with what belongs to all in `document.json`. What every call of a surface may answer is added
//! here and does not stand in the pieces forty times.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::operations::reply;
use crate::{canvus, launchdarkly, operations, verify};

/// What the pieces of each surface are called in the document, with the pieces.
const SURFACES: [(&str, &str); 3] = [
    ("Canvus", include_str!("openapi/canvus.json")),
    ("LaunchDarkly", include_str!("openapi/launchdarkly.json")),
    ("Own", include_str!("openapi/own.json")),
];

static DOCUMENT: LazyLock<String> = LazyLock::new(|| assembled().to_string());

/// The document, as it is served.
pub fn document() -> &'static str {
    &DOCUMENT
}

/// Every path that is routed, in the words of the document: for the test that none is missing there.
pub fn paths() -> Vec<String> {
    let under = |base: &'static str| move |(path, _)| format!("{base}{path}");
    let canvus = canvus::paths().into_iter().map(under(canvus::BASE));
    let launchdarkly = launchdarkly::paths().into_iter().map(under(launchdarkly::BASE));
    let own = operations::paths()
        .into_iter()
        .chain(verify::paths())
        .map(under(""))
        .map(|path| path.replace("{*", "{"));
    canvus.chain(launchdarkly).chain(own).collect()
}

pub(crate) async fn openapi() -> Response {
    reply(StatusCode::OK, document())
}

fn assembled() -> Value {
    let mut document = piece(include_str!("openapi/document.json"));
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    for (surface, text) in SURFACES {
        let mut piece = piece(text);
        let paths = piece["paths"].as_object_mut().into_iter().flatten();
        for (_, path) in paths {
            // Beside its methods a path has the parameters that they share.
            let methods =
                path.as_object_mut().into_iter().flatten().filter(|(name, _)| *name != "parameters");
            methods.for_each(|(method, operation)| add_what_all_answer(surface, method, operation));
        }
        merge(&mut document, piece);
    }
    document
}

fn piece(text: &str) -> Value {
    serde_json::from_str(text).expect("the pieces are part of the program, and a test reads them")
}

/// Adds the answers that have nothing to do with what the call is about.
fn add_what_all_answer(surface: &str, method: &str, operation: &mut Value) {
    // Documents say otherwise only where a call needs no token.
    let admits = operation.get("security").is_none();
    let writes = method != "get";
    let mut statuses = vec![405, 500];
    if admits {
        statuses.extend([401, 429, 503]);
    }
    if admits && surface == "LaunchDarkly" {
        // A version that does not exist.
        statuses.push(400);
    }
    if admits && writes {
        statuses.extend([409, 507]);
    }
    // The body of a DELETE is not read.
    if admits && writes && method != "delete" {
        statuses.extend([408, 413]);
    }
    if surface == "LaunchDarkly" && method == "post" {
        // What the header asks for in place of POST.
        statuses.push(400);
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for status in statuses {
        let reference = json!({ "$ref": format!("#/components/responses/{surface}.{status}") });
        responses.entry(status.to_string()).or_insert(reference);
    }
}

/// Adds the members of one object to another, all the way down.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert_with(|| Value::Object(Map::new())), value);
            }
        }
        (into, from) => *into = from,
    }
}
