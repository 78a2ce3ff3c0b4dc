//! A change in a line, for people: when, what, of whom or what, how it differs now, and who did it.

use std::fmt::Write as _;

use jeton_core::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::clean;
use crate::show::{Colour, in_colour};
use crate::system::utc;

/// Longer than this a value is not shown, since nobody would find the rest of the line behind it: policies, mostly.
const LONGEST_VALUE: usize = 100;

/// A change, as far as people look. What a newer server says that is not known here is shown as it is.
#[derive(Deserialize)]
pub(super) struct Change {
    kind: String,
    at: String,
    actor: Option<Actor>,
    before: Option<Map<String, Value>>,
    after: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Actor {
    token: String,
    member: String,
}

impl Change {
    /// The line, without its end.
    pub(super) fn line(&self) -> String {
        let (noun, verb) = self.kind.split_once('.').unwrap_or(("", &self.kind));
        let colour = match (&self.before, &self.after) {
            (None, Some(_)) => Colour::Green,
            (Some(_), None) => Colour::Red,
            _ => Colour::Yellow,
        };
        let verb = clean(verb);
        // Padded before it is coloured: what a terminal takes for a colour has no width.
        let room = " ".repeat(WIDEST_VERB.saturating_sub(verb.chars().count()));
        let (verb, subject, who) = (in_colour(&verb, colour), self.subject(noun), self.who());
        format!("{}  {verb}{room}  {subject}{}, {who}", self.instant(), self.differences())
    }

    fn instant(&self) -> String {
        let at = self.at.parse::<jiff::Timestamp>();
        at.map_or_else(|_| clean(&self.at), |at| utc(Timestamp::from_millis(at.as_millisecond())))
    }

    /// What it is about, by name and by id.
    fn subject(&self, noun: &str) -> String {
        let Some(record) = self.after.as_ref().or(self.before.as_ref()) else { return clean(noun) };
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        let (what, name) = match noun {
            "token" => (format!("{} token", text("kind")), Some(text("name"))),
            "member" => (noun.to_owned(), Some(text("email"))),
            "role" => (noun.to_owned(), Some(text("key"))),
            _ => (noun.to_owned(), record.get("name").and_then(Value::as_str)),
        };
        let name = name.map_or(String::new(), |name| format!(" {}", quoted(name)));
        format!("{}{name} ({})", clean(what.trim()), clean(text("id")))
    }

    /// What is not as it was.
    fn differences(&self) -> String {
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return String::new() };
        // What is not there and what is null is the same: nothing.
        let known = |record: &Map<String, Value>, name: &str| {
            record.get(name).filter(|value| !value.is_null()).cloned()
        };
        // That it was changed now is in every change.
        let differs = |name: &&String| known(before, name) != known(after, name) && *name != "modifiedAt";
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        let names: Vec<_> = after.keys().chain(gone).filter(differs).collect();
        let mut text = String::new();
        for (number, name) in names.into_iter().enumerate() {
            let (old, new) = (value(before.get(name)), value(after.get(name)));
            let _ = write!(text, "{} {}: {old} → {new}", if number == 0 { ":" } else { ";" }, clean(name));
        }
        text
    }

    fn who(&self) -> String {
        match &self.actor {
            Some(Actor { token, member }) => {
                format!("by member {} with token {}", clean(member), clean(token))
            }
            None => "by jeton itself or its operator".to_owned(),
        }
    }
}

const WIDEST_VERB: usize = "changed".len();

fn quoted(text: &str) -> String {
    format!("\"{}\"", clean(text))
}

fn value(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) if text.len() <= LONGEST_VALUE => quoted(text),
        Some(value) => {
            let text = value.to_string();
            if text.len() <= LONGEST_VALUE { clean(&text) } else { "(long: see --json)".to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(kind: &str, actor: &Value, before: &Value, after: &Value) -> String {
        let change = json!({
            "revision": 7, "kind": kind, "at": "2026-01-02T03:04:05.678Z", "actor": actor, "before": before, "after": after,
        });
        serde_json::from_value::<Change>(change).unwrap().line()
    }

    #[test]
    fn a_change_says_when_what_how_and_who() {
        let actor = json!({ "token": "t0", "member": "m0" });
        let token =
            json!({ "id": "t1", "kind": "service", "name": "a\u{1b}", "scope": {}, "modifiedAt": "x" });
        let role = json!({ "role": "reader" });
        let renamed = json!({ "id": "t1", "kind": "service", "name": "b", "scope": role, "modifiedAt": "y", "new": null });
        assert_eq!(
            line("token.changed", &actor, &token, &renamed),
            "2026-01-02T03:04:05Z  changed  service token \"b\" (t1): name: \"a\u{fffd}\" → \"b\"; scope: {} → \
             {\"role\":\"reader\"}, by member m0 with token t0"
        );
        assert_eq!(
            line("token.revoked", &Value::Null, &token, &Value::Null),
            "2026-01-02T03:04:05Z  revoked  service token \"a\u{fffd}\" (t1), by jeton itself or its operator"
        );
        let long = json!({ "id": "r1", "key": "ops", "policy": vec![role; 20] });
        let short = json!({ "id": "r1", "key": "ops", "policy": [] });
        assert_eq!(
            line("role.changed", &actor, &short, &long),
            "2026-01-02T03:04:05Z  changed  role \"ops\" (r1): policy: [] → (long: see --json), by member m0 with token t0"
        );
    }

    #[test]
    fn what_a_newer_server_tells_is_shown_as_well_as_can_be() {
        let gateway = json!({ "id": "g1", "name": "edge" });
        assert_eq!(
            line("gateway.registered", &Value::Null, &Value::Null, &gateway),
            "2026-01-02T03:04:05Z  registered  gateway \"edge\" (g1), by jeton itself or its operator"
        );
        assert_eq!(
            line("odd", &Value::Null, &Value::Null, &Value::Null),
            "2026-01-02T03:04:05Z  odd      , by jeton itself or its operator"
        );
    }
}
