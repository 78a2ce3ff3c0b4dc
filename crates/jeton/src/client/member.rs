//! `jeton member`: who is in the account, and what they may.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::arguments::{asking, encode, given, must, noun, page, paging, required, several, text, yes};
use super::ask;
use super::session::Session;
use super::transport::Call;
use super::when;
use crate::command::print;
use crate::fault::Fault;
use crate::show::{self, clean, or_dash};

const LIST: &str = "jeton member list";

pub(super) fn command() -> Command {
    noun(
        Command::new("member").about("See, add, change and remove the members of a running server's account"),
        LIST,
    )
    .subcommands([list(), get(), me(), add(), set_role(), remove()])
}

fn member() -> Arg {
    required("member", "MEMBER", "The member's id or e-mail address, or me")
}

fn base_role() -> Arg {
    text("role", "ROLE", "The base role").value_parser(PossibleValuesParser::new([
        "reader",
        "writer",
        "admin",
        "no_access",
    ]))
}

fn custom_role() -> Arg {
    text(
        "custom-role",
        "KEY",
        "A custom role, which counts in place of the base role; several with commas, or given again",
    )
    .action(ArgAction::Append)
    .value_delimiter(',')
}

fn rights() -> ArgGroup {
    ArgGroup::new("rights").args(["role", "custom-role"]).multiple(true).required(true)
}

fn list() -> Command {
    asking(Command::new("list").about("List the members"), LIST).args(paging())
}

fn get() -> Command {
    asking(Command::new("get").about("Show a member"), "jeton member get owner@localhost").arg(member())
}

fn me() -> Command {
    asking(Command::new("me").about("Show the member whose token this is"), "jeton member me")
}

fn add() -> Command {
    asking(
        Command::new("add").about("Add a member"),
        "jeton member add someone@example.com --role reader --first-name Someone",
    )
    .arg(required("email", "EMAIL", "Their e-mail address"))
    .args([base_role(), custom_role()])
    .group(rights())
    .arg(text("first-name", "NAME", "Their first name"))
    .arg(text("last-name", "NAME", "Their last name"))
    .arg(Arg::new("with-password").long("with-password").action(ArgAction::SetTrue).help(
        "Give them a password to log in with, typed unseen or read from standard input; without one they only use tokens",
    ))
}

fn set_role() -> Command {
    asking(
        Command::new("set-role").about(
            "Change what a member may; their personal tokens never do more than they may now, from the next request on",
        ),
        "jeton member set-role someone@example.com --role writer",
    )
    .arg(member())
    .args([base_role(), custom_role()])
    .arg(Arg::new("no-custom-roles").long("no-custom-roles").action(ArgAction::SetTrue).conflicts_with("custom-role").help(
        "Take all custom roles away, so that the base role counts",
    ))
    .group(ArgGroup::new("rights").args(["role", "custom-role", "no-custom-roles"]).multiple(true).required(true))
}

fn remove() -> Command {
    asking(
        Command::new("remove").about("Remove a member, and with them all their personal tokens"),
        "jeton member remove someone@example.com",
    )
    .args([member(), yes()])
}

/// A member, as far as people look.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Member {
    #[serde(rename = "_id")]
    id: String,
    email: String,
    role: String,
    custom_roles: Vec<String>,
    first_name: String,
    last_name: String,
    #[serde(rename = "_pendingInvite")]
    pending: bool,
    #[serde(rename = "_lastSeen")]
    last_seen: i64,
    creation_date: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Member>,
    total_count: Option<u64>,
}

impl Member {
    fn name(&self) -> String {
        clean(format!("{} {}", self.first_name, self.last_name).trim())
    }

    fn last_seen(&self) -> Option<i64> {
        // Zero means never.
        Some(self.last_seen).filter(|instant| *instant > 0)
    }

    fn roles(&self) -> String {
        self.custom_roles.iter().map(|id| clean(id)).collect::<Vec<_>>().join("\n")
    }

    fn row(&self, now: i64) -> [String; 6] {
        let seen = self.last_seen().map_or("never".to_owned(), |instant| when::far(instant, now));
        let custom = match self.custom_roles.len() {
            0 => "-".to_owned(),
            count => count.to_string(),
        };
        [clean(&self.id), clean(&self.email), or_dash(&self.name()), clean(&self.role), custom, seen]
    }

    fn sheet(&self) -> String {
        show::sheet(&[
            ("Id", clean(&self.id)),
            ("E-mail", clean(&self.email)),
            ("Name", self.name()),
            ("Role", clean(&self.role)),
            ("Custom roles", self.roles()),
            ("State", if self.pending { "invited".to_owned() } else { String::new() }),
            (
                "Created",
                if self.creation_date > 0 { when::exactly(self.creation_date) } else { String::new() },
            ),
            ("Last seen", self.last_seen().map_or("never".to_owned(), when::exactly)),
        ])
    }

    fn words(&self) -> String {
        format!("{} ({}, id {})", clean(&self.email), clean(&self.role), clean(&self.id))
    }
}

