//! `jeton role`: custom roles, and what they allow.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgGroup, ArgMatches, Command};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::arguments::{
    asking, encode, given, must, noun, page, paging, policy_file, read_policy, required, text, yes,
};
use super::ask;
use super::session::Session;
use super::transport::Call;
use crate::command::print;
use crate::fault::Fault;
use crate::show::{self, clean, or_dash};

const LIST: &str = "jeton role list";

pub(super) fn command() -> Command {
    noun(
        Command::new("role").about("See, make, change and delete the custom roles of a running server"),
        LIST,
    )
    .subcommands([list(), get(), create(), edit(), delete()])
}

fn role() -> Arg {
    required("role", "KEY", "The role's key or id")
}

fn base() -> Arg {
    text(
        "base-permissions",
        "ROLE",
        "What holds where the policy says nothing: reader may look, no_access may not",
    )
    .value_parser(PossibleValuesParser::new(["reader", "no_access"]))
}

fn policy() -> Arg {
    policy_file(
        "policy",
        "What it allows and denies: a file with a JSON list of statements; - for standard input",
    )
}

fn list() -> Command {
    asking(Command::new("list").about("List the custom roles"), LIST).args(paging())
}

fn get() -> Command {
    asking(Command::new("get").about("Show a custom role and its policy"), "jeton role get token-keeper")
        .arg(role())
}

fn create() -> Command {
    asking(
        Command::new("create").about("Make a custom role"),
        "jeton role create token-keeper --name 'Keeps tokens' --policy policy.json",
    )
    .arg(required("role", "KEY", "Its key, by which tokens and members name it"))
    .arg(text("name", "NAME", "What people call it").required(true))
    .arg(text("description", "TEXT", "What it is for"))
    .args([policy().required(true), base()])
}

fn edit() -> Command {
    asking(
        Command::new("edit").about(
            "Change a custom role; whoever has it, member or token, may what it says now from the next request on",
        ),
        "jeton role edit token-keeper --policy - < policy.json",
    )
    .args([role(), text("name", "NAME", "The new name"), text("description", "TEXT", "The new description")])
    .args([policy(), base()])
    .group(
        ArgGroup::new("changes")
            .args(["name", "description", "policy", "base-permissions"])
            .multiple(true)
            .required(true),
    )
}

fn delete() -> Command {
    asking(
        Command::new("delete").about("Delete a custom role; whoever has it loses what it allows at once"),
        "jeton role delete token-keeper",
    )
    .args([role(), yes()])
}

/// A custom role, as far as people look.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Role {
    #[serde(rename = "_id")]
    id: String,
    key: String,
    name: String,
    description: String,
    base_permissions: String,
    policy: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Role>,
    total_count: Option<u64>,
}

impl Role {
    fn statements(&self) -> usize {
        self.policy.as_array().map_or(0, Vec::len)
    }

    fn row(&self) -> [String; 4] {
        [clean(&self.key), or_dash(&self.name), self.statements().to_string(), or_dash(&self.description)]
    }

    fn sheet(&self) -> String {
        show::sheet(&[
            ("Key", clean(&self.key)),
            ("Id", clean(&self.id)),
            ("Name", clean(&self.name)),
            ("Description", clean(&self.description)),
            ("Base permissions", clean(&self.base_permissions)),
            ("Policy", show::policy(&self.policy)),
        ])
    }

    fn words(&self) -> String {
        format!("the role {} (`{}`, id {})", clean(&self.key), clean(&self.name), clean(&self.id))
    }
}

pub(super) fn run((name, matches): (&str, &ArgMatches)) -> Result<(), Fault> {
    // What stands in files is read before anybody is asked for anything.
    let policy = matches.try_get_one::<PathBuf>("policy").ok().flatten();
    let policy = policy.map(|file| read_policy(file)).transpose()?;
    let session = Session::open(matches, LIST)?;
    match name {
        "list" => show_list(&session, matches),
        "get" => show_one(&session, matches),
        "create" => make(&session, matches, policy),
        "edit" => change(&session, matches, policy),
        "delete" => kill(&session, matches),
        other => unreachable!("roles know no command {other}"),
    }
}

fn path(matches: &ArgMatches) -> String {
    format!("/api/v2/roles/{}", encode(must(matches, "role")))
}

fn show_list(session: &Session, matches: &ArgMatches) -> Result<(), Fault> {
    let (query, offset) = page(matches);
    let answer = session.ask(&Call::get(format!("/api/v2/roles?{query}")))?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    let page: Page = session.read(&answer)?;
    let rows: Vec<_> = page.items.iter().map(Role::row).collect();
    print(&show::table(["KEY", "NAME", "STATEMENTS", "DESCRIPTION"], &rows))?;
    if let Some(footer) = show::footer("role", offset, page.items.len(), page.total_count, LIST) {
        ask::say(&footer);
    }
    Ok(())
}

fn show_one(session: &Session, matches: &ArgMatches) -> Result<(), Fault> {
    let answer = session.ask(&Call::get(path(matches)))?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    let role: Role = session.read(&answer)?;
    print(&role.sheet())
}

/// What was given of a role, under the names of the API.
fn parts(matches: &ArgMatches, policy: Option<Value>) -> Map<String, Value> {
    let texts = [("name", "name"), ("description", "description"), ("base-permissions", "basePermissions")]
        .into_iter();
    let texts =
        texts.filter_map(|(argument, name)| Some((name.to_owned(), json!(given(matches, argument)?))));
    texts.chain(policy.map(|policy| ("policy".to_owned(), policy))).collect()
}

fn make(session: &Session, matches: &ArgMatches, policy: Option<Value>) -> Result<(), Fault> {
    let mut body = parts(matches, policy);
    body.insert("key".to_owned(), json!(must(matches, "role")));
    tell(session, &Call::post("/api/v2/roles", Some(&body.into())), "made")
}

fn change(session: &Session, matches: &ArgMatches, policy: Option<Value>) -> Result<(), Fault> {
    let parts = parts(matches, policy).into_iter();
    let patch: Value = parts
        .map(|(name, value)| json!({ "op": "replace", "path": format!("/{name}"), "value": value }))
        .collect::<Vec<_>>()
        .into();
    tell(session, &Call::patch(path(matches), &patch), "changed")
}

fn tell(session: &Session, call: &Call, done: &str) -> Result<(), Fault> {
    let answer = session.ask(call)?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    let role: Role = session.read(&answer)?;
    print(&format!("{done} {}\n", role.words()))
}

fn kill(session: &Session, matches: &ArgMatches) -> Result<(), Fault> {
    let path = path(matches);
    ask::confirm(matches.get_flag("yes"), || {
        let role: Role = session.fetch(path.as_str())?;
        let statements = match role.statements() {
            1 => "1 statement".to_owned(),
            count => format!("{count} statements"),
        };
        Ok(format!(
            "this deletes {}, a policy of {statements}, for good. Members and tokens that have it lose at once what it \
             allows them; a token that has no other may do nothing from then on",
            role.words()
        ))
    })?;
    let answer = session.ask(&Call::delete(path))?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    print(&format!("deleted the role {}\n", clean(must(matches, "role"))))
}
