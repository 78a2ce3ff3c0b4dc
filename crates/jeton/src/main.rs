//! The `jeton` program: configuration, command line, start-up and shutdown.
//!
//! It is the only place that names a database, the wall clock and the system's randomness. Everything below it is given
//! them.
//!
//! | to learn | read |
//! |---|---|
//! | which settings there are | [`config::setting`] |
//! | how a value is found among flags, variables, file and defaults | [`config::layers`], [`config`] |
//! | in which order a server starts, and why | [`command::serve`], [`installation`], [`first_start`] |
//! | how a TLS certificate is read, and read again | [`tls`] |
//! | how a running server is asked | [`client`] |
//! | what files it makes | [`data_dir`], [`private_file`], [`key`] |

mod cli;
mod client;
mod command;
mod config;
mod data_dir;
mod fault;
mod first_start;
mod installation;
mod key;
mod logging;
mod pinned;
mod private_file;
mod progress;
mod show;
mod signals;
mod system;
mod tls;
mod welcome;

use std::io::Write as _;
use std::process::ExitCode;

use rustix::fs::Mode;

use cli::Task;
use config::layers::{Flags, Layers};
use fault::Fault;

/// A request makes many small texts and drops them on another thread than it made them on, which the system's allocator
/// is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Whatever is made from here on, the database, its log and backups included, is for its owner alone.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let (task, flags) = match cli::parse(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(error) => {
            // It fails only where nobody reads.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(task, flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let _ = writeln!(std::io::stderr(), "error: {}", fault.message());
            fault.exit_code()
        }
    }
}

fn run(task: Task, flags: Flags) -> Result<(), Fault> {
    let load = || Layers::load(flags, std::env::vars_os());
    match task {
        Task::Serve => command::serve::run(&load()?),
        Task::ConfigCheck => command::config_check::run(&load()?),
        Task::Recover { email } => command::recover::run(&load()?, &email),
        Task::Check { secret } => command::check::run(&load()?, secret),
        Task::Backup { to } => command::backup::run(&load()?, &to),
        Task::Migrate(moving) => moving.run(),
        Task::NodeList { json } => command::node::list(&load()?, json),
        Task::Healthcheck => command::healthcheck::run(&load()?),
        // These heed none of a server's settings.
        Task::Policy(look) => look.run(),
        Task::Route(asked) => command::route::run(&load()?, &asked),
        Task::Client(errand) => errand.run(),
        Task::Bench(bench) => bench.run(),
        Task::Completions { shell } => command::completions::run(&shell, cli::command()),
        Task::Man { directory } => command::man::run(directory.as_deref(), cli::command()),
    }
}
