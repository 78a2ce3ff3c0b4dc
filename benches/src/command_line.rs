//! The command line of `scripts/bench`: every benchmark there is, one or all of them.

use std::io::Write as _;
use std::process::ExitCode;

use crate::figure::Report;
use crate::options::{self, Options, Task};
use crate::{
    Fallible, bare_loop, cluster, creates, fixed_route, floods, machine, million, policies, reads, redis,
    server, streams, surfaces, timing, verify,
};

/// Reads the command line of this process, and does what it says. Ends with 1 if a goal that was to be kept is missed,
/// and with 2 if something went wrong.
pub fn command_line() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Fallible<ExitCode> {
    let options = match options::parse(std::env::args().skip(1))? {
        options::Command::Help => {
            write!(std::io::stdout(), "{}", options::HELP)?;
            return Ok(ExitCode::SUCCESS);
        }
        // The two floors are this program again, each in a process of its own.
        options::Command::BareLoop(database) => return bare_loop::run(&database).map(|()| ExitCode::SUCCESS),
        options::Command::FixedRoute(lengths) => {
            return fixed_route::fixed_route(&lengths).map(|()| ExitCode::SUCCESS);
        }
        options::Command::Fill(directory, options) => {
            return million::fill(&options, &directory).map(|_| ExitCode::SUCCESS);
        }
        options::Command::Measure(options) => options,
    };
    let report = measure(&options)?;
    let passed = report.holds_within_tolerance();
    Ok(if options.gate && !passed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measure(options: &Options) -> Fallible<Report> {
    let jeton = server::program(options)?;
    machine::describe(options, &jeton)?;
    machine::pin_to(machine::Core::Load)?;
    let mut report = Report::new(options.json);
    for task in options.tasks() {
        match task {
            Task::Creates => creates::measure(options, &jeton, &mut report)?,
            Task::Reads => reads::measure(options, &jeton, &mut report)?,
            Task::Policies => policies::measure(options, &mut report)?,
            Task::Verify => verify::measure(options, &mut report)?,
            Task::Surfaces => surfaces::measure(options, &jeton, &mut report)?,
            Task::Redis => redis::measure(options, &jeton, &mut report)?,
            Task::Floods => floods::measure(options, &jeton, &mut report)?,
            Task::Timing => timing::measure(options, &jeton, &mut report)?,
            Task::Million => million::measure(options, &jeton, &mut report)?,
            Task::Streams => streams::measure(options, &jeton, &mut report)?,
            Task::Cluster => cluster::measure(options, &jeton, &mut report)?,
        }
    }
    report.finish()?;
    Ok(report)
}
