//! `jeton token`: what there is to do with tokens.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::arguments::{
    asking, encode, given, id, must, noun, page, paging, policy_file, read_policy, required, several, text,
    token_id, yes,
};
use super::ask;
use super::session::Session;
use super::transport::{Answer, Call};
use super::when::{self, When};
use crate::command::print;
use crate::fault::Fault;
use crate::show::{self, clean, or_dash};

const LIST: &str = "jeton token list";

pub(super) fn command() -> Command {
    noun(Command::new("token").about("See, make, change and revoke tokens of a running server"), LIST)
        .subcommands([list(), create(), get(), rename(), rotate(), revoke()])
}

fn list() -> Command {
    let all = Arg::new("all")
        .long("all")
        .action(ArgAction::SetTrue)
        .help("Personal tokens of everybody too, which takes a token with the admin role");
    asking(
        Command::new("list").about("List your own personal tokens and all service tokens, oldest first"),
        "jeton token list --all --limit 100",
    )
    .arg(all)
    .args(paging())
}

fn create() -> Command {
    let role = text("role", "ROLE", "It may do what this base role may")
        .value_parser(PossibleValuesParser::new(["reader", "writer", "admin"]));
    let custom = text(
        "custom-role",
        "KEY",
        "It may do what this custom role may; several with commas, or given again",
    )
    .action(ArgAction::Append)
    .value_delimiter(',');
    let inline = policy_file(
        "inline",
        "It may do what this policy says: a JSON list of statements; - for standard input",
    );
    let service = Arg::new("service")
        .long("service")
        .action(ArgAction::SetTrue)
        .help("A service token: it belongs to no member, and outlives its maker");
    let expires =
        text("expires", "WHEN", "When it dies by itself: like 30m, 24h, 90d, or 2030-01-31T12:00:00Z")
            .value_parser(value_parser!(When));
    asking(
        Command::new("create").about(
            "Make a token; its secret is printed once, alone on standard output, and what else there is to say on \
             standard error",
        ),
        "jeton token create --name deploy --role writer --service --expires 90d

In a script, and with a policy of its own:
  SECRET=$(jeton token create --name ci --inline policy.json)",
    )
    .arg(text("name", "NAME", "What it is called, so that somebody knows next year").required(true))
    .arg(text("description", "TEXT", "What it is for"))
    .args([role, custom, inline])
    .group(ArgGroup::new("rights").args(["role", "custom-role", "inline"]).required(true))
    .args([service, expires])
}

fn get() -> Command {
    asking(
        Command::new("get").about("Show a token; of its secret only the last four characters are known"),
        "jeton token get 019b7ca98f2e6f9b6dae6f4c",
    )
    .arg(token_id())
}

fn rename() -> Command {
    asking(
        Command::new("rename").about("Give a token another name"),
        "jeton token rename 019b7ca98f2e6f9b6dae6f4c deploy-eu",
    )
    .arg(token_id())
    .arg(required("name", "NAME", "The new name"))
}

fn rotate() -> Command {
    let grace = text(
        "grace",
        "WHEN",
        "How long the old secret works on: like 1h, or an instant; without it, it is dead at once",
    )
    .value_parser(value_parser!(When));
    asking(
        Command::new("rotate")
            .about("Give a token a new secret, which is printed once, alone on standard output"),
        "jeton token rotate 019b7ca98f2e6f9b6dae6f4c --grace 1h",
    )
    .arg(token_id())
    .args([grace, yes()])
}

fn revoke() -> Command {
    asking(
        Command::new("revoke").about("Revoke a token: when this has answered, its secret is dead"),
        "jeton token revoke 019b7ca98f2e6f9b6dae6f4c",
    )
    .arg(token_id())
    .arg(yes())
}

/// A token, as far as people look.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct Token {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    description: String,
    #[serde(rename = "_member")]
    member: Option<Owner>,
    member_id: String,
    creation_date: i64,
    last_used: i64,
    expiry: Option<i64>,
    role: Option<String>,
    custom_role_ids: Vec<String>,
    inline_role: Option<Value>,
    service_token: bool,
    token: Zeroizing<String>,
}

/// Who made it.
#[derive(Deserialize)]
struct Owner {
    email: String,
    role: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Token>,
    total_count: Option<u64>,
}

impl Token {
    /// Its owner and their base role, in words, if the server tells.
    pub(super) fn owner(&self) -> Option<String> {
        self.member.as_ref().map(|owner| format!("{} ({})", clean(&owner.email), clean(&owner.role)))
    }

