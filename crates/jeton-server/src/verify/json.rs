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
use jeton_core::token::{Scope, TokenKind};
use jeton_service::{Presented, Verdict, Verified};
use serde::Deserialize;

use super::requirement;
use crate::Shared;
use crate::ask::{self, Ask};
use crate::http::json::{self, Json};
use crate::http::object::Object;
use crate::metrics::Surface;
use crate::operations::{reply, tell};
use crate::trouble::Trouble;

/// More than most answers have, in bytes.
const LENGTH: usize = 320;
/// Questions in one request.
const MOST: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question<'a> {
    #[serde(borrow)]
    secret: Cow<'a, str>,
    action: Option<String>,
    resource: Option<String>,
}

pub(crate) async fn verify(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let outcome = async { answers(&ask::open_uncounted(&shared, request).await?).await };
    outcome.await.unwrap_or_else(|trouble| tell(&trouble))
}

async fn answers(ask: &Ask) -> Result<Response, Trouble> {
    // Told apart by the first sign, so that a mistake is told where it is.
    let several = ask.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let questions: Vec<Object<Question<'_>>> =
        if several { json::decode(&ask.body)? } else { vec![json::decode(&ask.body)?] };
    if questions.len() > MOST {
        return Err(Trouble::invalid(format!(
            "At most {MOST} secrets at once: ask about the others in another request"
        )));
    }
    let secrets: Vec<&str> = questions.iter().map(|Object(question)| &*question.secret).collect();
    let presented = match secrets[..] {
        [alone] => vec![ask.service().present(alone)],
        _ => ask.service().present_all(&secrets),
    };
    ask.shared.seek(&presented).await?;
    let mut text = Vec::with_capacity(LENGTH * questions.len());
    let mut json = Json::onto(&mut text);
    json.raw(if several { "[" } else { "" });
    for (at, (Object(question), presented)) in questions.iter().zip(presented).enumerate() {
        json.raw(if at > 0 { "," } else { "" });
        let place = several.then_some(at);
        answer(ask, question, presented, place, &mut json)?;
    }
    json.raw(if several { "]" } else { "" });
    Ok(reply(StatusCode::OK, text))
}

/// Answers one question, which has this place among others.
fn answer(
    ask: &Ask,
    question: &Question<'_>,
    presented: Option<Presented>,
    place: Option<usize>,
    json: &mut Json<'_>,
) -> Result<(), Trouble> {
    ask.service().may_ask(&ask.session, presented)?;
    let requirement = requirement::read(question.action.as_deref(), question.resource.as_deref());
    let requirement = requirement.map_err(|wrong| match place {
        Some(at) => Trouble::invalid(format!("/{at}: {wrong}")),
        None => Trouble::invalid(wrong),
    })?;
    let verdict = ask.shared.verdict_on_sought(Surface::Json, Some(&ask.session), presented, requirement)?;
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
    json.raw(r#","token":"#).plain(it.token.hex().as_bytes());
    json.raw(r#","kind":"#).plain(it.kind.as_str().as_bytes());
    json.raw(r#","account":"#).plain(it.member.account.hex().as_bytes());
    json.raw(r#","subject":"#).plain(subject(it).hex().as_bytes());
    if it.kind.is_of_a_person() {
        json.raw(r#","email":"#).text(&it.member.email);
    }
    json.raw(r#","scope":"#).plain(scope(it).as_bytes());
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
