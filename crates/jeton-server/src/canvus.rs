//! Canvus v1, under `/api/v1`: access tokens of users, and what a client asks before.
//!
//! The dialect in a few words: success is always 200; bodies are JSON whatever the `Content-Type` says; user ids are
//! numbers, token ids opaque; errors are `{"msg": …}`; the order of checks is authentication, user id, permission,
//! existence, body. A path may end in a slash.

mod answer;
mod tokens;
mod wire;

use std::future::Future;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use axum::routing::{MethodRouter, Router, any};

use crate::Shared;
use crate::ask::{self, Ask};
use crate::gate::Prefers;
use crate::routes;
use crate::trouble::Trouble;

pub(crate) use answer::tell;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    let list = methods()
        .get(|State(shared), request| run(shared, request, tokens::list))
        .post(|State(shared), request| run(shared, request, tokens::create));
    let single = methods()
        .get(|State(shared), request| run(shared, request, tokens::get))
        .patch(|State(shared), request| run(shared, request, tokens::rename))
        .delete(|State(shared), request| run(shared, request, tokens::revoke));
    let paths = [
        ("", any(no_such_route)),
        ("/users/{id}/access-tokens", list),
        ("/users/{id}/access-tokens/{token}", single),
        ("/server-info", methods().get(server_info)),
    ];
    routes::under("/api/v1", paths, any(no_such_route))
}

/// What every path has: other methods are refused.
fn methods() -> MethodRouter<Arc<Shared>> {
    MethodRouter::new().fallback(no_such_method)
}

/// Admits the sender, runs the handler, and says what came of it.
async fn run<F, Done>(shared: Arc<Shared>, request: Request, handler: F) -> Response
where
    F: FnOnce(Ask) -> Done,
    Done: Future<Output = Result<Response, Trouble>>,
{
    let (_, ask) = ask::open(&shared, request, Prefers::PrivateToken).await;
    let outcome = async { handler(ask?).await };
    let mut response = outcome.await.unwrap_or_else(|trouble| tell(&trouble));
    // Nobody on the way may keep what a token was shown, and `Private-Token` does not tell a cache that it is one.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What the server is. Needs no token, and a bad one does not matter.
async fn server_info(State(shared): State<Arc<Shared>>) -> Response {
    let settings = &shared.settings;
    answer::json(&wire::ServerInfo {
        api: ["v1.2"],
        go: "",
        server_id: &settings.server_id,
        version: settings.version,
    })
}

async fn no_such_route(request: Request) -> Response {
    tell(&Trouble::NoSuchRoute { path: request.uri().path().to_owned() })
}

async fn no_such_method() -> Response {
    tell(&Trouble::NoSuchMethod)
}
