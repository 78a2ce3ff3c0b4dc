//! A conversation with a server: calls that succeed, or end the command with words that help.

use clap::ArgMatches;
use serde::de::DeserializeOwned;

use super::access::Access;
use super::address::Address;
use super::lines::Lines;
use super::refusal;
use super::transport::{Answer, Call, Opened};
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
        Err(self.refusal(&answer))
    }

    /// Opens something that goes on. What the server refuses comes back as its answer: a [`refusal`](Self::refusal) may be
    /// no reason to give up.
    pub(super) async fn open_stream(&self, call: &Call) -> Result<Result<Lines, Answer>, Fault> {
        let opened = self.access.transport.open(call, Some(&self.access.token)).await?;
        Ok(match opened {
            Opened::Stream(lines) => Ok(lines),
            Opened::Refused(answer) => Err(answer),
        })
    }

    /// The server's no, in words that help.
    pub(super) fn refusal(&self, answer: &Answer) -> Fault {
        refusal::tell(answer, &self.access.transport.address, self.access.source, self.list)
    }

    /// Whom the conversation is with.
    pub(super) fn address(&self) -> &Address {
        &self.access.transport.address
    }

    /// Reads an answer.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Fault> {
        self.understand(&answer.body)
    }

    /// Reads an answer, or a line of one.
    pub(super) fn understand<T: DeserializeOwned>(&self, text: &[u8]) -> Result<T, Fault> {
        serde_json::from_slice(text).map_err(|error| {
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
