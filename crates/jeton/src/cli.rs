//! The command line: what there is to do, and which settings each command takes as flags.
//!
//! Flags are made from the [table of settings](crate::config::setting) and are only gathered here: what they mean is
//! decided together with the variables and the file, in one place and with one kind of message.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::client::{self, Errand};
use crate::command::bench::{self, Bench};
use crate::command::migrate::Move;
use crate::command::policy::Look;
use crate::command::route::Asked;
use crate::config::layers::Flags;
use crate::config::setting::{self, Fallback, Setting};

/// What there is to do.
#[derive(Debug)]
pub(crate) enum Task {
    /// Serve until told to stop.
    Serve,
    /// Print the effective configuration.
    ConfigCheck,
    /// Make a fresh token for a member who is locked out.
    Recover {
        /// The member's address.
        email: String,
    },
    /// Tell whether a secret is well formed.
    Check {
        /// The secret; standard input if there is none.
        secret: Option<String>,
    },
    /// Copy the database.
    Backup {
        /// The new file.
        to: PathBuf,
    },
    /// Move everything into another database.
    Migrate(Move),
    /// Show who shares the database.
    NodeList {
        /// For scripts.
        json: bool,
    },
    /// Ask a running server whether it is ready.
    Healthcheck,
    /// Ask a running server for something, as one with a token.
    Client(Errand),
    /// Look at a policy, offline.
    Policy(Look),
    /// Say what a request needs, by the route map.
    Route(Asked),
    /// Measure this machine.
    Bench(Bench),
    /// Print what a shell needs to complete the command line.
    Completions {
        /// Which shell.
        shell: String,
    },
    /// Write the manual.
    Man {
        /// Where; the first page goes to standard output if there is none.
        directory: Option<PathBuf>,
    },
}

/// How a command ends. Scripts rely on it.
pub(crate) const EXIT_CODES: &str = "Exit codes: 0 it is done; 1 it did not work; 2 what was asked can't be understood, or something is missing.";

/// Reads a command line. What is wrong with it, and what `--help` and `--version` print, come back as clap's error.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<(Task, Flags), clap::Error> {
    let mut matches = command().try_get_matches_from(arguments)?;
    let (name, mut matches) = matches.remove_subcommand().expect("clap was told that there has to be one");
    let task = match name.as_str() {
        "serve" => Task::Serve,
        "config" => {
            matches = matches.remove_subcommand().expect("clap was told that there has to be one").1;
            Task::ConfigCheck
        }
        "recover" => {
            Task::Recover { email: matches.remove_one("member").expect("clap was told that it is required") }
        }
        "check" => Task::Check { secret: matches.remove_one("secret") },
        "backup" => Task::Backup { to: matches.remove_one("to").expect("clap was told that it is required") },
        "migrate" => {
            let mut text = |name| matches.remove_one(name).expect("clap was told that it is required");
            Task::Migrate(Move { from: text("from"), to: text("to") })
        }
        "node" => {
            matches = matches.remove_subcommand().expect("clap was told that there has to be one").1;
            Task::NodeList { json: matches.get_flag("json") }
        }
        "healthcheck" => Task::Healthcheck,
        "policy" => {
            let (name, mut below) =
                matches.remove_subcommand().expect("clap was told that there has to be one");
            let file = below.remove_one("file").expect("clap was told that it is required");
            Task::Policy(match name.as_str() {
                "check" => Look::Check { file },
                _ => Look::Test { file, policy: below.remove_one("policy") },
            })
        }
        "route" => {
            matches = matches.remove_subcommand().expect("clap was told that there has to be one").1;
            let mut text = |name| matches.remove_one(name).expect("clap was told that it is required");
            Task::Route(Asked { method: text("method"), path: text("path") })
        }
        "bench" => Task::Bench(bench_task(&mut matches)),
        "completions" => Task::Completions {
            shell: matches.remove_one("shell").expect("clap was told that it is required"),
        },
        "man" => Task::Man { directory: matches.remove_one("directory") },
        other => {
            let errand = Errand::new(other, matches).expect("clap knows only these commands");
            return Ok((Task::Client(errand), Flags::new()));
        }
    };
    Ok((task, flags(&matches)))
}

fn bench_task(matches: &mut ArgMatches) -> Bench {
    if let Some((_, mut below)) = matches.remove_subcommand() {
        return Bench::FixedRoute(below.remove_many("length").into_iter().flatten().collect());
    }
    Bench::Measure {
        tokens: matches.remove_one("tokens"),
        quick: matches.get_flag("quick"),
        json: matches.get_flag("json"),
        svg: matches.remove_one("svg"),
    }
}

