//! `/explain`: why a token may do something, or why not. Neither dialect has such a question, so it is our own.
//!
//! `GET /explain?action=…&resource=…`, with `token=ID` for another token than the caller's own. The answer goes through
//! the same bounds that a request does, and names the statement that decided. `active` says whether the token is good at all.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use jeton_core::explain::{Bound, By, Says, Voice};
use jeton_core::id::TokenId;
use jeton_core::policy::{Resource, Statement};
use jeton_core::refusal::Refusal;
use serde_json::{Map, Value, json};

use crate::Shared;
use crate::ask::{self, Ask};
use crate::gate::Prefers;
use crate::operations::{reply, tell};
use crate::trouble::Trouble;

pub(crate) async fn explain(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (_, ask) = ask::open(&shared, request, Prefers::Authorization).await;
    let outcome = async { explained(&ask?).await };
    outcome.await.unwrap_or_else(|trouble| tell(&trouble))
}

async fn explained(ask: &Ask) -> Result<Response, Trouble> {
    let needed = |name: &'static str, example: &str| {
        let given = ask.query().first(name).filter(|value| !value.is_empty());
        given.ok_or_else(|| Trouble::invalid(format!("{name} is missing: give one like {name}={example}")))
    };
    let action = needed("action", "createAccessToken")?;
    let text = needed("resource", "service-token/new")?;
    let resource = Resource::parse(&text).ok_or_else(|| {
        Trouble::invalid(
            "resource names no resource: give one like member/ID:token/ID, service-token/ID or role/KEY",
        )
    })?;
    let token = match ask.query().first("token") {
        Some(id) => TokenId::parse(&id).ok_or(Trouble::Refused(Refusal::NoSuchToken))?,
        None => ask.session.caller().token,
    };
    let (view, explanation) = ask.service().explain(&ask.session, token, &action, resource).await?;
    let body = json!({
        "allowed": explanation.allowed,
        "active": explanation.lapse.is_none(),
        "because": explanation.sentence(),
        "action": action,
        "resource": text,
        "token": { "id": view.token.id.to_string(), "kind": view.token.kind.as_str(), "name": view.token.name },
        "bounds": explanation.bounds.iter().map(bound).collect::<Vec<_>>(),
    });
    Ok(reply(StatusCode::OK, body.to_string()))
}

fn bound(bound: &Bound) -> Value {
    json!({
        "source": bound.source.as_str(),
        "allowed": bound.allowed,
        "voices": bound.voices.iter().map(voice).collect::<Vec<_>>(),
    })
}

fn voice(voice: &Voice) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
    let policy = match &voice.by {
        By::Base(role) => {
            put("role", json!(role.as_str()));
            None
        }
        By::Role { id, key, policy } => {
            put("customRole", json!({ "id": id.to_string(), "key": key }));
            Some(policy)
        }
        By::Policy(policy) => {
            put("policy", json!(true));
            Some(policy)
        }
    };
    let (says, at) = match voice.says {
        Says::Allows { statement } => ("allow", statement),
        Says::Denies { statement } => ("deny", Some(statement)),
        Says::Nothing => ("nothing", None),
    };
    put("says", json!(says));
    if let Some((at, words)) = at.and_then(|at| Some((at, policy?.statements().get(at)?))) {
        put("pointer", json!(format!("/{at}")));
        put("statement", statement(words));
    }
    Value::Object(object)
}

pub(crate) fn statement(statement: &Statement) -> Value {
    let mut object = Map::from_iter([("effect".to_owned(), json!(statement.effect.as_str()))]);
    let lists = [
        ("resources", &statement.resources),
        ("notResources", &statement.not_resources),
        ("actions", &statement.actions),
        ("notActions", &statement.not_actions),
    ];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        object.insert(name.to_owned(), json!(list));
    }
    Value::Object(object)
}
