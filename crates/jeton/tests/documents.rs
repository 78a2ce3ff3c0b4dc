//! The public documents of both APIs, line by line, with the real curl: only host, token and ids are replaced.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{Server, curl, owner_token, run};

/// The example lines of the Canvus document, word for word.
const CANVUS: [(&str, &str); 5] = [
    (
        "list",
        r#"curl -H "Private-Token: <access token>" https://canvus.example.com/api/v1/users/1001/access-tokens"#,
    ),
    (
        "get",
        r#"curl -H "Private-Token: <access token>" https://canvus.example.com/api/v1/users/1001/access-tokens/JDJhJDA0JENKTWJDT0g1QVNYSkFQTXh3NlhNWi5CWjlqT05yR2h0cXJ1d1VQZW9sZWlsWkJneXRXbTRp"#,
    ),
    (
        "create",
        r#"curl -X POST -H "Private-Token: W1bns7ZYuN_u7fQTR3i6L0JopiRCGsbNjXRw7Z-yX0E" -d '{"description":"Second token"}' https://canvus.example.com/api/v1/users/1001/access-tokens"#,
    ),
    (
        "change",
        r#"curl -X PATCH -H "Private-Token: W1bns7ZYuN_u7fQTR3i6L0JopiRCGsbNjXRw7Z-yX0E" -d '{"description":"Updated description"}' https://canvus.example.com/api/v1/users/1001/access-tokens/JDJhJDA0JENKTWJDT0g1QVNYSkFQTXh3NlhNWi5CWjlqT05yR2h0cXJ1d1VQZW9sZWlsWkJneXRXbTRp"#,
    ),
    (
        "delete",
        r#"curl -X DELETE -H "Private-Token: W1bns7ZYuN_u7fQTR3i6L0JopiRCGsbNjXRw7Z-yX0E" https://canvus.example.com/api/v1/users/1001/access-tokens/JDJhJDA0JENKTWJDT0g1QVNYSkFQTXh3NlhNWi5CWjlqT05yR2h0cXJ1d1VQZW9sZWlsWkJneXRXbTRp"#,
    ),
];

struct Document<'a> {
    server: &'a Server,
    secret: &'a str,
}

impl Document<'_> {
    /// Runs a line of the document; `id` takes the place of the token's.
    fn run(&self, name: &str, id: &str) -> String {
        let (_, line) = CANVUS.iter().find(|(known, _)| *known == name).unwrap();
        let line = line
            .replace("https://canvus.example.com", &self.server.url(""))
            .replace("<access token>", self.secret)
            .replace("W1bns7ZYuN_u7fQTR3i6L0JopiRCGsbNjXRw7Z-yX0E", self.secret)
            .replace("/users/1001/", "/users/1000/")
            .replace("JDJhJDA0JENKTWJDT0g1QVNYSkFQTXh3NlhNWi5CWjlqT05yR2h0cXJ1d1VQZW9sZWlsWkJneXRXbTRp", id);
        run(Command::new("sh").args(["-c", &line]).stdin(Stdio::null())).success()
    }

    fn json(&self, name: &str, id: &str) -> Value {
        let printed = self.run(name, id);
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_line_of_the_canvus_document_does_what_it_says() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(scratch.path());
    let secret = owner_token(scratch.path());
    let document = Document { server: &server, secret: &secret };

    let list = document.json("list", "");
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["description"], "First token");
    assert_eq!(members(&list[0]), ["created_at", "description", "id"]);
    let id = list[0]["id"].as_str().unwrap();
    assert_eq!(document.json("get", id), list[0]);

    let created = document.json("create", "");
    assert_eq!(members(&created), ["created_at", "description", "id", "plain_token"]);
    assert_eq!(created["description"], "Second token");
    let second = created["id"].as_str().unwrap();
    let plain = Document { server: &server, secret: created["plain_token"].as_str().unwrap() };
    assert_eq!(plain.json("list", "").as_array().unwrap().len(), 2, "the plain token works");

    let changed = document.json("change", second);
    assert_eq!(changed["description"], "Updated description");
    assert_eq!((&changed["id"], &changed["created_at"]), (&created["id"], &created["created_at"]));

    assert_eq!(document.run("delete", second), "");
    assert_eq!(plain.json("list", ""), json!({ "message": "401 Unauthorized", "msg": "Invalid token" }));
    server.stop();
}

#[test]
fn every_operation_of_the_launchdarkly_document_does_what_it_says() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(scratch.path());
    let secret = owner_token(scratch.path());
    let call = |secret: &str, method: &str, path: &str, body: &str| {
        let authorization = format!("Authorization: {secret}");
        let url = server.url(&format!("/api/v2{path}"));
        let mut arguments = vec!["-X", method, "-H", &authorization, "-H", "Content-Type: application/json"];
        if !body.is_empty() {
            arguments.extend(["-d", body]);
        }
        arguments.push(&url);
        curl(&arguments)
    };

    let made = call(&secret, "POST", "/tokens", r#"{"name":"doc","role":"reader"}"#);
    assert_eq!(made.status, 201, "{made:?}");
    let (id, old) = (made.json()["_id"].clone(), made.json()["token"].as_str().unwrap().to_owned());
    let id = id.as_str().unwrap();

    let all = call(&secret, "GET", "/tokens?showAll=true", "");
    assert_eq!((all.status, &all.json()["totalCount"]), (200, &json!(2)));
    let one = call(&secret, "GET", &format!("/tokens/{id}"), "");
    assert_eq!((one.status, one.json()["token"].as_str()), (200, Some(&old[old.len() - 4..])));
    let patch = r#"[{"op":"replace","path":"/role","value":"writer"}]"#;
    let patched = call(&secret, "PATCH", &format!("/tokens/{id}"), patch);
    assert_eq!((patched.status, &patched.json()["role"]), (200, &json!("writer")));
    let reset = call(&secret, "POST", &format!("/tokens/{id}/reset"), "");
    let new = reset.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(call(&old, "GET", "/tokens", "").status, 401);
    assert_eq!(call(&new, "GET", "/tokens", "").status, 200);
    // The year 2100: the old secret works until then.
    let graced = call(&secret, "POST", &format!("/tokens/{id}/reset?expiry=4102444800000"), "");
    assert_eq!((graced.status, call(&new, "GET", "/tokens", "").status), (200, 200));
    let deleted = call(&secret, "DELETE", &format!("/tokens/{id}"), "");
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    assert_eq!(call(&new, "GET", "/tokens", "").status, 401);
    assert_eq!(call(&secret, "GET", &format!("/tokens/{id}"), "").status, 404);
    server.stop();
}