fn flags(matches: &ArgMatches) -> Flags {
    let given = |setting: &&Setting| {
        // A command that does not take the flag does not know its name.
        let value = matches.try_get_one::<String>(setting.key).ok()??;
        Some((setting.key, value.clone()))
    };
    setting::ALL.iter().copied().chain([&setting::CONFIG]).filter_map(|setting| given(&setting)).collect()
}

/// The whole command line.
pub(crate) fn command() -> Command {
    Command::new("jeton")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An access-token server: issues, lists, renames, rotates, revokes and verifies access tokens")
        .after_help(format!(
            "Every setting of a server can be given as a flag, as a variable JETON_…, or in a TOML file named by --config; \
             the first of these that says something holds. The commands that ask a running server (token, member, role, \
             explain, watch) find it by --url or JETON_URL and JETON_TOKEN, else as `jeton login` said.\n\n{EXIT_CODES}\n\n\
             Example:\n  jeton serve"
        ))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands([serve(), config(), recover(), check(), backup(), migrate(), node(), healthcheck()])
        .subcommands(client::commands())
        .subcommands([policy(), route(), bench(), completions(), man()])
}

fn serve() -> Command {
    with_settings(
        Command::new("serve").about(
            "Serve until told to stop; the first start founds the account and shows its owner's token",
        ),
        setting::ALL,
        "jeton serve --listen 127.0.0.1:8080 --data-dir ./jeton-data",
    )
}

fn config() -> Command {
    let check = with_settings(
        Command::new("check")
            .about("Print the effective configuration and where each value comes from, secrets masked"),
        setting::ALL,
        "jeton config check --config jeton.toml",
    );
    with_example(
        Command::new("config").about("Look at the configuration").subcommand_required(true).subcommand(check),
        "jeton config check",
    )
}

fn recover() -> Command {
    let member = Arg::new("member")
        .long("member")
        .value_name("EMAIL")
        .required(true)
        .help("Whose rights the token is to have");
    with_settings(
        Command::new("recover")
            .about(
                "On a stopped server: make a fresh token for a member who is locked out, and print it alone",
            )
            .arg(member),
        setting::FOR_STORAGE,
        "jeton recover --member owner@localhost",
    )
}

fn check() -> Command {
    let secret = Arg::new("secret").value_name("SECRET").allow_hyphen_values(true).help(
        "The secret; from standard input if it is left out or `-`, which keeps it out of the shell's history",
    );
    with_settings(
        Command::new("check")
            .about("Tell whether a secret is well formed and its checksum right; nothing leaves this machine")
            .arg(secret),
        setting::FOR_FORMAT,
        "jeton check < owner-token",
    )
}

fn backup() -> Command {
    let to = Arg::new("to")
        .value_name("FILE")
        .required(true)
        .value_parser(ValueParser::new(PathBufValueParser::new()))
        .help("The new file; one that exists is never overwritten");
    with_settings(
        Command::new("backup").about("Copy the database to a new file, while the server runs").arg(to),
        setting::FOR_FILES,
        "jeton backup /backups/jeton-monday.db

To restore: stop the server; remove jeton.db, jeton.db-wal and jeton.db-shm from the data directory; copy the file \
         there as jeton.db, and the server key that belongs to it as server-key; start the server.",
    )
}

fn migrate() -> Command {
    let database = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("URL").required(true).help(help)
    };
    with_example(
        Command::new("migrate")
            .about(
                "On a stopped server: move everything into another database, from SQLite to PostgreSQL or back; every \
                 token goes on working",
            )
            .arg(database("from", "The database that is moved: a path, sqlite:PATH or postgres://…, or @FILE that holds it"))
            .arg(database("to", "An empty database, likewise; or the one in which this was interrupted")),
        "jeton migrate --from jeton-data/jeton.db --to postgres://jeton@db/jeton

1. Stop the server. While one runs on either database nothing is moved.
2. Move. It may be interrupted at any time: the same command goes on, and until it has ended
   `jeton serve` refuses the new database. At the end both are read again and compared.
3. Start the server with --database or JETON_DATABASE_URL and the server key it has: the key is
   not in the database.
4. Never serve the old database again: what is revoked in one lives on in the other.

A password in an argument is seen by everybody on this machine. Keep the address in a file:
  jeton migrate --from jeton-data/jeton.db --to @/etc/jeton/database-url",
    )
}

