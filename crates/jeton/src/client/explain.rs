//! `jeton explain`: why a token may do something, or why not.

use clap::{Arg, ArgMatches, Command};
use serde::Deserialize;
use serde_json::Value;

use super::arguments::{asking, encode, given, id, must, required, text};
use super::session::Session;
use super::transport::Call;
use crate::command::print;
use crate::fault::Fault;
use crate::show::{self, clean};

const EXAMPLE: &str = "jeton explain createAccessToken service-token/new";

pub(super) fn command() -> Command {
    asking(
        Command::new("explain").about(
            "Tell whether a token may do something, and which statement of which role or policy decided",
        ),
        EXAMPLE,
    )
    .args([
        required("action", "ACTION", "What is to be done, such as createAccessToken or updateRole"),
        required("resource", "RESOURCE", "To what, such as service-token/ID, member/ID:token/ID or role/KEY"),
        token(),
    ])
}

fn token() -> Arg {
    text("token", "ID", "Another token than the one that asks, by its id")
}

/// An explanation, as far as people look.
#[derive(Deserialize)]
struct Explanation {
    because: String,
    bounds: Vec<Bound>,
}

#[derive(Deserialize)]
struct Bound {
    source: String,
    voices: Vec<Voice>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Voice {
    role: Option<String>,
    custom_role: Option<Named>,
    says: String,
    pointer: Option<String>,
    statement: Option<Value>,
}

#[derive(Deserialize)]
struct Named {
    key: String,
}

impl Voice {
    fn row(&self, source: &str) -> [String; 4] {
        let who = match (&self.role, &self.custom_role) {
            (Some(role), _) => clean(role),
            (None, Some(role)) => clean(&role.key),
            (None, None) => "a policy".to_owned(),
        };
        let place = self.pointer.as_deref().map_or(String::new(), |pointer| format!("{} ", clean(pointer)));
        let statement =
            self.statement.as_ref().map_or(String::new(), |statement| clean(&statement.to_string()));
        [source.to_owned(), who, clean(&self.says), place + &statement]
    }
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Fault> {
    let session = Session::open(matches, "jeton token list")?;
    let token = given(matches, "token").map(id).transpose()?;
    let token = token.map_or(String::new(), |id| format!("&token={}", encode(id)));
    let (action, resource) = (encode(must(matches, "action")), encode(must(matches, "resource")));
    let answer = session.ask(&Call::get(format!("/explain?action={action}&resource={resource}{token}")))?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    let explanation: Explanation = session.read(&answer)?;
    let rows: Vec<_> = explanation
        .bounds
        .iter()
        .flat_map(|bound| bound.voices.iter().map(|voice| voice.row(&clean(&bound.source))))
        .collect();
    let table = show::table(["BOUND BY", "WHOSE WORD", "SAYS", "STATEMENT"], &rows);
    print(&format!("{}\n\n{table}", clean(&explanation.because)))
}
