//! Arguments that several commands of the client take, and how they are read.

use std::io::Read as _;
use std::path::Path;

use clap::builder::{NonEmptyStringValueParser, PathBufValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::cli;
use crate::config::setting;
use crate::fault::Fault;

/// What may stand in a path or a query as it is.
const IN_A_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// More than any policy that a server takes.
const LARGEST_POLICY: u64 = 1024 * 1024;

/// A command that asks a server.
pub(super) fn asking(command: Command, example: &'static str) -> Command {
    reaching(with_words(command, example)).arg(
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Print the server's JSON, for scripts")
            .display_order(900),
    )
}

/// A command that has to know where a server is.
pub(super) fn reaching(command: Command) -> Command {
    let flags =
        setting::FOR_CLIENT.iter().filter(|setting| !setting.secret).map(|setting| cli::flag(setting));
    command.args(flags)
}

/// A command with an example, and what every command that needs a token says of itself.
fn with_words(command: Command, example: &'static str) -> Command {
    command.after_help(format!(
        "Example:\n  {example}\n\nThe token comes from JETON_TOKEN or from the profile that `jeton login` writes.\n{}",
        cli::EXIT_CODES
    ))
}

/// A noun with commands below it.
pub(super) fn noun(command: Command, example: &'static str) -> Command {
    with_words(command, example).subcommand_required(true).arg_required_else_help(true)
}

/// Words for something, which can't be left out or empty.
pub(super) fn required(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(value).required(true).value_parser(NonEmptyStringValueParser::new()).help(help)
}

/// A flag with a text.
pub(super) fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// A token's id.
pub(super) fn token_id() -> Arg {
    required("id", "ID", "The token's id, as `jeton token list` shows it")
}

/// An id that was given. A secret in its place is found out here, before it gets into a server's log; and it is not
/// repeated, as the parser of the command line would.
pub(super) fn id(text: &str) -> Result<&str, Fault> {
    if text.len() > 32 {
        let message = "what was given as an id is too long for one, and may be a secret: `jeton token list` shows the ids";
        return Err(Fault::usage(message));
    }
    Ok(text)
}

/// `--yes`.
pub(super) fn yes() -> Arg {
    Arg::new("yes")
        .long("yes")
        .short('y')
        .action(ArgAction::SetTrue)
        .help("Do it without asking; needed where there is no terminal to ask at")
}

/// `--limit` and `--offset`.
pub(super) fn paging() -> [Arg; 2] {
    [
        Arg::new("limit")
            .long("limit")
            .value_name("N")
            .value_parser(value_parser!(u64).range(1..=1000))
            .default_value("25")
            .help("How many at most, up to 1000"),
        Arg::new("offset")
            .long("offset")
            .value_name("N")
            .value_parser(value_parser!(u64))
            .default_value("0")
            .help("How many to pass over"),
    ]
}

/// The query that asks for a page, and where it begins.
pub(super) fn page(matches: &ArgMatches) -> (String, u64) {
    let number = |name| *matches.get_one::<u64>(name).expect("clap was told a default");
    (format!("limit={}&offset={}", number("limit"), number("offset")), number("offset"))
}

/// A file with a policy.
pub(super) fn policy_file(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").value_parser(PathBufValueParser::new()).help(help)
}

/// A text that was given.
pub(super) fn given<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}

/// A text that clap saw to.
pub(super) fn must<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    given(matches, name).expect("clap was told that it is required")
}

/// Several texts that were given.
pub(super) fn several<'a>(matches: &'a ArgMatches, name: &str) -> Option<Vec<&'a str>> {
    Some(matches.get_many::<String>(name)?.map(String::as_str).collect())
}

/// A part of a path or of a query, whatever it holds.
pub(super) fn encode(part: &str) -> String {
    utf8_percent_encode(part, IN_A_URL).to_string()
}

/// A policy from a file, or from standard input for `-`. What it says is the server's to judge; that it is a list of
/// something is seen here.
pub(super) fn read_policy(path: &Path) -> Result<Value, Fault> {
    let from_input = path == Path::new("-");
    let name = if from_input { "standard input".to_owned() } else { path.display().to_string() };
    let mut text = String::new();
    let read = if from_input {
        std::io::stdin().lock().take(LARGEST_POLICY).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LARGEST_POLICY).read_to_string(&mut text))
    };
    read.map_err(|error| {
        Fault::failed(format!(
            "{name} cannot be read ({error}): name a file with a policy, or - for standard input"
        ))
    })?;
    let wrong = |why: &str| {
        Fault::failed(format!(
            "{name} holds no policy ({why}): write a JSON list of statements, like \
             [{{\"effect\":\"allow\",\"actions\":[\"*\"],\"resources\":[\"proj/*\"]}}]"
        ))
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
    if value.is_array() { Ok(value) } else { Err(wrong("it is no list")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_given_leaves_its_place_in_a_path() {
        assert_eq!(encode("a/../b?c=d&e é"), "a%2F%2E%2E%2Fb%3Fc%3Dd%26e%20%C3%A9");
        assert_eq!(encode("..") + &encode("dev-1_x~"), "%2E%2Edev-1_x~");
    }
}
