//! The layer for services of others, in the service that its example shows, against the real program, and against
//! servers that are none.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[allow(dead_code, unreachable_pub, reason = "its `main` is for people")]
#[path = "../../jeton-tower/examples/axum.rs"]
mod example;
mod support;

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::get;
use axum::{Extension, Router};
use http_body_util::BodyExt as _;
use jeton_tower::{Answer, JetonClient, JetonLayer, Kind, Need, Unavailable, Unverified, Verified};
use serde_json::{Value, json};
use support::responder::Responder;
use support::{Server, curl, owner_token, serve_at};
use tower::ServiceExt as _;

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn send(app: &Router, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let reply = Reply {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    if !reply.status.is_success() && reply.status != StatusCode::INTERNAL_SERVER_ERROR {
        let problem: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(problem["status"], reply.status.as_u16());
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    reply
}

async fn status(app: &Router, method: &str, path: &str, secret: &str) -> u16 {
    send(app, method, path, &[("authorization", secret)]).await.status.as_u16()
}

/// A token that the owner makes: its secret and its id.
fn made(server: &Server, owner: &str, body: &Value) -> (String, String) {
    let (header, body) = (format!("Authorization: {owner}"), body.to_string());
    let json = "Content-Type: application/json";
    let made = curl(&["-H", &header, "-H", json, "-d", &body, &server.url("/api/v2/tokens")]).json();
    (made["token"].as_str().unwrap().to_owned(), made["_id"].as_str().unwrap().to_owned())
}

fn service_token(server: &Server, owner: &str) -> String {
    made(server, owner, &json!({ "name": "app", "serviceToken": true, "role": "reader" })).0
}

#[tokio::test]
async fn what_the_example_lets_through() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(scratch.path());
    let owner = owner_token(scratch.path());
    let jeton = JetonClient::new(&server.url(""), &service_token(&server, &owner)).unwrap();
    let app = example::app(jeton.clone());
    let (reader, id) = made(&server, &owner, &json!({ "role": "reader" }));

    assert_eq!(send(&app, "GET", "/health", &[]).await.body, "ok");
    let none = send(&app, "GET", "/me", &[]).await;
    assert_eq!((none.status.as_u16(), none.header("www-authenticate")), (401, "Bearer"));
    for bad in ["Bearer nothing-that-anybody-has-ever-issued", "x", "Basic eDp5", &reader[..reader.len() - 1]]
    {
        let bad = send(&app, "GET", "/me", &[("authorization", bad)]).await;
        assert_eq!(
            (bad.status.as_u16(), bad.header("www-authenticate")),
            (401, r#"Bearer error="invalid_token""#)
        );
    }
    let Answer::Allowed(who) = jeton.ask(&reader, None).await.unwrap() else { panic!("it is good") };
    assert_eq!((who.token.as_str(), who.kind, who.scope.as_str()), (&*id, Kind::Personal, "reader"));
    assert_eq!((who.email.as_deref(), who.expires_at, who.retiring), (Some("owner@localhost"), None, false));
    let bearer = format!("Bearer {reader}");
    for presented in [("authorization", &bearer), ("authorization", &reader), ("private-token", &reader)] {
        let good = send(&app, "GET", "/me", &[(presented.0, presented.1)]).await;
        assert_eq!((good.status.as_u16(), good.body), (200, who.subject.clone()));
    }

    assert_eq!(status(&app, "GET", "/projects/web", &reader).await, 200);
    let forbidden = send(&app, "PUT", "/projects/web", &[("authorization", &reader)]).await;
    assert_eq!(forbidden.status.as_u16(), 403);
    assert_eq!(forbidden.header("www-authenticate"), r#"Bearer error="insufficient_scope""#);
    assert_eq!(status(&app, "PUT", "/projects/web", &owner).await, 200);
    // No name of a project: nobody may, and a stranger is not told so.
    assert_eq!(status(&app, "GET", "/projects/*", &owner).await, 403);
    assert_eq!(status(&app, "GET", "/projects/*", "nobody").await, 401);

    let (path, header) = (format!("/api/v2/tokens/{id}"), format!("Authorization: {owner}"));
    assert_eq!(curl(&["-X", "DELETE", "-H", &header, &server.url(&path)]).status, 204);
    assert_eq!(status(&app, "GET", "/me", &reader).await, 401);
    assert_eq!(jeton.ask(&reader, None).await, Ok(Answer::Inactive));
    server.stop();
}

/// A service that shows what it was told.
fn mirror(layer: JetonLayer) -> Router {
    let told = async |verified: Option<Extension<Verified>>,
                      unverified: Option<Extension<Unverified>>,
                      headers: HeaderMap| {
        let forged = headers.contains_key("x-jeton-subject");
        format!(
            "{} {} {forged}",
            verified.is_some(),
            unverified.map_or("-".to_owned(), |it| it.because.to_string())
        )
    };
    Router::new().route("/", get(told)).layer(layer)
}

#[tokio::test]
async fn a_fixed_permission_over_a_unix_socket() {
    let scratch = tempfile::tempdir().unwrap();
    let (socket, data) = (scratch.path().join("jeton.sock"), scratch.path().join("data"));
    let address = format!("unix:{}", socket.display());
    let server = Server::start_with(&mut serve_at(&address, &data));
    let owner = owner_token(&data);
    // A token that may ask about others, and may itself do nothing else.
    let asker = JetonClient::new(&address, &owner).unwrap();
    let app = mirror(JetonLayer::new(asker.clone()).permission("updateProject", "proj/web"));
    let forged = [("authorization", owner.as_str()), ("x-jeton-subject", "somebody")];
    assert_eq!(send(&app, "GET", "/", &forged).await.body, "true - false");
    let open = mirror(JetonLayer::new(asker).need(|_| Need::Open));
    assert_eq!(send(&open, "GET", "/", &forged).await.body, "false - false");
    server.stop();
}

#[tokio::test]
async fn while_jeton_is_down_nobody_is_let_through() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(scratch.path());
    let owner = owner_token(scratch.path());
    let jeton = JetonClient::new(&server.url(""), &service_token(&server, &owner)).unwrap();
    let app = example::app(jeton.clone());
    assert_eq!(status(&app, "GET", "/me", &owner).await, 200);
    let address = server.address().to_owned();
    server.stop();
    let down = send(&app, "GET", "/me", &[("authorization", &owner)]).await;
    assert_eq!((down.status.as_u16(), down.header("retry-after")), (503, "1"));
    assert_eq!(jeton.ask(&owner, None).await, Err(Unavailable::Unreachable));
    assert_eq!(send(&app, "GET", "/health", &[]).await.status.as_u16(), 200);
    assert_eq!(send(&app, "GET", "/me", &[]).await.status.as_u16(), 401);
    // Connections that were kept have died with it, and the next question finds its way.
    let server = restarted(&address, scratch.path());
    assert_eq!(status(&app, "GET", "/me", &owner).await, 200);
    server.crash();
    let server = restarted(&address, scratch.path());
    assert_eq!(status(&app, "GET", "/me", &owner).await, 200);
    server.stop();
}

fn restarted(address: &str, data_dir: &Path) -> Server {
    Server::start_with(&mut serve_at(address, data_dir))
}

#[tokio::test]
async fn who_may_not_ask_lets_nobody_through() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(scratch.path());
    let owner = owner_token(scratch.path());
    let (reader, _) = made(&server, &owner, &json!({ "role": "reader" }));
    let asked = async |asker: &str, resource: &str| {
        let jeton = JetonClient::new(&server.url(""), asker).unwrap();
        let layer = JetonLayer::new(jeton.clone()).permission("viewProject", resource).fail_open();
        assert_eq!(status(&mirror(layer), "GET", "/", &owner).await, 503);
        jeton.ask(&owner, Some(("viewProject", resource))).await.unwrap_err()
    };
    assert_eq!(asked("nobody", "proj/web").await, Unavailable::Refused(StatusCode::UNAUTHORIZED));
    assert_eq!(asked(&reader, "proj/web").await, Unavailable::Refused(StatusCode::FORBIDDEN));
    assert_eq!(asked(&owner, "nothing").await, Unavailable::Refused(StatusCode::BAD_REQUEST));
    server.stop();
}

/// A listener that takes connections, because the system does, and never says anything.
fn silent(time_out: Duration) -> (TcpListener, JetonClient) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, JetonClient::new(&url, "any-token").unwrap().time_out(time_out))
}