fn healthcheck() -> Command {
    with_settings(
        Command::new("healthcheck")
            .about("Ask the server that listens at the configured address whether it is ready"),
        setting::FOR_ADDRESS,
        "jeton healthcheck --listen 127.0.0.1:8080",
    )
}

fn node() -> Command {
    let json = Arg::new("json")
        .long("json")
        .action(clap::ArgAction::SetTrue)
        .help("An array of objects, for scripts");
    let list = with_settings(
        Command::new("list")
            .about("Show every server that shares the database: how far it has followed, when it last beat")
            .arg(json),
        setting::FOR_DATABASE,
        "jeton node list --database postgres://jeton@db/jeton

fresh: it has beaten within the lease, and answers. silent: it has not, so it answers nobody. gone: for some leases; it is
struck out after an hour.",
    );
    with_example(
        Command::new("node").about("Look at a cluster").subcommand_required(true).subcommand(list),
        "jeton node list --database postgres://jeton@db/jeton",
    )
}

fn policy() -> Command {
    let file = |what: &'static str| {
        Arg::new("file")
            .value_name("FILE")
            .required(true)
            .value_parser(ValueParser::new(PathBufValueParser::new()))
            .help(what)
    };
    let check = with_example(
        Command::new("check").about("Point at the mistakes in a policy").arg(file(
            "A JSON list of statements, or a role with the list in `policy`; - for standard input",
        )),
        "jeton policy check policy.json",
    );
    let policy = Arg::new("policy")
        .long("policy")
        .value_name("FILE")
        .value_parser(ValueParser::new(PathBufValueParser::new()))
        .help("The policy for questions that bring none");
    let test = with_example(
        Command::new("test")
            .about("Ask a policy questions whose answers are known, and show who decided")
            .arg(file("A JSON list of questions; - for standard input"))
            .arg(policy),
        "jeton policy test questions.json --policy policy.json

questions.json, where expect is allow, deny, or 400 for a policy that can't be stored:
  [{\"id\": \"deploys\", \"action\": \"createAccessToken\", \"resource\": \"service-token/new\", \"expect\": \"allow\"}]
A question may bring its own `policy`, several `policies` of which any may allow, and `base`: \"reader\".",
    );
    with_example(
        Command::new("policy")
            .about("Look at a policy before anybody relies on it; nothing leaves this machine")
            .subcommand_required(true)
            .subcommands([check, test]),
        "jeton policy check policy.json",
    )
}

fn route() -> Command {
    let text = |name: &'static str, shown: &'static str, help: &'static str| {
        Arg::new(name).value_name(shown).required(true).help(help)
    };
    let test = with_settings(
        Command::new("test")
            .about("Say what a request needs by the route map of gateways, and which route says so")
            .arg(text("method", "METHOD", "The method, in capitals"))
            .arg(text("path", "PATH", "The path, as the client sends it")),
        setting::FOR_ROUTES,
        "jeton route test GET /projects/web/flags/dark-mode --route-map routes.toml

routes.toml:
  otherwise = \"deny\"                  # or \"verify\": what no route fits needs a good token
  [[route]]
  method = [\"GET\", \"HEAD\"]          # every method where it is left out
  path = \"/projects/{project}/flags/{flag}\"
  action = \"viewFlag\"
  resource = \"proj/{project}:env/production:flag/{flag}\"
  [[route]]
  path = \"/docs/{*rest}\"
  open = true                         # without a token",
    );
    with_example(
        Command::new("route")
            .about("Look at a route map before a gateway relies on it; nothing leaves this machine")
            .subcommand_required(true)
            .subcommands([test]),
        "jeton route test GET /projects/web/flags/dark-mode --route-map routes.toml",
    )
}

fn bench() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let tokens = Arg::new("tokens")
        .long("tokens")
        .value_name("N")
        .value_parser(value_parser!(u32).range(1000..=20_000_000))
        .help(format!(
            "How many tokens the scratch store holds [default: {}, with --quick {}]",
            bench::TOKENS,
            bench::QUICK_TOKENS
        ));
    let svg = Arg::new("svg")
        .long("svg")
        .value_name("FILE")
        .value_parser(ValueParser::new(PathBufValueParser::new()))
        .help("Draw the ratios into this file, too");
    // What this program is started as, to be measured against: nobody else has a use for it.
    let lengths = Arg::new("length").num_args(0..).value_parser(value_parser!(usize));
    let floor = with_example(
        Command::new(bench::FIXED_ROUTE[1])
            .hide(true)
            .about("Answer with constants until the input ends")
            .arg(lengths),
        "jeton bench fixed-route 150",
    );
    with_example(
        Command::new("bench")
            .about("Measure what a verification costs on this machine, beside the least that it could cost")
            .long_about(
                "Measure what a verification costs on this machine, beside the least that it could cost.\n\n\
                 Fills a scratch store in the temporary directory, starts a second jeton on it on a local port, and asks it \
                 about good tokens on every surface, for more than a minute. Each figure stands beside a floor that was measured in turn \
                 with it: an answer that is a constant, from the same HTTP or gRPC library, or for a verification in the \
                 process the bare hash and look-up. The ratio is what travels to other machines; absolute figures \
                 belong to this one and this minute. Server and load have a core each where there are two. No setting, \
                 variable or file of a server is read, and nothing is left behind.",
            )
            .args([tokens, switch("quick", "A few seconds instead of a minute: rough figures"), switch("json", "Print one JSON object a line: name, value, unit, floor, ratio, goal, holds"), svg])
            .subcommand(floor),
        "jeton bench --svg ratios.svg

How to read it: a ratio of 1.10 says that jeton takes a tenth more than an answer without any work (of verifications a second more is better); in brackets stand the \
         quartiles of the rounds. Verifications a second are bounded by the core that asks as much as by the one that answers, \
         so processor time is the better figure. Answers are timed at a steady pace, a fifth of what the floor can do.",
    )
}

