//! A small service behind a jeton.
//!
//!     JETON_URL=http://127.0.0.1:8080 JETON_TOKEN=jtn_svc_… cargo run -p jeton-tower --example axum

use std::error::Error;

use axum::http::request::Parts;
use axum::routing::get;
use axum::{Extension, Router};
use jeton_tower::{JetonClient, JetonLayer, Need, Verified, plain};

/// What a request needs.
fn need(request: &Parts) -> Need {
    let action = if request.method == "GET" { "viewProject" } else { "updateProject" };
    match request.uri.path().strip_prefix("/projects/").map(plain) {
        Some(Some(project)) => Need::permission(action, format!("proj/{project}")),
        Some(None) => Need::Denied,
        None if request.uri.path() == "/health" => Need::Open,
        None => Need::Token,
    }
}

/// The service. Whoever gets to a handler has been let through, and `Verified` says who it is.
pub fn app(jeton: JetonClient) -> Router {
    Router::new()
        .route("/health", get(async || "ok"))
        .route("/me", get(async |Extension(who): Extension<Verified>| who.subject))
        .route("/projects/{project}", get(async || "a project").put(async || "changed"))
        .layer(JetonLayer::new(jeton).need(need))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let jeton = JetonClient::new(&std::env::var("JETON_URL")?, &std::env::var("JETON_TOKEN")?)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app(jeton)).await?)
}
