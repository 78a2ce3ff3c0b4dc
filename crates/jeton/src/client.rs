//! The client's room: the commands that ask a running server, as one with a token, over the network.
//!
//! Nothing of the server uses it, and it uses nothing of the server: what it knows of one is the public API, so it works
//! with any jeton that speaks that. A test ([`layers.rs`](../tests/layers.rs)) keeps the door shut.
//!
//! | to learn | read |
//! |---|---|
//! | which server is asked, and with whose token | [`access`], [`profile`] |
//! | how a request goes out, and what is trusted | [`address`], [`transport`] |
//! | how an answer is read that goes on | [`lines`] |
//! | how a refusal is told | [`refusal`] |
//! | what asks before something dies | [`ask`] |
//! | how answers look for people | [`show`] |
//! | what there is to say of a noun | [`login`], [`token`], [`member`], [`role`], [`explain`], [`watch`] |

mod access;
mod address;
mod arguments;
mod ask;
mod explain;
mod lines;
mod login;
mod member;
mod profile;
mod refusal;
mod role;
mod session;
mod token;
mod transport;
mod watch;
mod when;

use clap::{ArgMatches, Command};

use crate::fault::Fault;

/// A command for a running server, as it was given.
#[derive(Debug)]
pub(crate) struct Errand {
    name: String,
    matches: ArgMatches,
}

/// The commands, as the command line knows them.
pub(crate) fn commands() -> [Command; 7] {
    [
        login::login_command(),
        login::logout_command(),
        token::command(),
        member::command(),
        role::command(),
        explain::command(),
        watch::command(),
    ]
}

impl Errand {
    /// The command of this name, if it is one of [`commands`].
    pub(crate) fn new(name: &str, matches: ArgMatches) -> Option<Self> {
        let known = matches!(name, "login" | "logout" | "token" | "member" | "role" | "explain" | "watch");
        known.then(|| Self { name: name.to_owned(), matches })
    }

    /// Does it.
    pub(crate) fn run(&self) -> Result<(), Fault> {
        let below = || self.matches.subcommand().expect("clap was told that there has to be one");
        match self.name.as_str() {
            "login" => login::login(&self.matches),
            "logout" => login::logout(),
            "token" => token::run(below()),
            "member" => member::run(below()),
            "role" => role::run(below()),
            "explain" => explain::run(&self.matches),
            "watch" => watch::run(&self.matches),
            other => unreachable!("the client knows no command {other}"),
        }
    }
}
