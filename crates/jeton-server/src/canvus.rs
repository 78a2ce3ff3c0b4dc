//! Canvus v1, under `/api/v1`: users, logins, and the access tokens of users.
//!
//! The dialect in a few words: success is always 200; bodies are JSON whatever the `Content-Type` says; user ids are
//! numbers, token ids opaque; errors are `{"msg": …}`; the order of checks is authentication, user id, permission,
//! existence, body. A path may end in a slash.

mod answer;
mod sessions;
mod streams;
mod tokens;
mod users;
mod wire;

use std::future::Future;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use axum::routing::{MethodRouter, Router, any};
use serde_json::json;

use crate::Shared;
use crate::ask::{self, Ask};
use crate::gate::Prefers;
use crate::routes::{self, Path};
use crate::trouble::Trouble;

pub(crate) use answer::tell;

/// Where the dialect lives.
pub(crate) const BASE: &str = "/api/v1";

pub(crate) fn routes() -> Router<Arc<Shared>> {
    let nothing = any(no_such_route);
    let root = Router::new().route(BASE, nothing.clone()).route(&format!("{BASE}/"), nothing.clone());
    root.merge(routes::under(BASE, paths(), nothing))
}

/// Every path there is, after the base.
pub(crate) fn paths() -> Vec<Path> {
    let list = methods()
        .get(|State(shared), request| run(shared, request, tokens::list))
        .post(|State(shared), request| run(shared, request, tokens::create));
    let single = methods()
        .get(|State(shared), request| run(shared, request, tokens::get))
        .patch(|State(shared), request| run(shared, request, tokens::rename))
        .delete(|State(shared), request| run(shared, request, tokens::revoke));
    let users = methods()
        .get(|State(shared), request| run(shared, request, users::list))
        .post(|State(shared), request| run(shared, request, users::create));
    let user = methods()
        .get(|State(shared), request| run(shared, request, users::get))
        .patch(|State(shared), request| run(shared, request, users::patch))
        .delete(|State(shared), request| run(shared, request, users::delete));
    vec![
        ("/users/{id}/access-tokens", list),
        ("/users/{id}/access-tokens/{token}", single),
        ("/users", users),
        ("/users/{id}", user),
        ("/users/{id}/block", methods().post(|State(shared), request| run(shared, request, users::block))),
        (
            "/users/{id}/unblock",
            methods().post(|State(shared), request| run(shared, request, users::unblock)),
        ),
        (
            "/users/{id}/approve",
            methods().post(|State(shared), request| run(shared, request, users::approve)),
        ),
        (
            "/users/{id}/password",
            methods().post(|State(shared), request| run(shared, request, users::password)),
        ),
        ("/users/login", methods().post(sessions::login)),
        ("/users/logout", methods().post(|State(shared), request| run(shared, request, sessions::logout))),
        ("/users/register", methods().post(sessions::register)),
        ("/users/confirm-email", methods().post(sessions::mailed_token)),
        ("/users/password/create-reset-token", methods().post(sessions::mailed_token)),
        ("/users/password/reset", methods().post(sessions::mailed_token)),
        ("/users/password/validate-reset-token", methods().get(sessions::mailed_token)),
        ("/server-info", methods().get(server_info)),
        ("/server-config", methods().get(server_config)),
    ]
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
    let outcome = async { ask::handle(ask?, handler).await };
    let mut response = outcome.await.unwrap_or_else(|trouble| tell(&trouble));
    // Nobody on the way may keep what a token was shown, and `Private-Token` does not tell a cache that it is one.
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
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

/// How the server is set up, as far as strangers may know.
async fn server_config() -> Response {
    answer::json(&json!({ "server_name": "jeton" }))
}

const USER: usize = 3;

/// The number of the user in the path.
fn user_number(ask: &Ask) -> Result<u32, Trouble> {
    let text = ask.path_segment(USER);
    let Ok(number) = text.parse::<i64>() else {
        return Err(Trouble::invalid(format!("User ID {text} is not an integer")));
    };
    // No member has a number beyond 32 bits; zero is nobody's.
    Ok(u32::try_from(number).unwrap_or(0))
}

async fn no_such_route(request: Request) -> Response {
    tell(&Trouble::NoSuchRoute { path: request.uri().path().to_owned() })
}

async fn no_such_method() -> Response {
    tell(&Trouble::NoSuchMethod)
}
