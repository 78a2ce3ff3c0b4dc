//! How the server's no is told: its own words, the id under which its log has the request, and what to do.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use super::access::Source;
use super::address::Address;
use super::transport::Answer;
use crate::fault::Fault;
use crate::show::clean;

/// A refusal, in the words of either API, or in those of jeton's own calls.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Words {
    code: Option<String>,
    message: Option<String>,
    msg: Option<String>,
    /// RFC 9457.
    detail: Option<String>,
    id: Option<String>,
    access: Option<Wanted>,
    reason: Option<Value>,
    /// The oldest change that a log still has.
    oldest: Option<u64>,
}

/// What was asked for, where a policy said no.
#[derive(Deserialize)]
struct Wanted {
    action: String,
    resource: String,
}

/// What an answer that is no success means for whoever asked.
pub(super) fn tell(answer: &Answer, address: &Address, source: Source, list: Option<&str>) -> Fault {
    let words: Words = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = words.msg.as_ref().or(words.message.as_ref()).or(words.detail.as_ref());
    let mut text = match said {
        Some(said) => format!("the server says: {}", clean(said)),
        None => format!("what answers at {address} does not speak as jeton does"),
    };
    let _ = write!(text, " ({}", answer.status);
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
    // Where no statement allows it there is none to be shown.
    if let Some(statement) = words.reason.as_ref().filter(|reason| reason.get("resources").is_some()) {
        let _ = write!(text, "\n  denied by: {}", clean(&statement.to_string()));
    }
    let hint = match said {
        Some(said) => hint(answer, said, &words, address, source, list),
        None => Some(elsewhere(answer)),
    };
    if let Some(hint) = hint {
        let _ = write!(text, "\n  hint: {hint}");
    }
    Fault::failed(text)
}

/// What to do about a refusal in words that jeton knows.
fn hint(
    answer: &Answer,
    said: &str,
    words: &Words,
    address: &Address,
    source: Source,
    list: Option<&str>,
) -> Option<String> {
    match answer.status {
        400 if said.contains("(at /policy/") || said.contains("(at /inlineRole/") => {
            Some("`jeton policy check` with the same file points at every mistake in it".to_owned())
        }
        401 => Some(bad_token(address, source)),
        403 => words.access.as_ref().map(denied),
        404 if said.starts_with("There is nothing at") => Some(format!(
            "this server has no such call: it may be older than this jeton, or {address} is not its root"
        )),
        404 => list.map(|list| format!("`{list}` shows what there is")),
        410 => words.oldest.map(gone),
        409 if words.code.as_deref() == Some("optimistic_locking_error") => {
            Some("somebody else changed it at the same moment: try again".to_owned())
        }
        429 => Some(match &answer.retry_after {
            Some(seconds) => format!("wait {} s, and try again", clean(seconds)),
            None => "wait a little, and try again".to_owned(),
        }),
        500.. => Some("the server's log says more, under the id of the request".to_owned()),
        _ => None,
    }
}

fn bad_token(address: &Address, source: Source) -> String {
    match source {
        Source::Variable => {
            "the token in JETON_TOKEN is unknown here, expired or revoked: give another, or unset it to use the one of \
             `jeton login`; `jeton check` tells whether it was mistyped"
                .to_owned()
        }
        Source::Profile => format!(
            "the token of the profile is unknown here, expired or revoked: `jeton login --url {address}` stores another"
        ),
        Source::Login => "nothing was stored: check what was given, and that it is for this server".to_owned(),
    }
}

fn gone(oldest: u64) -> String {
    format!(
        "the log begins at revision {oldest}: `jeton watch --after {}` shows what is left of it, and without --after it \
         begins with what happens from now on",
        oldest.saturating_sub(1)
    )
}

fn denied(Wanted { action, resource }: &Wanted) -> String {
    format!(
        "the rights of the token and, if it is personal, those of its owner both have to allow that; `jeton explain {} {}` \
         says which rule decided",
        quoted(action),
        quoted(resource)
    )
}

/// A word as a shell takes it in one piece.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:._-".contains(&byte);
    let word = clean(word);
    if word.bytes().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
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
