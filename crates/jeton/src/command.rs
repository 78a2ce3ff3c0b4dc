//! The commands, each in a file of its own.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config_check;
pub(crate) mod healthcheck;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod node;
pub(crate) mod policy;
pub(crate) mod recover;
pub(crate) mod route;
pub(crate) mod serve;

use std::io::Write as _;

use crate::fault::Fault;

/// Prints the result of a command. Unlike `println!` it has no panic for a pipe that was closed early.
pub(crate) fn print(text: &str) -> Result<(), Fault> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Fault::failed(format!("the result cannot be written to standard output ({error})")))
}
