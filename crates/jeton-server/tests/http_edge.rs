//! The edge of the server: ids on every answer, tunnelled methods, and panics that stay inside their request.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use jeton_server::http::method_override::BadMethodOverride;
use jeton_server::http::{Dialects, Edge, RequestId, RequestIds};
use tower::ServiceExt as _;

/// Two dialects, of which one tunnels methods.
#[derive(Debug, Clone, Copy)]
struct Words;

impl Dialects for Words {
    type Dialect = &'static str;

    fn of(&self, path: &str) -> &'static str {
        if path.starts_with("/tunnel/") { "tunnel" } else { "plain" }
    }

    fn tunnels_methods(&self, dialect: &'static str) -> bool {
        dialect == "tunnel"
    }

    fn bad_method_override(
        &self,
        dialect: &'static str,
        refusal: BadMethodOverride,
        id: &RequestId,
    ) -> Response<Body> {
        answer(StatusCode::BAD_REQUEST, format!("{dialect}: {refusal} ({id})"))
    }

    fn panicked(&self, dialect: &'static str, id: &RequestId) -> Response<Body> {
        answer(StatusCode::INTERNAL_SERVER_ERROR, format!("{dialect}: broken ({id})"))
    }
}

fn answer(status: StatusCode, text: String) -> Response<Body> {
    Response::builder().status(status).body(text.into()).unwrap()
}

fn edge() -> Edge<Router, Words> {
    let method = |method: Method| async move { method.to_string() };
    let id =
        |request: Request<Body>| async move { request.extensions().get::<RequestId>().unwrap().to_string() };
    let panics = || async {
        tokio::task::yield_now().await;
        fail()
    };
    let router = Router::new()
        .route("/tunnel/method", any(method))
        .route("/method", any(method))
        .route("/id", get(id))
        .route("/panics", any(panics));
    Edge::new(router, RequestIds::new(7), Words)
}

fn fail() -> &'static str {
    panic!("the cause")
}

/// Method, path and headers in; status, `X-Request-Id` and body out.
async fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = edge().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, id, String::from_utf8(body.to_vec()).unwrap())
}

const MADE: &str = "00000000-0000-8007-8000-000000000000";

#[tokio::test]
async fn every_answer_carries_the_id_that_the_handler_saw() {
    let own = [("x-request-id", "from-the-proxy_1.2")];
    assert_eq!(ask("GET", "/id", &own).await, (200, own[0].1.into(), own[0].1.into()));
    assert_eq!(ask("GET", "/id", &[]).await, (200, MADE.into(), MADE.into()));
    assert_eq!(ask("GET", "/id", &[("x-request-id", "with space")]).await.1, MADE);
    assert_eq!(ask("GET", "/nowhere", &own).await.1, own[0].1);
    assert_eq!(ask("POST", "/id", &own).await.0, 405);
    assert_eq!(ask("POST", "/id", &own).await.1, own[0].1);
}

#[tokio::test]
async fn methods_are_tunnelled_where_the_dialect_has_it() {
    let with = |method| [("X-HTTP-Method-Override", method)];
    assert_eq!(ask("POST", "/tunnel/method", &with("patch")).await.2, "PATCH");
    assert_eq!(ask("GET", "/tunnel/method", &with("DELETE")).await.2, "GET");
    assert_eq!(ask("POST", "/method", &with("PATCH")).await.2, "POST");
    assert_eq!(ask("POST", "/method", &with("nonsense")).await.2, "POST");
    let message = "X-HTTP-Method-Override must be PATCH, PUT or DELETE";
    assert_eq!(
        ask("POST", "/tunnel/method", &with("GET")).await,
        (400, MADE.into(), format!("tunnel: {message} ({MADE})"))
    );
}

/// One test for both, because the only other test that logs would race it for whether anybody listens.
#[test]
fn a_panic_becomes_the_dialects_answer_and_is_logged_with_nothing_of_the_request() {
    let log = Log::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let reply = tracing::subscriber::with_default(log.clone(), || {
        let headers = [("authorization", "jtn_header"), ("x-request-id", "abc")];
        runtime.block_on(ask("GET", "/panics?q=jtn_query", &headers))
    });
    assert_eq!(reply, (500, "abc".into(), "plain: broken (abc)".into()));
    let text = log.0.lock().unwrap().clone();
    assert_eq!(text, "ERROR message=a handler panicked request_id=abc panic=\"the cause\"\n");
}

/// Writes events down as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_event()
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = self.0.lock().unwrap();
        write!(text, "{}", event.metadata().level()).unwrap();
        event.record(&mut |field: &tracing::field::Field, value: &dyn fmt::Debug| {
            write!(text, " {field}={value:?}").unwrap();
        });
        text.push('\n');
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
