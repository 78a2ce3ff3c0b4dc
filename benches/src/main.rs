//! Jeton's benchmark: one command that runs the real server beside what the machine can do at best, and prints a table.
//!
//! Absolute figures belong to the machine and the minute they were taken in. What travels is a ratio: both sides run on
//! the same core and the same disk, take turns of a second or two in random order, and are compared within each round.
//!
//! | to learn | read |
//! |---|---|
//! | what can be measured, and how it is asked for | [`options`] |
//! | how two things are compared | [`rounds`], [`spread`] |
//! | what a create costs, beside a bare loop of inserts | [`creates`], [`bare_loop`], [`slow_disk`] |
//! | what a read costs, beside a route that answers with a constant | [`reads`], [`fixed_route`] |
//! | what a decision by policy costs, beside a naive evaluator | [`policies`] |
//! | what a verification costs in the process, beside its digest and a bare table | [`verify`] |
//! | what a million tokens cost | [`million`], [`population`] |
//! | what ten thousand streams cost | [`streams`] |
//! | what a verification costs over HTTP | [`surfaces`] |
//! | whether the time of a refusal tells its reason | [`timing`] |
//! | how the server is run, and how it is asked | [`server`], [`load`], [`client`] |
//! | what is printed | [`figure`] |

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::duration_suboptimal_units,
    clippy::float_cmp,
    clippy::neg_cmp_op_on_partial_ord,
    clippy::unchecked_time_subtraction,
    reason = "figures are measured, rounded and compared by people"
)]

mod bare_loop;
mod client;
mod creates;
mod figure;
mod fixed_route;
mod load;
mod machine;
mod million;
mod options;
mod policies;
mod population;
mod reads;
mod reply;
mod rounds;
mod scratch;
mod server;
mod slow_disk;
mod spread;
mod streams;
mod subprocess;
mod surfaces;
mod timing;
mod verify;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use figure::Report;
use options::{Options, Task};

/// What ends a benchmark early. Its text is for whoever started it.
type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
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
            return fixed_route::run(&lengths).map(|()| ExitCode::SUCCESS);
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
    machine::pin_to(machine::LOAD_CORE)?;
    let mut report = Report::new(options.json);
    for task in options.tasks() {
        match task {
            Task::Creates => creates::measure(options, &jeton, &mut report)?,
            Task::Reads => reads::measure(options, &jeton, &mut report)?,
            Task::Policies => policies::measure(options, &mut report)?,
            Task::Verify => verify::measure(options, &mut report)?,
            Task::Surfaces => surfaces::measure(options, &jeton, &mut report)?,
            Task::Timing => timing::measure(options, &jeton, &mut report)?,
            Task::Million => million::measure(options, &jeton, &mut report)?,
            Task::Streams => streams::measure(options, &jeton, &mut report)?,
        }
    }
    report.finish()?;
    Ok(report)
}
