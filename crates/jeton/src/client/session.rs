//! A conversation with a server: calls that succeed, or end the command with words that help.

use clap::ArgMatches;
use serde::de::DeserializeOwned;

use super::access::Access;
use super::refusal;
use super::transport::{Answer, Call};
use crate::fault::Fault;

/// A server, a token for it, and how answers are wanted.
pub(super) struct Session {
    access: Access,
    /// The command that lists what ids there are, for whoever gave one that does not exist.
    list: Option<&'static str>,
    json: bool,
}

impl Session {
    /// As the command line, the variables and the profile say.
    pub(super) fn open(matches: &ArgMatches, list: &'static str) -> Result<Self, Fault> {
        Ok(Self { access: Access::find(matches)?, list: Some(list), json: matches.get_flag("json") })
    }

    /// With an access that was just given.
    pub(super) fn with(access: Access) -> Self {
        Self { access, list: None, json: false }
    }

    /// Whether a script reads the answer.
    pub(super) fn wants_json(&self) -> bool {
        self.json
    }

    /// What the conversation was held with.
    pub(super) fn into_access(self) -> Access {
        self.access
    }

    /// Asks, and gives back what a success says.
    pub(super) fn ask(&self, call: &Call) -> Result<Answer, Fault> {
        let answer = self.access.transport.send(call, Some(&self.access.token))?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        Err(refusal::tell(&answer, &self.access.transport.address, self.access.source, self.list))
    }

    /// Reads an answer.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Fault> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            Fault::failed(format!(
                "the answer of the server at {} cannot be understood ({error}): is it a jeton, and of this version?",
                self.access.transport.address
            ))
        })
    }

    /// Asks for something and reads it.
    pub(super) fn fetch<T: DeserializeOwned>(&self, path: impl Into<String>) -> Result<T, Fault> {
        self.read(&self.ask(&Call::get(path))?)
    }
}