    fn kind(&self) -> &'static str {
        if self.service_token { "service" } else { "personal" }
    }

    /// What it may, in a few words.
    fn rights(&self) -> String {
        let statements = self.inline_role.as_ref().and_then(Value::as_array).map(Vec::len);
        match (&self.role, self.custom_role_ids.len(), statements) {
            (Some(role), ..) => clean(role),
            (None, 1, _) => "1 custom role".to_owned(),
            (None, 2.., _) => format!("{} custom roles", self.custom_role_ids.len()),
            (None, 0, Some(1)) => "a policy of 1 statement".to_owned(),
            (None, 0, Some(count)) => format!("a policy of {count} statements"),
            (None, 0, None) => "nothing".to_owned(),
        }
    }

    fn last_used(&self) -> Option<i64> {
        // Zero means never.
        Some(self.last_used).filter(|instant| *instant > 0)
    }

    /// It in a sentence, for whoever has to decide or was told.
    fn words(&self) -> String {
        let name = if self.name.is_empty() {
            "without a name".to_owned()
        } else {
            format!("`{}`", clean(&self.name))
        };
        // A service token belongs to nobody.
        let owner = self.member.as_ref().filter(|_| !self.service_token);
        let owner = owner.map(|owner| format!(" of {}", clean(&owner.email)));
        format!("the {} token {name}{} (id {})", self.kind(), owner.unwrap_or_default(), clean(&self.id))
    }

    /// What tells people whether it is still needed.
    fn traces(&self) -> String {
        let used = match self.last_used() {
            Some(instant) => format!("last used {}", when::exactly(instant)),
            None => "never used".to_owned(),
        };
        format!("its secret ends in {}, {used}", clean(&self.token))
    }

    /// It in a line, from which whoever wants to know more takes the id.
    fn row(&self, now: i64) -> [String; 6] {
        let far =
            |instant: Option<i64>| instant.map_or("never".to_owned(), |instant| when::far(instant, now));
        let owner = match &self.member {
            _ if self.service_token => "(service)".to_owned(),
            Some(owner) => clean(&owner.email),
            None => or_dash(&self.member_id),
        };
        let rights = match (&self.role, self.custom_role_ids.len()) {
            (Some(role), _) => clean(role),
            (None, 0) => "policy".to_owned(),
            (None, 1) => "1 role".to_owned(),
            (None, count) => format!("{count} roles"),
        };
        [clean(&self.id), or_dash(&self.name), owner, rights, far(self.last_used()), far(self.expiry)]
    }

    fn sheet(&self) -> String {
        let roles: Vec<_> = self.custom_role_ids.iter().map(|id| clean(id)).collect();
        show::sheet(&[
            ("Id", clean(&self.id)),
            ("Name", clean(&self.name)),
            ("Description", clean(&self.description)),
            ("Kind", self.kind().to_owned()),
            (if self.service_token { "Made by" } else { "Owner" }, self.owner().unwrap_or_default()),
            ("Rights", self.rights()),
            ("Custom roles", roles.join("\n")),
            ("Policy", self.inline_role.as_ref().map(show::policy).unwrap_or_default()),
            ("Secret", format!("…{}", clean(&self.token))),
            ("Created", when::exactly(self.creation_date)),
            ("Last used", self.last_used().map_or("never".to_owned(), when::exactly)),
            ("Expires", self.expiry.map_or("never".to_owned(), when::exactly)),
        ])
    }
}

pub(super) fn run((name, matches): (&str, &ArgMatches)) -> Result<(), Fault> {
    // What stands in the arguments is read before anybody is asked for anything.
    let created = if name == "create" { Some(to_create(matches)?) } else { None };
    let session = Session::open(matches, LIST)?;
    match (name, created) {
        ("list", _) => show_list(&session, matches),
        ("create", Some(body)) => make(&session, &body),
        ("get", _) => show_one(&session, &Call::get(path(matches)?)),
        ("rename", _) => change_name(&session, matches),
        ("rotate", _) => new_secret(&session, matches),
        ("revoke", _) => kill(&session, matches),
        (other, _) => unreachable!("tokens know no command {other}"),
    }
}

fn path(matches: &ArgMatches) -> Result<String, Fault> {
    Ok(format!("/api/v2/tokens/{}", encode(id(must(matches, "id"))?)))
}

fn show_list(session: &Session, matches: &ArgMatches) -> Result<(), Fault> {
    let (mut query, offset) = page(matches);
    let mut command = LIST.to_owned();
    if matches.get_flag("all") {
        query.push_str("&showAll=true");
        command.push_str(" --all");
    }
    let answer = session.ask(&Call::get(format!("/api/v2/tokens?{query}")))?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    let page: Page = session.read(&answer)?;
    let now = when::now();
    let headings = ["ID", "NAME", "OWNER", "RIGHTS", "USED", "EXPIRES"];
    let rows: Vec<_> = page.items.iter().map(|token| token.row(now)).collect();
    print(&show::table(headings, &rows))?;
    if let Some(footer) = show::footer("token", offset, page.items.len(), page.total_count, &command) {
        ask::say(&footer);
    }
    Ok(())
}