fn completions() -> Command {
    let shell = Arg::new("shell")
        .value_name("SHELL")
        .required(true)
        .value_parser(PossibleValuesParser::new(["bash", "zsh", "fish"]))
        .help("The shell");
    with_example(
        Command::new("completions")
            .about("Print what a shell needs to complete this command line")
            .arg(shell),
        "jeton completions bash > /etc/bash_completion.d/jeton

For zsh:  jeton completions zsh > \"${fpath[1]}/_jeton\"
For fish: jeton completions fish > ~/.config/fish/completions/jeton.fish",
    )
}

fn man() -> Command {
    let directory = Arg::new("directory")
        .value_name("DIR")
        .value_parser(ValueParser::new(PathBufValueParser::new()))
        .help("Where the pages go, one for each command; the first to standard output if it is left out");
    with_example(
        Command::new("man").about("Write the manual, as pages for man").arg(directory),
        "jeton man /usr/local/share/man/man1",
    )
}

fn with_example(command: Command, example: &'static str) -> Command {
    command.after_help(format!("Example:\n  {example}"))
}

fn with_settings(command: Command, settings: &'static [&'static Setting], example: &'static str) -> Command {
    let flags = settings.iter().filter(|setting| !setting.secret).copied().chain([&setting::CONFIG]);
    with_example(command, example).args(flags.map(flag))
}

/// A setting as a flag.
pub(crate) fn flag(setting: &'static Setting) -> Arg {
    let default = match setting.fallback {
        Fallback::None => String::new(),
        Fallback::Text(text) | Fallback::Depends(text) => format!(" [default: {text}]"),
    };
    Arg::new(setting.key)
        .long(setting.flag())
        .value_name(setting.value_name)
        .help_heading(setting.topic)
        .help(format!("{} [env: {}]{default}", setting.help, setting.env))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(Task, Flags), clap::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn clap_finds_nothing_wrong_with_the_commands() {
        command().debug_assert();
    }

    #[test]
    fn flags_are_gathered_under_the_keys_of_their_settings() {
        let (task, flags) = read("jeton serve --data-dir x --max-tokens=5").unwrap();
        assert!(matches!(task, Task::Serve));
        assert_eq!(flags, Flags::from([("data_dir", "x".to_owned()), ("max_tokens", "5".to_owned())]));
        let (task, flags) = read("jeton config check --config a.toml").unwrap();
        assert!(matches!(task, Task::ConfigCheck));
        assert_eq!(flags, Flags::from([("config", "a.toml".to_owned())]));
    }

    #[test]
    fn no_command_takes_a_secret_as_a_flag() {
        for flag in ["--owner-token", "--owner-password", "--server-key"] {
            let refusal = read(&format!("jeton serve {flag} x")).unwrap_err();
            assert_eq!(refusal.kind(), clap::error::ErrorKind::UnknownArgument);
        }
    }

    #[test]
    fn a_command_takes_the_flags_that_it_heeds() {
        assert!(read("jeton backup --data-dir x to.db").is_ok());
        assert!(read("jeton backup --listen 127.0.0.1:1 to.db").is_err());
        assert!(read("jeton check --token-prefix abc -").is_ok());
        assert!(read("jeton recover").is_err());
    }
}
