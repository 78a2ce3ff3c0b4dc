//! The OpenAPI document: whole, true of every route, and right about itself. That every reply is as it says is looked at
//! with each reply, in every other test.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use std::collections::BTreeSet;

use jeton_testkit::Jeton;
use jeton_testkit::openapi::{Document, METHODS};
use serde_json::{Value, json};

async fn document(jeton: &Jeton) -> Document {
    Document::new(jeton.send("GET", "/openapi.json", &[], "").await.expect(200).json())
}

/// Every object of a document, from the top down.
fn objects(value: &Value) -> Vec<&serde_json::Map<String, Value>> {
    let below: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    };
    value.as_object().into_iter().chain(below.into_iter().flat_map(objects)).collect()
}

#[tokio::test]
async fn it_needs_no_token_and_names_the_version() {
    let jeton = Jeton::start().await;
    let document = document(&jeton).await.value;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let same = jeton.send("GET", "/openapi.json", &[("authorization", "nonsense")], "").await.expect(200);
    assert_eq!(same.json(), document);
    assert_eq!(same.header("content-type"), Some("application/json"));
}

/// Every path that is routed is declared and no other, and each with the methods that the server says it has.
#[tokio::test]
async fn every_route_is_declared_and_nothing_else() {
    let jeton = Jeton::start().await;
    let document = document(&jeton).await;
    let routed: BTreeSet<String> = jeton_server::openapi::paths().into_iter().collect();
    let declared: BTreeSet<String> = document.paths().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(declared, routed);
    for (path, item) in document.paths() {
        let real = path
            .replace("{id}", "1000")
            .replace("{token}", "t")
            .replace("{name}", "n")
            .replace("{path}", "p");
        if path == "/ext-authz/{path}" {
            // The method is the client's, and whatever it is a gateway asks about it.
            jeton.send("TRACE", &real, &[], "").await.expect(401);
            continue;
        }
        let refused = jeton.send("TRACE", &real, &[], "").await.expect(405);
        let allowed: BTreeSet<String> =
            refused.header("allow").unwrap().split(',').map(str::to_lowercase).collect();
        let mut methods: BTreeSet<String> =
            METHODS.into_iter().filter(|method| item.get(method).is_some()).map(str::to_owned).collect();
        if methods.contains("get") {
            methods.insert("head".to_owned());
        }
        if path.starts_with("/api/v2") {
            methods.insert("options".to_owned());
        }
        assert_eq!(methods, allowed, "{path}");
    }
}

/// What is declared to need a token is refused without one, and nothing else is.
#[tokio::test]
async fn security_is_what_it_is_declared_to_be() {
    let jeton = Jeton::start().await;
    let document = document(&jeton).await;
    let mut open = 0;
    for (path, method, operation) in document.operations() {
        let real = path
            .replace("{id}", "1000")
            .replace("{token}", "t")
            .replace("{name}", "n")
            .replace("{path}", "p");
        let reply = jeton.send(&method.to_uppercase(), &real, &[], "").await;
        let needs_a_token = match operation.get("security") {
            None => true,
            Some(none) => {
                assert_eq!(*none, json!([]), "{method} {path}");
                open += 1;
                false
            }
        };
        assert_eq!(reply.status == 401, needs_a_token, "{method} {path}: {reply:?}");
    }
    assert!(open > 5, "{open}");
}

#[tokio::test]
async fn it_is_right_about_itself() {
    let jeton = Jeton::start().await;
    let document = document(&jeton).await;
    let text = document.value.to_string();

    let mut ids = BTreeSet::new();
    for (path, method, operation) in document.operations() {
        let place = format!("{method} {path}");
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap()),
            "{place}: another has this operationId"
        );
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{place}: no summary");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{place}: not one tag");
    }

    // Everything that is referred to is there, and everything that is there is referred to.
    for object in objects(&document.value) {
        if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
            assert!(document.value.pointer(&reference[1..]).is_some(), "nothing is at {reference}");
        }
    }
    for (kind, components) in document.value["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            let reference = format!("\"#/components/{kind}/{name}\"");
            assert!(text.contains(&reference), "nothing refers to {reference}");
        }
    }

    // Every example is one.
    let mut examples = 0;
    for object in objects(&document.value) {
        let own = object.contains_key("type").then(|| Value::Object(object.clone()));
        let Some(schema) = object.get("schema").cloned().or(own) else { continue };
        let several = object.get("examples").and_then(Value::as_object).into_iter().flatten();
        for example in object.get("example").into_iter().chain(several.map(|(_, one)| &one["value"])) {
            assert_eq!(document.fault(&schema, example), None, "{example}");
            examples += 1;
        }
    }
    assert!(examples > 30, "{examples}");
}
