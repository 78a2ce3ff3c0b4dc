//! `/users/:id/access-tokens`: list, get, create, change the description, delete.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jeton_core::command::{Amend, Field, Issue, ScopeRequest};
use jeton_core::id::TokenId;
use jeton_core::member::Member;
use jeton_core::refusal::Refusal;
use jeton_core::token::TokenKind;
use jeton_service::{Service, Session, Start, TokenView};
use serde_json::{Map, Value};

use super::streams::{self, Shape};
use super::{answer, user_number, wire};
use crate::ask::Ask;
use crate::http::json::{self, Json};
use crate::pages::{self, List, Told};
use crate::trouble::Trouble;

const TOKEN: usize = 5;

pub(super) async fn list(ask: Ask) -> Result<Response, Trouble> {
    let number = user(&ask)?.number;
    if streams::is_wanted(&ask) {
        let mut watch = ask.service().watch_tokens(&ask.session, number, None)?;
        let first = watch.there().await?;
        return Ok(streams::answer(&ask, watch, first, Shape::List));
    }
    let list = List {
        select: move |service: &Service, session: &Session| {
            Ok(service.personal_of(&*service.member_for(session, number)?))
        },
        start: Start::Offset(0),
        limit: u64::MAX,
        before: "[",
        write: |json: &mut Json<'_>, view: &TokenView| {
            json.value(&wire::Token::new(view));
        },
        after: |_: Told| "]".to_owned(),
    };
    pages::answer(ask, list).await
}

pub(super) async fn get(ask: Ask) -> Result<Response, Trouble> {
    let user = user(&ask)?;
    let id = token(&ask)?;
    if streams::is_wanted(&ask) {
        let mut watch = ask.service().watch_tokens(&ask.session, user.number, Some(id))?;
        let first = watch.there().await?;
        return Ok(streams::answer(&ask, watch, first, Shape::Single));
    }
    let view = ask.service().get_of(&ask.session, &user, id).await?;
    Ok(answer::json(&wire::Token::new(&view)))
}

pub(super) async fn create(ask: Ask) -> Result<Response, Trouble> {
    let user = user(&ask)?;
    let command = Issue {
        kind: TokenKind::Personal,
        owner: user.id,
        name: description(&ask)?,
        description: String::new(),
        scope: ScopeRequest::Member,
        api_version: None,
        expires_at: None,
    };
    let (view, secret) = ask.service().issue(&ask.session, &command).await?;
    Ok(answer::json(&wire::Token::with_secret(&view, secret.expose())))
}

pub(super) async fn rename(ask: Ask) -> Result<Response, Trouble> {
    let user = user(&ask)?;
    let id = token(&ask)?;
    ask.service().get_of(&ask.session, &user, id).await?;
    let command = |_: &TokenView| Ok(Amend { name: Some(description(&ask)?), ..Amend::default() });
    let view = ask.service().amend_with::<Trouble>(&ask.session, id, [Field::Name], command).await?;
    Ok(answer::json(&wire::Token::new(&view)))
}

pub(super) async fn revoke(ask: Ask) -> Result<Response, Trouble> {
    let user = user(&ask)?;
    let id = token(&ask)?;
    ask.service().get_of(&ask.session, &user, id).await?;
    ask.service().revoke(&ask.session, id).await?;
    // Neither a body nor a type: a client that sees a JSON type parses, and an empty body is no JSON.
    Ok(StatusCode::OK.into_response())
}

/// The user of the path, whom the caller may turn to.
fn user(ask: &Ask) -> Result<Arc<Member>, Trouble> {
    Ok(ask.service().member_for(&ask.session, user_number(ask)?)?)
}

fn token(ask: &Ask) -> Result<TokenId, Trouble> {
    TokenId::parse(&ask.path_segment(TOKEN)).ok_or(Trouble::Refused(Refusal::NoSuchToken))
}

/// The description in the body, byte for byte. Members that nobody knows are ignored.
fn description(ask: &Ask) -> Result<String, Trouble> {
    let mut body: Map<String, Value> = json::decode(&ask.body)?;
    match body.remove("description") {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        None | Some(Value::Null | Value::String(_)) => {
            Err(Trouble::invalid("description parameter is missing"))
        }
        Some(_) => Err(Trouble::invalid("description parameter must be a string")),
    }
}
