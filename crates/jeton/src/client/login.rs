//! `jeton login` and `jeton logout`: the profile, and whose token is in it.

use clap::{ArgMatches, Command};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::access::{self, Access, Source};
use super::address::Address;
use super::arguments::{encode, given, reaching, text};
use super::ask;
use super::profile::{self, Profile};
use super::refusal;
use super::session::Session;
use super::token::Token;
use super::transport::{Call, Transport};
use crate::cli;
use crate::command::print;
use crate::config::setting;
use crate::fault::Fault;
use crate::show::clean;

/// Where `jeton serve` listens if it is told nothing.
const USUAL: &str = "http://127.0.0.1:8080";

pub(super) fn login_command() -> Command {
    let email =
        text("email", "EMAIL", "Log in with this address and a password, for a token that lasts 24 hours");
    reaching(Command::new("login"))
        .about(
            "Remember a server and a token for the commands that ask one; the token is read from standard input, or typed \
             unseen, and never given as an argument",
        )
        .arg(email)
        .after_help(words("jeton login --url http://127.0.0.1:8080 < jeton-data/owner-token"))
}

pub(super) fn logout_command() -> Command {
    Command::new("logout")
        .about(
            "Forget the server and the token of `jeton login`; what a password gave ends at the server too, any other token \
             lives on",
        )
        .after_help(words("jeton logout"))
}

fn words(example: &str) -> String {
    format!(
        "Example:\n  {example}\n\nBoth are kept in $XDG_CONFIG_HOME/jeton/profile.toml (under ~/.config if that is not set), \
         which only you may read.\n{}",
        cli::EXIT_CODES
    )
}

/// Who a token is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    token_id: Option<String>,
    token_name: Option<String>,
    member_id: Option<String>,
    #[serde(default)]
    service_token: bool,
}

/// Who has logged in.
#[derive(Deserialize)]
struct Me {
    email: String,
    role: String,
}

/// What a login with a password gives.
#[derive(Deserialize)]
struct Welcome {
    token: Zeroizing<String>,
}

pub(super) fn login(matches: &ArgMatches) -> Result<(), Fault> {
    let address = which_server(matches)?;
    if address.is_open_to_the_network() {
        ask::say(&format!(
            "note: whoever is between here and {address} can read the token; https would keep it"
        ));
    }
    let transport = Transport { address, ca_cert: access::ca_cert(matches)? };
    let email = given(matches, "email");
    let token = match email {
        Some(email) => with_password(&transport, email)?,
        None => ask::secret("Token")?,
    };
    let session = Session::with(Access { transport, token, source: Source::Login });
    let login = email.is_some();
    let who = if login { who_logged_in(&session)? } else { who(&session)? };
    let Access { transport, token, .. } = session.into_access();
    let url = transport.address.to_string();
    let place = profile::store(&Profile { url: url.clone(), ca_cert: transport.ca_cert, token, login })?;
    if std::env::var_os(setting::TOKEN.env).is_some_and(|value| !value.is_empty()) {
        ask::say("note: JETON_TOKEN is set, and goes before what is kept now: unset it to use that");
    }
    print(&format!("logged in at {url} as {who}\nkept in {}\n", place.display()))
}

fn which_server(matches: &ArgMatches) -> Result<Address, Fault> {
    if let Some(address) = access::address(matches)? {
        return Ok(address);
    }
    if !ask::somebody_is_there() {
        return Err(Fault::usage(format!("no server is named: say which, like --url {USUAL}")));
    }
    // A profile that can't be read is about to be replaced.
    let before = profile::load().ok().flatten().map(|profile| profile.url);
    access::read(&ask::line("Server", before.as_deref().unwrap_or(USUAL))?, "the server's address")
}

fn with_password(transport: &Transport, email: &str) -> Result<Zeroizing<String>, Fault> {
    let password = ask::secret("Password")?;
    let body = json!({ "email": email, "password": *password });
    let answer = transport.send(&Call::post("/api/v1/users/login", Some(&body)), None)?;
    if !(200..300).contains(&answer.status) {
        return Err(refusal::tell(&answer, &transport.address, Source::Login, None));
    }
    let welcome: Result<Welcome, _> = serde_json::from_slice(&answer.body);
    welcome.map(|welcome| welcome.token).map_err(|_| {
        Fault::failed(format!(
            "the server at {} took the password but gave no token: is it a jeton, and of this version?",
            transport.address
        ))
    })
}

/// Whose login it is, in words.
fn who_logged_in(session: &Session) -> Result<String, Fault> {
    let me: Me = session.fetch("/api/v2/members/me")?;
    Ok(format!("{} ({}), with a login that lasts 24 hours", clean(&me.email), clean(&me.role)))
}

/// Whose token it is, in words. That it is somebody's is certain before anything is stored; what more there is to say is
/// said if the server tells.
fn who(session: &Session) -> Result<String, Fault> {
    let identity: Identity = session.fetch("/api/v2/caller-identity")?;
    let shown: Option<Token> = identity
        .token_id
        .as_ref()
        .and_then(|id| session.fetch(format!("/api/v2/tokens/{}", encode(id))).ok());
    let kind = if identity.service_token { "service" } else { "personal" };
    let name = identity.token_name.filter(|name| !name.is_empty());
    let token = match name {
        Some(name) => format!("the {kind} token `{}`", clean(&name)),
        None => format!("a {kind} token"),
    };
    let owner = shown
        .and_then(|token| token.owner())
        .or(identity.member_id.map(|id| format!("member {}", clean(&id))));
    Ok(match owner {
        Some(owner) if identity.service_token => format!("{token}, made by {owner}"),
        Some(owner) => format!("{owner}, with {token}"),
        None => token,
    })
}

pub(super) fn logout() -> Result<(), Fault> {
    // One that can't be read goes all the same.
    let login = profile::load().ok().flatten().filter(|profile| profile.login);
    let Some(path) = profile::remove()? else {
        return print("nobody was logged in: there is no profile\n");
    };
    let path = path.display();
    let Some(login) = login else {
        return print(&format!(
            "removed {path}; the token that was in it works until it is revoked or expires\n"
        ));
    };
    let url = login.url.clone();
    end(login).map_err(|fault| {
        Fault::failed(format!(
            "removed {path}, but the login could not be ended at {}, where it lasts 24 hours at most: {}",
            clean(&url),
            fault.message()
        ))
    })?;
    print(&format!("removed {path}; the login that was in it is dead\n"))
}

/// Ends a login at its server. One that the server does not know has ended.
fn end(login: Profile) -> Result<(), Fault> {
    let transport = Transport { address: access::read(&login.url, "the profile")?, ca_cert: login.ca_cert };
    let answer = transport.send(&Call::post("/api/v1/users/logout", Some(&json!({}))), Some(&login.token))?;
    match answer.status {
        200..300 | 401 => Ok(()),
        _ => Err(refusal::tell(&answer, &transport.address, Source::Profile, None)),
    }
}
