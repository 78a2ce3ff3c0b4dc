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
use axum::response::Response;
use axum::routing::{MethodRouter, Router, get};

use crate::Shared;
use crate::ask::{self, Ask};
use crate::gate::Prefers;
use crate::trouble::Trouble;

pub(crate) use answer::tell;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    let list = || {
        MethodRouter::new()
            .get(|State(shared), request| run(shared, request, tokens::list))
            .post(|State(shared), request| run(shared, request, tokens::create))
            .fallback(no_such_method)
    };
    let single = || {
        MethodRouter::new()
            .get(|State(shared), request| run(shared, request, tokens::get))
            .patch(|State(shared), request| run(shared, request, tokens::rename))
            .delete(|State(shared), request| run(shared, request, tokens::revoke))
            .fallback(no_such_method)
    };
    let info = || get(server_info).fallback(no_such_method);
    Router::new()
        .route("/api/v1/users/{id}/access-tokens", list())
        .route("/api/v1/users/{id}/access-tokens/", list())
        .route("/api/v1/users/{id}/access-tokens/{token}", single())
        .route("/api/v1/users/{id}/access-tokens/{token}/", single())
        .route("/api/v1/server-info", info())
        .route("/api/v1/server-info/", info())
        .route("/api/v1", axum::routing::any(no_such_route))
        .route("/api/v1/{*rest}", axum::routing::any(no_such_route))
}

/// Admits the sender, runs the handler, and says what came of it.
async fn run<F, Done>(shared: Arc<Shared>, request: Request, handler: F) -> Response
where
    F: FnOnce(Ask) -> Done,
    Done: Future<Output = Result<Response, Trouble>>,
{
    let (_, ask) = ask::open(&shared, request, Prefers::PrivateToken).await;
    let outcome = match ask {
        Ok(ask) => handler(ask).await,
        Err(trouble) => Err(trouble),
    };
    outcome.unwrap_or_else(|trouble| tell(&trouble))
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