pub(super) fn run((name, matches): (&str, &ArgMatches)) -> Result<(), Fault> {
    let session = Session::open(matches, LIST)?;
    match name {
        "list" => show_list(&session, matches),
        "get" => show_one(&session, &Call::get(path(&session, must(matches, "member"))?)),
        "me" => show_one(&session, &Call::get("/api/v2/members/me")),
        "add" => invite(&session, matches),
        "set-role" => change(&session, matches),
        "remove" => expel(&session, matches),
        other => unreachable!("members know no command {other}"),
    }
}

/// Where a member is, by id or by address.
fn path(session: &Session, member: &str) -> Result<String, Fault> {
    let id = if member.contains('@') { find(session, member)? } else { member.to_owned() };
    Ok(format!("/api/v2/members/{}", encode(&id)))
}

/// The id of the member with an address, which the API itself does not look up.
fn find(session: &Session, email: &str) -> Result<String, Fault> {
    // A server may find more than was asked for, or not filter at all: so each page is looked through.
    const PAGE: u64 = 100;
    let mut offset = 0;
    loop {
        let query = encode(&format!("query:{email}"));
        let page: Page =
            session.fetch(format!("/api/v2/members?filter={query}&limit={PAGE}&offset={offset}"))?;
        let found = page.items.iter().find(|member| member.email.eq_ignore_ascii_case(email));
        if let Some(member) = found {
            return Ok(member.id.clone());
        }
        offset += PAGE;
        if page.items.is_empty() || page.total_count.is_none_or(|total| offset >= total) {
            return Err(Fault::failed(format!(
                "there is no member with the e-mail address {}\n  hint: `{LIST}` shows who there is",
                clean(email)
            )));
        }
    }
}

fn show_list(session: &Session, matches: &ArgMatches) -> Result<(), Fault> {
    let (query, offset) = page(matches);
    let answer = session.ask(&Call::get(format!("/api/v2/members?{query}")))?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    let page: Page = session.read(&answer)?;
    let now = when::now();
    let headings = ["ID", "E-MAIL", "NAME", "ROLE", "CUSTOM", "LAST SEEN"];
    let rows: Vec<_> = page.items.iter().map(|member| member.row(now)).collect();
    print(&show::table(headings, &rows))?;
    if let Some(footer) = show::footer("member", offset, page.items.len(), page.total_count, LIST) {
        ask::say(&footer);
    }
    Ok(())
}

fn show_one(session: &Session, call: &Call) -> Result<(), Fault> {
    let answer = session.ask(call)?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    let member: Member = session.read(&answer)?;
    print(&member.sheet())
}

fn invite(session: &Session, matches: &ArgMatches) -> Result<(), Fault> {
    let mut member = Map::new();
    for (argument, name) in
        [("email", "email"), ("role", "role"), ("first-name", "firstName"), ("last-name", "lastName")]
    {
        if let Some(text) = given(matches, argument) {
            member.insert(name.to_owned(), json!(text));
        }
    }
    if let Some(keys) = several(matches, "custom-role") {
        member.insert("customRoles".to_owned(), json!(keys));
    }
    if matches.get_flag("with-password") {
        member.insert("password".to_owned(), json!(*ask::secret("Password")?));
    }
    // The API takes several at once.
    let body = Value::from(vec![Value::from(member)]);
    let answer = session.ask(&Call::post("/api/v2/members", Some(&body)))?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    let page: Page = session.read(&answer)?;
    print(&page.items.iter().map(|member| format!("added {}\n", member.words())).collect::<String>())
}

fn change(session: &Session, matches: &ArgMatches) -> Result<(), Fault> {
    let mut patch = Vec::new();
    if let Some(role) = given(matches, "role") {
        patch.push(json!({ "op": "replace", "path": "/role", "value": role }));
    }
    let none = matches.get_flag("no-custom-roles").then(Vec::new);
    if let Some(keys) = several(matches, "custom-role").or(none) {
        patch.push(json!({ "op": "replace", "path": "/customRoles", "value": keys }));
    }
    let path = path(session, must(matches, "member"))?;
    let answer = session.ask(&Call::patch(path, &Value::from(patch)))?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    let member: Member = session.read(&answer)?;
    let custom = match member.custom_roles.len() {
        0 => String::new(),
        1 => ", and a custom role that counts in its place".to_owned(),
        count => format!(", and {count} custom roles that count in its place"),
    };
    print(&format!("changed: {} has the role {}{custom}\n", clean(&member.email), clean(&member.role)))
}

fn expel(session: &Session, matches: &ArgMatches) -> Result<(), Fault> {
    let path = path(session, must(matches, "member"))?;
    ask::confirm(matches.get_flag("yes"), || {
        let member: Member = session.fetch(path.as_str())?;
        Ok(format!(
            "this removes {} from the account, for good, and kills all their personal tokens at once; the service tokens \
             that they made live on",
            member.words()
        ))
    })?;
    let answer = session.ask(&Call::delete(path))?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    print(&format!("removed {}: their personal tokens are dead\n", clean(must(matches, "member"))))
}
