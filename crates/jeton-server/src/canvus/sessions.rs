//! `/users/login` and `/users/logout`, and the calls around passwords and registration that are answered no.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use jeton_core::refusal::Refusal;
use serde_json::{Map, Value, json};

use super::{answer, tell, wire};
use crate::Shared;
use crate::ask::{self, Ask, Stranger};
use crate::http::json as body;
use crate::trouble::Trouble;

/// What a login is made with.
enum Credentials {
    Password { email: String, password: String },
    Token(String),
}

/// Logs in by password or by token. Whatever the headers present does not matter: clients send stale tokens along.
pub(super) async fn login(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let outcome = async { logged_in(ask::of_stranger(&shared, request).await?).await };
    let mut response = outcome.await.unwrap_or_else(|trouble| tell(&trouble));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn logged_in(stranger: Stranger) -> Result<Response, Trouble> {
    let (origin, Stranger { shared, body, .. }) = (stranger.origin(), &stranger);
    let (service, gate) = (&shared.service, &shared.gate);
    let (done, email) = match Credentials::read(body)? {
        Credentials::Password { email, password } => {
            gate.admit_password(service, origin, &email)?;
            (service.login(&email, &password).await, Some(email))
        }
        Credentials::Token(token) => (service.login_with(&token).await, None),
    };
    match done.map_err(Trouble::from) {
        Ok((member, secret)) => {
            let user = wire::User::new(&member, service.presence(&member));
            Ok(answer::json(&json!({ "token": secret.expose(), "user": user })))
        }
        Err(why @ (Trouble::BadSecret | Trouble::Refused(Refusal::WrongPassword))) => {
            Err(gate.login_failed(service, origin, email.as_deref(), why))
        }
        Err(trouble) => Err(trouble),
    }
}

/// Ends a login: of the token in the body, or of the caller's own.
pub(super) async fn logout(ask: Ask) -> Result<Response, Trouble> {
    let body = if ask.body.is_empty() { Map::new() } else { body::decode(&ask.body)? };
    let presented = body.get("token").and_then(Value::as_str);
    ask.service().logout(&ask.session, presented).await?;
    // Not empty: clients decode it.
    Ok(answer::json(&json!({})))
}

/// People are invited here and don't register themselves.
pub(super) async fn register() -> Response {
    tell(&Trouble::Refused(Refusal::AdministratorsOnly))
}

/// Nothing is sent by mail, so no such token is ever good.
pub(super) async fn mailed_token() -> Response {
    tell(&Trouble::invalid("Invalid token"))
}

impl Credentials {
    /// Reads a body that holds an address and a password, or a token, and nothing else.
    fn read(text: &[u8]) -> Result<Self, Trouble> {
        let mut body: Map<String, Value> = body::decode(text)?;
        body.remove("remember");
        // An older client's word for the address.
        if !body.contains_key("email")
            && let Some(username) = body.remove("username")
        {
            body.insert("email".to_owned(), username);
        }
        let taken = ["email", "password", "token"].map(|name| body.remove(name));
        match taken {
            [Some(Value::String(email)), Some(Value::String(password)), None] if body.is_empty() => {
                Ok(Self::Password { email, password })
            }
            [None, None, Some(Value::String(token))] if body.is_empty() => Ok(Self::Token(token)),
            _ => Err(Trouble::invalid("Login request must have either email and password or token")),
        }
    }
}
