//! How the server's no is told: its own words, the id under which its log has the request, and what to do.

use std::fmt::Write as _;

use serde::Deserialize;

use super::access::Source;
use super::address::Address;
use super::show::clean;
use super::transport::Answer;
use crate::fault::Fault;

/// A refusal, in the words of either API.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Words {
    code: Option<String>,
    message: Option<String>,
    msg: Option<String>,
    id: Option<String>,
    access: Option<Wanted>,
}

/// What was asked for, where a policy said no.
#[derive(Deserialize)]
struct Wanted {
    action: String,
    resource: String,
}

/// What an answer that is no success means for whoever asked.
pub(super) fn tell(answer: &Answer, address: &Address, source: Source, list: Option<&str>) -> Fault {
    let words: Option<Words> = serde_json::from_slice(&answer.body).ok();
    let strange = words.is_none();
    let words = words.unwrap_or_default();
    let said = words.msg.or(words.message);
    let strange = strange || said.is_none();
    let status = answer.status;
    let mut text = match &said {
        Some(said) => format!("the server says: {}", clean(said)),
        None => format!("what answers at {address} does not speak as jeton does"),
    };
    let _ = write!(text, " ({status}");
    if let Some(code) = &words.code {
        let _ = write!(text, " {}", clean(code));
    }
    if let Some(id) = words.id.as_ref().or(answer.request_id.as_ref()) {
        let _ = write!(text, ", request {}", clean(id));
    }
    text.push(')');
    if let Some(Wanted { action, resource }) = &words.access {
        let _ = write!(text, "\n  asked for: {} on {}", clean(action), clean(resource));
    }
    let hint = match status {
        _ if strange => Some(elsewhere(answer)),
        401 => Some(bad_token(address, source)),
        403 if words.access.is_some() => Some(denied()),
        404 if said.as_ref().is_some_and(|said| said.starts_with("There is nothing at")) => Some(format!(
            "this server has no such call: it may be older than this jeton, or {address} is not its root"
        )),
        404 => list.map(|list| format!("`{list}` shows what there is")),
        409 if words.code.as_deref() == Some("optimistic_locking_error") => {
            Some("somebody else changed it at the same moment: try again".to_owned())
        }
        429 => Some(match &answer.retry_after {
            Some(seconds) => format!("wait {} s, and try again", clean(seconds)),
            None => "wait a little, and try again".to_owned(),
        }),
        500.. => Some("the server's log says more, under the id of the request".to_owned()),
        _ => None,
    };
    if let Some(hint) = hint {
        let _ = write!(text, "\n  hint: {hint}");
    }
    Fault::failed(text)
}

fn bad_token(address: &Address, source: Source) -> String {
    match source {
        Source::Variable => {
            "the token in JETON_TOKEN is unknown here, expired or revoked: give another, or unset it to use the one of \
             `jeton login`"
                .to_owned()
        }
        Source::Profile => format!(
            "the token of the profile is unknown here, expired or revoked: `jeton login --url {address}` stores another"
        ),
        Source::Login => "nothing was stored: check what was given, and that it is for this server".to_owned(),
    }
}

fn denied() -> String {
    let explain = if crate::cli::knows("explain") { "; `jeton explain` says which rule decided" } else { "" };
    format!(
        "the rights of the token and, if it is personal, those of its owner both have to allow that{explain}"
    )
}

/// Where an answer that is not jeton's may come from.
fn elsewhere(answer: &Answer) -> String {
    match (&answer.location, answer.status) {
        (Some(location), 300..=399) => format!(
            "it points to {}; jeton follows nobody with a token: if that is right, give it as --url",
            clean(location)
        ),
        (_, 502..=504) => "a proxy answers, and does not reach jeton: is it running?".to_owned(),
        _ => "check the address: is it a jeton?".to_owned(),
    }
}
