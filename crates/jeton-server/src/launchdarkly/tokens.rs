//! `/tokens`: create, get, patch, delete, reset.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jeton_core::command::Rotate;
use jeton_core::id::TokenId;
use jeton_core::refusal::Refusal;
use jeton_core::timestamp::Timestamp;
use jeton_service::TokenView;
use serde::Deserialize;

use super::body::AccessTokenPost;
use super::token_patch::TokenPatch;
use super::{answer, wire};
use crate::ask::Ask;
use crate::http::json;
use crate::http::object::Object;
use crate::http::query::Query;
use crate::trouble::Trouble;

const TOKEN: usize = 3;

pub(super) async fn create(ask: Ask) -> Result<Response, Trouble> {
    let Object::<AccessTokenPost>(body) = json::decode(&ask.body)?;
    let command = body.into_command(ask.session.caller().member.id)?;
    let (view, secret) = ask.service().issue(&ask.session, &command).await?;
    let token = wire::Token::with_secret(&view, secret.expose());
    Ok(answer::token(StatusCode::CREATED, &token))
}

pub(super) async fn get(ask: Ask) -> Result<Response, Trouble> {
    let view = ask.service().get(&ask.session, token(&ask)?).await?;
    Ok(answer::token(StatusCode::OK, &wire::Token::new(&view)))
}

pub(super) async fn patch(ask: Ask) -> Result<Response, Trouble> {
    let patch = TokenPatch::read(&ask)?;
    let apply = |view: &TokenView| patch.command(view);
    let view = ask.service().amend_with(&ask.session, token(&ask)?, patch.fields(), apply).await?;
    Ok(answer::token(StatusCode::OK, &wire::Token::new(&view)))
}

pub(super) async fn delete(ask: Ask) -> Result<Response, Trouble> {
    ask.service().revoke(&ask.session, token(&ask)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn reset(ask: Ask) -> Result<Response, Trouble> {
    let command = Rotate { retire_at: expiry(&ask)?.map(Timestamp::from_millis) };
    let (view, secret) = ask.service().rotate(&ask.session, token(&ask)?, command).await?;
    let token = wire::Token::with_secret(&view, secret.expose());
    Ok(answer::token(StatusCode::OK, &token))
}

/// The token of the path. What can't be an id is no token.
fn token(ask: &Ask) -> Result<TokenId, Trouble> {
    TokenId::parse(&ask.path_segment(TOKEN)).ok_or(Trouble::Refused(Refusal::NoSuchToken))
}

/// Until when a reset leaves the old secret alive, from the query or from the body, in every form that clients have:
/// no body, `null`, an object, a form. The query counts before the body.
fn expiry(ask: &Ask) -> Result<Option<i64>, Trouble> {
    #[derive(Deserialize)]
    struct Body {
        expiry: Option<i64>,
    }
    let number = |text: &str| {
        text.parse().map_err(|_| Trouble::invalid("expiry must be an integer: Unix milliseconds"))
    };
    if let Some(text) = ask.query().first("expiry").filter(|text| !text.is_empty()) {
        return number(&text).map(Some);
    }
    if ask.body.trim_ascii().is_empty() {
        return Ok(None);
    }
    // Some clients call every body a form, so this is only one if it reads like one, and never if it begins like JSON.
    let json = ask.body.trim_ascii().starts_with(b"{");
    if !json
        && let Some(text) =
            std::str::from_utf8(&ask.body).ok().and_then(|text| Query::from_text(text).first("expiry"))
    {
        return number(&text).map(Some);
    }
    Ok(json::decode::<Option<Object<Body>>>(&ask.body)?.and_then(|Object(body)| body.expiry))
}
