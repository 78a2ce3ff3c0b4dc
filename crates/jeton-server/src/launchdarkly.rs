//! LaunchDarkly v2, under `/api/v2`: access tokens, and the neighbours that their clients ask.
//!
//! The dialect in a few words: instants are integers in milliseconds; a member without a value is left out, never
//! `null`; create is 201, delete 204; errors are `{"code", "message", "id"}`; a secret is in the answer to create and
//! reset, and its last four characters everywhere else.

mod answer;
mod body;
mod identity;
mod list;
mod member_filter;
mod members;
mod paging;
mod patch;
mod roles;
mod token_patch;
mod tokens;
mod version;
mod wire;

use std::future::Future;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, ORIGIN};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::{MethodRouter, Router, any};

use crate::Shared;
use crate::ask::{self, Ask};
use crate::gate::Prefers;
use crate::http::cors;
use crate::http::request_id::RequestId;
use crate::routes::{self, Path};
use crate::trouble::Trouble;

pub(crate) use answer::tell;

/// Where the dialect lives.
pub(crate) const BASE: &str = "/api/v2";

pub(crate) fn routes() -> Router<Arc<Shared>> {
    routes::under(BASE, paths(), any(no_such_route))
}

/// Every path there is, after the base.
pub(crate) fn paths() -> Vec<Path> {
    let collection = methods()
        .get(|State(shared), request| run(shared, request, list::tokens))
        .post(|State(shared), request| run(shared, request, tokens::create));
    let single = methods()
        .get(|State(shared), request| run(shared, request, tokens::get))
        .patch(|State(shared), request| run(shared, request, tokens::patch))
        .delete(|State(shared), request| run(shared, request, tokens::delete));
    let members = methods()
        .get(|State(shared), request| run(shared, request, members::list))
        .post(|State(shared), request| run(shared, request, members::add));
    let member = methods()
        .get(|State(shared), request| run(shared, request, members::get))
        .patch(|State(shared), request| run(shared, request, members::patch))
        .delete(|State(shared), request| run(shared, request, members::remove));
    let roles = methods()
        .get(|State(shared), request| run(shared, request, roles::list))
        .post(|State(shared), request| run(shared, request, roles::define));
    let role = methods()
        .get(|State(shared), request| run(shared, request, roles::get))
        .patch(|State(shared), request| run(shared, request, roles::patch))
        .delete(|State(shared), request| run(shared, request, roles::remove));
    vec![
        ("", methods().get(root)),
        ("/tokens", collection),
        ("/tokens/{id}", single),
        ("/tokens/{id}/reset", methods().post(|State(shared), request| run(shared, request, tokens::reset))),
        ("/members", members),
        ("/members/{id}", member),
        ("/roles", roles),
        ("/roles/{name}", role),
        ("/account", methods().get(|State(shared), request| run(shared, request, identity::account))),
        ("/caller-identity", methods().get(|State(shared), request| run(shared, request, identity::caller))),
        ("/versions", methods().get(|State(shared), request| run(shared, request, identity::versions))),
    ]
}

/// What every path has: preflights are answered, other methods are refused.
fn methods() -> MethodRouter<Arc<Shared>> {
    MethodRouter::new().options(preflight).fallback(no_such_method)
}

/// Admits the sender, runs the handler, and says what came of it, with the headers that every answer has.
async fn run<F, Done>(shared: Arc<Shared>, request: Request, handler: F) -> Response
where
    F: FnOnce(Ask) -> Done,
    Done: Future<Output = Result<Response, Trouble>>,
{
    let id = request.extensions().get::<RequestId>().copied();
    let origin: HeaderMap =
        request.headers().get(ORIGIN).map(|origin| (ORIGIN, origin.clone())).into_iter().collect();
    let (rate, ask) = ask::open(&shared, request, Prefers::Authorization).await;
    let outcome = async {
        let ask = ask?;
        version::of(&ask)?;
        ask::handle(ask, handler).await
    };
    let mut response = outcome.await.unwrap_or_else(|trouble| answer::tell_maybe(&trouble, id.as_ref()));
    if let Some(rate) = rate {
        answer::rate(response.headers_mut(), &rate);
    }
    // Nobody on the way may keep what a token was shown.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    cors::allow(&origin, response.headers_mut());
    response
}

async fn root(request: Request) -> Response {
    let mut response = identity::root();
    cors::allow(request.headers(), response.headers_mut());
    response
}

async fn preflight(request: Request) -> Response {
    cors::preflight(request.headers())
}

async fn no_such_route(request: Request) -> Response {
    let trouble = Trouble::NoSuchRoute { path: request.uri().path().to_owned() };
    unadmitted(&request, &trouble)
}

async fn no_such_method(request: Request) -> Response {
    unadmitted(&request, &Trouble::NoSuchMethod)
}

fn unadmitted(request: &Request, trouble: &Trouble) -> Response {
    let mut response = answer::tell_maybe(trouble, request.extensions().get::<RequestId>());
    cors::allow(request.headers(), response.headers_mut());
    response
}
