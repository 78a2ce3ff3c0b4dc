//! Every endpoint, asked by every kind of caller: `data/matrix.txt` says what each is answered.
//!
//! Each question is about things of its own: a member with a token, a service token, a custom role, made for it, so that
//! no answer depends on the one before. A change of the table is a change of who may do what, and is looked at as one.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use std::fmt::Write as _;
use std::time::Duration;

use jeton_core::policy::{Effect, Statement};
use jeton_core::role::BaseRole;
use jeton_testkit::{Jeton, Person};
use serde_json::json;

const TABLE: &str = include_str!("data/matrix.txt");

const CALLERS: [&str; 12] = [
    "none", "garbage", "expired", "revoked", "reader", "writer", "admin", "owner", "custom", "inline",
    "service", "other",
];

/// What is asked: a method, a path and a body. `{member}`, `{number}`, `{token}`, `{service}` and `{role}` are somebody
/// else's, made for the question.
const QUESTIONS: &[(&str, &str, &str)] = &[
    ("GET", "/healthz", ""),
    ("GET", "/readyz", ""),
    ("GET", "/openapi.json", ""),
    ("GET", "/metrics", ""),
    ("GET", "/.well-known/oauth-authorization-server", ""),
    ("POST", "/oauth2/introspect", "token=nothing"),
    ("POST", "/oauth2/revoke", "token=nothing"),
    ("POST", "/verify", r#"{"secret":"nothing"}"#),
    ("GET", "/verify/x-original", ""),
    ("GET", "/verify/x-forwarded?action=updateProject&resource=proj/p", ""),
    ("GET", "/ext-authz/{role}", ""),
    ("PUT", "/ext-authz/{role}", ""),
    ("POST", "/ext-authz/{role}", ""),
    ("DELETE", "/ext-authz/{role}", ""),
    ("OPTIONS", "/ext-authz/{role}", ""),
    ("PATCH", "/ext-authz/{role}", ""),
    ("GET", "/changes", ""),
    ("GET", "/explain?action=createAccessToken&resource=service-token/new", ""),
    ("GET", "/explain?action=createAccessToken&resource=service-token/new&token={token}", ""),
    ("GET", "/api/v1/server-info", ""),
    ("GET", "/api/v1/server-config", ""),
    ("GET", "/api/v1/users", ""),
    ("GET", "/api/v1/users?subscribe", ""),
    ("POST", "/api/v1/users", r#"{"email":"new-{number}@example.com","name":"N"}"#),
    ("GET", "/api/v1/users/{number}", ""),
    ("GET", "/api/v1/users/{number}?subscribe", ""),
    ("PATCH", "/api/v1/users/{number}", r#"{"name":"N"}"#),
    ("DELETE", "/api/v1/users/{number}", ""),
    ("POST", "/api/v1/users/{number}/block", ""),
    ("POST", "/api/v1/users/{number}/unblock", ""),
    ("POST", "/api/v1/users/{number}/approve", ""),
    ("POST", "/api/v1/users/{number}/password", r#"{"new_password":"correct horse"}"#),
    ("POST", "/api/v1/users/login", r#"{"email":"nobody@example.com","password":"wrong horse"}"#),
    ("POST", "/api/v1/users/logout", "{}"),
    ("POST", "/api/v1/users/register", "{}"),
    ("POST", "/api/v1/users/confirm-email", "{}"),
    ("POST", "/api/v1/users/password/create-reset-token", "{}"),
    ("POST", "/api/v1/users/password/reset", "{}"),
    ("GET", "/api/v1/users/password/validate-reset-token", ""),
    ("GET", "/api/v1/users/{number}/access-tokens", ""),
    ("GET", "/api/v1/users/{number}/access-tokens?subscribe", ""),
    ("POST", "/api/v1/users/{number}/access-tokens", r#"{"description":"d"}"#),
    ("GET", "/api/v1/users/{number}/access-tokens/{token}", ""),
    ("GET", "/api/v1/users/{number}/access-tokens/{token}?subscribe", ""),
    ("PATCH", "/api/v1/users/{number}/access-tokens/{token}", r#"{"description":"d"}"#),
    ("DELETE", "/api/v1/users/{number}/access-tokens/{token}", ""),
    ("GET", "/api/v2", ""),
    ("GET", "/api/v2/versions", ""),
    ("GET", "/api/v2/caller-identity", ""),
    ("GET", "/api/v2/account", ""),
    ("GET", "/api/v2/tokens", ""),
    ("POST", "/api/v2/tokens", r#"{"role":"reader"}"#),
    ("POST", "/api/v2/tokens", r#"{"role":"reader","serviceToken":true}"#),
    ("POST", "/api/v2/tokens", r#"{"role":"admin","serviceToken":true}"#),
    ("GET", "/api/v2/tokens/{token}", ""),
    ("PATCH", "/api/v2/tokens/{token}", r#"[{"op":"replace","path":"/name","value":"n"}]"#),
    ("DELETE", "/api/v2/tokens/{token}", ""),
    ("POST", "/api/v2/tokens/{token}/reset", ""),
    ("GET", "/api/v2/tokens/{service}", ""),
    ("PATCH", "/api/v2/tokens/{service}", r#"[{"op":"replace","path":"/name","value":"n"}]"#),
    ("DELETE", "/api/v2/tokens/{service}", ""),
    ("POST", "/api/v2/tokens/{service}/reset", ""),
    ("GET", "/api/v2/members", ""),
    ("POST", "/api/v2/members", r#"[{"email":"new-{number}@example.com"}]"#),
    ("POST", "/api/v2/members", r#"[{"email":"new-{number}@example.com","role":"admin"}]"#),
    ("GET", "/api/v2/members/me", ""),
    ("GET", "/api/v2/members/{member}", ""),
    ("PATCH", "/api/v2/members/{member}", r#"[{"op":"replace","path":"/role","value":"writer"}]"#),
    ("DELETE", "/api/v2/members/{member}", ""),
    ("GET", "/api/v2/roles", ""),
    ("POST", "/api/v2/roles", r#"{"key":"new-{number}","name":"N","policy":[]}"#),
    ("GET", "/api/v2/roles/{role}", ""),
    ("PATCH", "/api/v2/roles/{role}", r#"[{"op":"replace","path":"/name","value":"n"}]"#),
    ("DELETE", "/api/v2/roles/{role}", ""),
];

struct Matrix {
    jeton: Jeton,
    reader: Person,
    writer: Person,
    admin: Person,
    stranger: Person,
    number: u32,
}

impl Matrix {
    async fn new() -> Self {
        let jeton = Jeton::start().await;
        let reader = jeton.add_member(1001, BaseRole::Reader).await;
        let writer = jeton.add_member(1002, BaseRole::Writer).await;
        let admin = jeton.add_member(1003, BaseRole::Admin).await;
        let (_, stranger) = jeton.add_account().await;
        let statement = Statement {
            effect: Effect::Allow,
            resources: vec!["member/*:token/*".to_owned()],
            not_resources: Vec::new(),
            actions: vec!["*".to_owned()],
            not_actions: Vec::new(),
        };
        jeton.define_role("tokens", vec![statement]).await;
        Self { jeton, reader, writer, admin, stranger, number: 1500 }
    }

    /// A token that an administrator makes, and its id.
    async fn made(&self, body: serde_json::Value) -> (String, String) {
        let body = body.to_string();
        let made =
            self.jeton.call(&self.admin.secret, "POST", "/api/v2/tokens", Some(&body)).await.expect(201);
        (made.string("token"), made.string("_id"))
    }

    /// What this caller presents.
    async fn secret(&self, caller: &str) -> Option<String> {
        let owner = &self.jeton.owner.secret;
        Some(match caller {
            "none" => return None,
            "garbage" => "garbage".to_owned(),
            "expired" => {
                let end = self.jeton.service.now().as_millis() + 1000;
                let (secret, _) = self.made(json!({ "role": "admin", "expiry": end })).await;
                self.jeton.clock.advance(Duration::from_secs(2));
                secret
            }
            "revoked" => {
                let (secret, id) = self.made(json!({ "role": "admin" })).await;
                self.jeton.call(owner, "DELETE", &format!("/api/v2/tokens/{id}"), None).await.expect(204);
                secret
            }
            "reader" => self.reader.secret.clone(),
            "writer" => self.writer.secret.clone(),
            "admin" => self.made(json!({ "role": "admin" })).await.0,
            "owner" => owner.clone(),
            "custom" => self.made(json!({ "customRoleIds": ["tokens"] })).await.0,
            "inline" => {
                let policy =
                    json!([{ "effect": "allow", "actions": ["*"], "resources": ["service-token/*"] }]);
                self.made(json!({ "inlineRole": policy })).await.0
            }
            "service" => self.made(json!({ "role": "admin", "serviceToken": true })).await.0,
            "other" => self.stranger.secret.clone(),
            unknown => unreachable!("{unknown} is no caller"),
        })
    }

    /// The status that a caller is answered with.
    async fn ask(&mut self, caller: &str, (method, path, body): (&str, &str, &str)) -> u16 {
        // Failed authentications of one address are forgiven meanwhile.
        self.jeton.clock.advance(Duration::from_secs(1));
        // Whoever is added by a question gets the number behind this one.
        self.number += 10;
        let number = self.number;
        let person = self.jeton.add_member(number, BaseRole::Reader).await;
        let listed = format!("/api/v1/users/{number}/access-tokens");
        let token = self.jeton.call(&self.jeton.owner.secret, "GET", &listed, None).await.expect(200);
        let token = token.json()[0]["id"].as_str().unwrap().to_owned();
        let (_, service) = self.made(json!({ "role": "reader", "serviceToken": true })).await;
        let role = format!("role-{number}");
        self.jeton.define_role(&role, Vec::new()).await;
        let filled = |text: &str| {
            text.replace("{number}", &number.to_string())
                .replace("{member}", &person.id.to_string())
                .replace("{token}", &token)
                .replace("{service}", &service)
                .replace("{role}", &role)
        };
        let secret = self.secret(caller).await;
        let mut headers: Vec<(&str, &str)> =
            secret.iter().map(|secret| ("authorization", secret.as_str())).collect();
        if path.starts_with("/oauth2/") {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        self.jeton.send(method, &filled(path), &headers, filled(body)).await.status.as_u16()
    }
}

#[tokio::test]
async fn every_endpoint_answers_every_caller_as_the_table_says() {
    let mut matrix = Matrix::new().await;
    let mut table = String::new();
    for caller in CALLERS {
        let _ = write!(table, "{caller:8}");
    }
    table.push_str("question\n");
    for question in QUESTIONS {
        for caller in CALLERS {
            let _ = write!(table, "{:<8}", matrix.ask(caller, *question).await);
        }
        let (method, path, body) = question;
        let _ = writeln!(table, "{}", format!("{method} {path} {body}").trim_end());
    }
    assert_eq!(table.trim(), TABLE.trim(), "the table should be:\n{table}");
}

/// A path without the names of what varies in it.
fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap();
    let segment = |segment: &str| if segment.starts_with('{') { "{}".to_owned() } else { segment.to_owned() };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// What the server says it has, row by row: an endpoint that nobody asked the callers about would be one of which nobody
/// knows who may use it.
#[tokio::test]
async fn every_endpoint_has_a_row() {
    let jeton = Jeton::start().await;
    let document = jeton.send("GET", "/openapi.json", &[], "").await.expect(200).json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let asked = QUESTIONS
                .iter()
                .any(|(asked, of, _)| asked.eq_ignore_ascii_case(method) && shape(of) == shape(path));
            assert!(asked, "{method} {path} has no row in the matrix");
        }
    }
}
