//! `POST /verify`: is this secret good, and may it do this? One question, or up to a thousand at once, in JSON.
//!
//! ```json
//! {"secret": "jtn_pat_…", "action": "viewFlag", "resource": "proj/web:env/production:flag/dark-mode"}
//! ```
//!
//! `allowed` is the answer. `active` says whether the secret is good at all, so that a service can tell 401 from 403.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use jeton_core::id::ObjectId;
use jeton_core::policy::Resource;
use jeton_core::token::{Scope, TokenKind};
use jeton_service::{Requirement, Verdict, Verified};
use serde::Deserialize;

use crate::Shared;
use crate::ask::{self, Ask};
use crate::http::json::{self, Json};
use crate::metrics::Surface;
use crate::operations::{reply, tell};
use crate::trouble::Trouble;

/// Questions in one request.
const MOST: usize = 1000;

#[derive(Deserialize)]
#[serde(untagged)]
enum Questions {
    One(Question),
    Several(Vec<Question>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    secret: String,
    action: Option<String>,
    resource: Option<String>,
}

pub(crate) async fn verify(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let outcome = async { answers(&ask::open_uncounted(&shared, request).await?) };
    outcome.await.unwrap_or_else(|trouble| tell(&trouble))
}

fn answers(ask: &Ask) -> Result<Response, Trouble> {
    let mut text = Vec::with_capacity(512);
    let mut json = Json::onto(&mut text);
    // Told apart by the first sign, so that a mistake is told where it is.
    let first = ask.body.iter().find(|byte| !byte.is_ascii_whitespace());
    let questions = if first == Some(&b'[') {
        Questions::Several(json::decode(&ask.body)?)
    } else {
        Questions::One(json::decode(&ask.body)?)
    };
    match &questions {
        Questions::One(question) => answer(ask, question, "", &mut json)?,
        Questions::Several(questions) if questions.len() > MOST => {
            return Err(Trouble::invalid(format!(
                "At most {MOST} secrets at once: ask about the others in another request"
            )));
        }
        Questions::Several(questions) => {
            json.raw("[");
            for (at, question) in questions.iter().enumerate() {
                json.raw(if at > 0 { "," } else { "" });
                answer(ask, question, &format!("/{at}"), &mut json)?;
            }
            json.raw("]");
        }
    }
    Ok(reply(StatusCode::OK, text))
}

fn answer(ask: &Ask, question: &Question, place: &str, json: &mut Json<'_>) -> Result<(), Trouble> {
    let presented = ask.service().present(&question.secret);
    ask.service().may_ask(&ask.session, presented)?;
    let requirement = match (&question.action, &question.resource) {
        (None, None) => None,
        (Some(action), Some(text)) => {
            let resource = Resource::parse(text).ok_or_else(|| {
                Trouble::invalid(format!(
                    "{place}/resource names no resource: give one like proj/KEY:env/KEY:flag/KEY"
                ))
            })?;
            Some(Requirement { action, resource })
        }
        _ => {
            return Err(Trouble::invalid(format!(
                "{place}/: action and resource go together: give both or neither"
            )));
        }
    };
    let verdict = ask.shared.verdict(Surface::Json, Some(&ask.session), presented, requirement);
    match &verdict {
        Verdict::Inactive => {
            json.raw(r#"{"allowed":false,"active":false}"#);
        }
        Verdict::Allowed(verified) => write(verified, true, json),
        Verdict::Forbidden(verified) => write(verified, false, json),
    }
    Ok(())
}

fn write(it: &Verified, allowed: bool, json: &mut Json<'_>) {
    json.raw(if allowed { r#"{"allowed":true,"active":true"# } else { r#"{"allowed":false,"active":true"# });
    json.raw(r#","token":"#).text(it.token.hex().as_str());
    json.raw(r#","kind":"#).text(it.kind.as_str());
    json.raw(r#","account":"#).text(it.member.account.hex().as_str());
    json.raw(r#","subject":"#).text(subject(it).hex().as_str());
    if it.kind.is_of_a_person() {
        json.raw(r#","email":"#).text(&it.member.email);
    }
    json.raw(r#","scope":"#).text(&scope(it));
    if let Some(end) = it.expires_at {
        json.raw(r#","expiresAt":"#).value(&end.as_millis());
    }
    if it.retiring {
        json.raw(r#","retiring":true"#);
    }
    json.raw(r#","revision":"#).value(&it.revision.number()).raw("}");
}

/// Who a token acts for: its owner, or itself where it is a service's.
pub(super) fn subject(it: &Verified) -> ObjectId {
    match it.kind {
        TokenKind::Personal | TokenKind::Login => it.member.id.into(),
        TokenKind::Service => it.token.into(),
    }
}

/// What a token may do by itself, in words between blanks: a base role, ids of custom roles, `policy` for one of its own,
/// and `member` for all that its owner may.
pub(super) fn scope(it: &Verified) -> Cow<'static, str> {
    match &it.scope {
        Scope::Member => Cow::Borrowed("member"),
        Scope::Base(role) => Cow::Borrowed(role.as_str()),
        Scope::Roles(ids) => Cow::Owned(ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        Scope::Inline(_) => Cow::Borrowed("policy"),
    }
}