fn show_one(session: &Session, call: &Call) -> Result<(), Fault> {
    let answer = session.ask(call)?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    let token: Token = session.read(&answer)?;
    print(&token.sheet())
}

fn to_create(matches: &ArgMatches) -> Result<Value, Fault> {
    let mut body = Map::new();
    body.insert("name".to_owned(), json!(must(matches, "name")));
    for (argument, member) in [("description", "description"), ("role", "role")] {
        if let Some(text) = given(matches, argument) {
            body.insert(member.to_owned(), json!(text));
        }
    }
    if let Some(keys) = several(matches, "custom-role") {
        body.insert("customRoleIds".to_owned(), json!(keys));
    }
    if let Some(file) = matches.get_one::<std::path::PathBuf>("inline") {
        body.insert("inlineRole".to_owned(), read_policy(file)?);
    }
    if matches.get_flag("service") {
        body.insert("serviceToken".to_owned(), json!(true));
    }
    if let Some(expiry) = instant(matches, "expires")? {
        body.insert("expiry".to_owned(), json!(expiry));
    }
    Ok(body.into())
}

/// An instant that was given. One in the past would make something that is dead, which nobody means.
fn instant(matches: &ArgMatches, name: &str) -> Result<Option<i64>, Fault> {
    let Some(instant) = matches.get_one::<When>(name).map(|when| when.millis()) else { return Ok(None) };
    if instant <= when::now() {
        return Err(Fault::usage(format!("--{name}: this instant is past: give one to come")));
    }
    Ok(Some(instant))
}

fn make(session: &Session, body: &Value) -> Result<(), Fault> {
    let answer = session.ask(&Call::post("/api/v2/tokens", Some(body)))?;
    hand_over(session, &answer, |token| {
        let end =
            token.expiry.map_or("never expires".to_owned(), |end| format!("expires {}", when::exactly(end)));
        format!("made {}, rights: {}, {end}", token.words(), token.rights())
    })
}

/// Prints a new secret, alone on standard output, and tells people the rest on standard error.
fn hand_over(session: &Session, answer: &Answer, words: impl FnOnce(&Token) -> String) -> Result<(), Fault> {
    let token: Token = session.read(answer)?;
    let printed = if session.wants_json() {
        show::json(&answer.body)
    } else {
        print(&Zeroizing::new(format!("{}\n", *token.token)))
    };
    printed.map_err(|fault| {
        Fault::failed(format!(
            "{}\n  hint: the secret is lost, since it is shown only once; revoke the token: jeton token revoke {}",
            fault.message(),
            clean(&token.id)
        ))
    })?;
    if !session.wants_json() {
        ask::say(&format!("{}\nthe secret is shown only now: keep it in a safe place", words(&token)));
    }
    Ok(())
}

fn change_name(session: &Session, matches: &ArgMatches) -> Result<(), Fault> {
    let patch = json!([{ "op": "replace", "path": "/name", "value": must(matches, "name") }]);
    let answer = session.ask(&Call::patch(path(matches)?, &patch))?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    let token: Token = session.read(&answer)?;
    print(&format!("renamed: it is now {}\n", token.words()))
}

fn new_secret(session: &Session, matches: &ArgMatches) -> Result<(), Fault> {
    let mut path = path(matches)?;
    let grace = instant(matches, "grace")?;
    if let Some(end) = grace {
        path = format!("{path}/reset?expiry={end}");
    } else {
        ask::confirm(matches.get_flag("yes"), || {
            let token: Token = session.fetch(path.as_str())?;
            Ok(format!(
                "this gives a new secret to {}, and kills the old one at once: {}. Whoever uses it is refused from then on; \
                 with --grace 1h it would work for another hour",
                token.words(),
                token.traces()
            ))
        })?;
        path.push_str("/reset");
    }
    let answer = session.ask(&Call::post(path, None))?;
    hand_over(session, &answer, |token| match grace {
        Some(end) => {
            format!("a new secret for {}; the old one works until {}", token.words(), when::exactly(end))
        }
        None => format!("a new secret for {}; the old one is dead", token.words()),
    })
}

fn kill(session: &Session, matches: &ArgMatches) -> Result<(), Fault> {
    let path = path(matches)?;
    ask::confirm(matches.get_flag("yes"), || {
        let token: Token = session.fetch(path.as_str())?;
        Ok(format!(
            "this revokes {}, for good: {}. Whoever uses it is refused from then on",
            token.words(),
            token.traces()
        ))
    })?;
    let answer = session.ask(&Call::delete(path))?;
    if session.wants_json() {
        return show::json(&answer.body);
    }
    print(&format!("revoked {}: its secret is dead\n", clean(must(matches, "id"))))
}