#[tokio::test]
async fn a_slow_jeton_is_none() {
    let (_listener, jeton) = silent(Duration::from_millis(20));
    assert_eq!(jeton.ask("abc", None).await, Err(Unavailable::TimedOut));
    let closed = send(&mirror(JetonLayer::new(jeton.clone())), "GET", "/", &[("private-token", "abc")]).await;
    assert_eq!((closed.status.as_u16(), closed.header("retry-after")), (503, "1"));
    let open = mirror(JetonLayer::new(jeton).fail_open());
    assert_eq!(
        send(&open, "GET", "/", &[("private-token", "abc")]).await.body,
        "false no answer in time false"
    );
    assert_eq!(send(&open, "GET", "/", &[]).await.status.as_u16(), 401);
}

#[tokio::test]
async fn too_many_at_once_are_refused_at_once() {
    let (_listener, jeton) = silent(support::PATIENCE);
    let jeton = jeton.at_once(2);
    let app = mirror(JetonLayer::new(jeton.clone()).fail_open());
    let ask = || send(&app, "GET", "/", &[("private-token", "abc")]);
    let refused = tokio::select! {
        biased;
        _ = ask() => panic!("nobody answers"),
        _ = ask() => panic!("nobody answers"),
        refused = ask() => refused,
    };
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "1"));
    // Those who were given up have made room again.
    tokio::select! {
        biased;
        answer = jeton.ask("abc", None) => panic!("{answer:?}"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn what_is_no_jeton_lets_nobody_through() {
    const JSON: &str = "Content-Type: application/json\r\n";
    let good = r#"{"allowed":true,"active":true,"token":"019b7ca98f2e9f6b9dae6f4c","kind":"service",
        "account":"019b7ca98f2e9f6b9dae6f4c","subject":"019b7ca98f2e9f6b9dae6f4c","scope":"reader","revision":1}"#;
    let long = format!("{good}{}", " ".repeat(100_000));
    let redirected = "Location: http://127.0.0.1:1/verify\r\nContent-Type: application/json\r\n";
    let code = |code| Unavailable::Refused(StatusCode::from_u16(code).unwrap());
    for (answer, opens, why) in [
        ((200, JSON, "{}"), true, Unavailable::Nonsense),
        ((200, JSON, "true"), true, Unavailable::Nonsense),
        ((200, JSON, r#"{"allowed":true,"active":true}"#), true, Unavailable::Nonsense),
        ((200, JSON, r#"{"allowed":true,"active":false}"#), true, Unavailable::Nonsense),
        ((200, JSON, &long), true, Unavailable::Nonsense),
        ((200, "Content-Type: text/html\r\n", good), true, Unavailable::Nonsense),
        ((200, "", good), true, Unavailable::Nonsense),
        ((201, JSON, good), true, Unavailable::Nonsense),
        ((302, redirected, good), true, Unavailable::Nonsense),
        ((503, JSON, good), true, code(503)),
        ((429, JSON, good), false, code(429)),
        ((404, JSON, good), false, code(404)),
    ] {
        let responder = Responder::start(&[answer, answer, answer]);
        let jeton = JetonClient::new(&responder.url(), "any-token").unwrap();
        assert_eq!(jeton.ask("abc", None).await, Err(why), "{answer:?}");
        assert_eq!(
            status(&mirror(JetonLayer::new(jeton.clone())), "GET", "/", "abc").await,
            503,
            "{answer:?}"
        );
        let open = mirror(JetonLayer::new(jeton).fail_open());
        assert_eq!(status(&open, "GET", "/", "abc").await, if opens { 200 } else { 503 }, "{answer:?}");
        for asked in responder.asked() {
            assert_eq!(asked.what, "POST /verify");
            assert_eq!(asked.header("authorization"), Some("Bearer any-token"));
            assert_eq!(asked.json(), json!({ "secret": "abc" }));
        }
    }
    let responder = Responder::start(&[(200, JSON, good)]);
    let jeton = JetonClient::new(&responder.url(), "any-token").unwrap();
    assert_eq!(
        send(&mirror(JetonLayer::new(jeton)), "GET", "/", &[("private-token", "abc")]).await.body,
        "true - false"
    );
}
