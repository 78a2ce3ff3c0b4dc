//! Which server is asked, and with whose token: flags, then variables, then the profile.
//!
//! The profile's token belongs to the profile's server. Naming another server takes another token: a mistyped `--url` must
//! not hand anybody a secret.

use std::path::PathBuf;

use clap::ArgMatches;
use zeroize::Zeroizing;

use super::address::Address;
use super::profile::{self, Profile};
use super::transport::Transport;
use crate::config::setting::{self, Setting};
use crate::fault::Fault;

/// Who gave the token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// The variable.
    Variable,
    /// The profile.
    Profile,
    /// Whoever is logging in.
    Login,
}

/// A server, and a token for it.
pub(super) struct Access {
    pub(super) transport: Transport,
    pub(super) token: Zeroizing<String>,
    pub(super) source: Source,
}

impl Access {
    /// What the command line, the variables and the profile say together.
    pub(super) fn find(matches: &ArgMatches) -> Result<Self, Fault> {
        let named = address(matches)?;
        let given = variable(&setting::TOKEN)?.map(Zeroizing::new);
        // Whoever says everything needs no profile, nor one that can be read.
        let profile = match (&named, &given) {
            (Some(_), Some(_)) => None,
            _ => profile::load()?,
        };
        let kept = profile.as_ref().map(|profile| read(&profile.url, "the profile")).transpose()?;
        let Some(address) = named.or(kept.clone()) else {
            return Err(Fault::usage(
                "no server is named: run `jeton login`, or give --url or JETON_URL, and a token in JETON_TOKEN",
            ));
        };
        let profile = profile.filter(|_| kept.as_ref() == Some(&address));
        let ca_cert = ca_cert(matches)?.or_else(|| profile.as_ref()?.ca_cert.clone());
        let (token, source) = match (given, profile) {
            (Some(token), _) => (token, Source::Variable),
            (None, Some(Profile { token, .. })) => (token, Source::Profile),
            (None, None) => return Err(no_token(&address, kept.as_ref())),
        };
        Ok(Self { transport: Transport { address, ca_cert }, token, source })
    }
}

fn no_token(address: &Address, kept: Option<&Address>) -> Fault {
    Fault::usage(match kept {
        Some(kept) => format!(
            "there is no token for {address}: the profile's is for {kept} and goes nowhere else. Give one in JETON_TOKEN, or \
             run `jeton login --url {address}`"
        ),
        None => format!(
            "there is no token for {address}: run `jeton login --url {address}`, or give one in JETON_TOKEN"
        ),
    })
}

/// The server that the command line or a variable names.
pub(super) fn address(matches: &ArgMatches) -> Result<Option<Address>, Fault> {
    let flag = matches.get_one::<String>(setting::URL.key);
    if let Some(text) = flag {
        return read(text, "--url").map(Some);
    }
    variable(&setting::URL)?.map(|text| read(&text, setting::URL.env)).transpose()
}

/// The roots that the command line or a variable names.
pub(super) fn ca_cert(matches: &ArgMatches) -> Result<Option<PathBuf>, Fault> {
    let path = matches.get_one::<String>(setting::CA_CERT.key).cloned();
    let path = path.map_or_else(|| variable(&setting::CA_CERT), |path| Ok(Some(path)))?;
    // From wherever the next command is run it is the same file.
    Ok(path.map(|path| std::path::absolute(&path).unwrap_or_else(|_| path.into())))
}

pub(super) fn read(text: &str, origin: &str) -> Result<Address, Fault> {
    text.parse().map_err(|error| Fault::usage(format!("{origin}: {error}")))
}

/// What a variable says. An empty one says nothing.
fn variable(setting: &Setting) -> Result<Option<String>, Fault> {
    let Some(value) = std::env::var_os(setting.env).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let text = value.into_string();
    text.map(Some).map_err(|_| Fault::usage(format!("{}: its value is not UTF-8 text", setting.env)))
}
