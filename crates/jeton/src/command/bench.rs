//! `jeton bench`: what a verification costs on this machine, beside the least that it could cost there.
//!
//! The measuring is [`jeton_bench`]'s. Here it is told which program to measure, and stopped when somebody asks.

use std::path::PathBuf;

use jeton_bench::Overview;

use crate::fault::Fault;
use crate::signals::Signals;

/// Tokens in the scratch store.
pub(crate) const TOKENS: u32 = 100_000;
/// The same with `--quick`.
pub(crate) const QUICK_TOKENS: u32 = 10_000;

/// What this program is started as by its own benchmark: the floor, which must be a process of its own. It is in no help.
pub(crate) const FIXED_ROUTE: &[&str] = &["bench", "fixed-route"];

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Bench {
    /// Measure.
    Measure {
        /// Tokens in the scratch store, if somebody said so.
        tokens: Option<u32>,
        /// A few seconds instead of a minute.
        quick: bool,
        /// One JSON object a line.
        json: bool,
        /// Where a picture goes.
        svg: Option<PathBuf>,
    },
    /// Be the floor, with documents of these lengths.
    FixedRoute(Vec<usize>),
}

impl Bench {
    pub(crate) fn run(self) -> Result<(), Fault> {
        let ended = match self {
            Self::FixedRoute(lengths) => jeton_bench::fixed_route(&lengths),
            Self::Measure { tokens, quick, json, svg } => {
                stop_when_asked()?;
                let tokens = tokens.unwrap_or(if quick { QUICK_TOKENS } else { TOKENS });
                let jeton = std::env::current_exe()?;
                Overview { jeton, fixed_route: FIXED_ROUTE, tokens, quick, json, svg }.run()
            }
        };
        ended.map_err(|error| Fault::failed(error.to_string()))
    }
}

/// A signal lets the benchmark stop its processes and remove its files, which takes a moment. Another changes nothing: a
/// process that ended on the spot would leave its server behind.
fn stop_when_asked() -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let signals = runtime.block_on(async { Signals::listen() })?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            signals.first().await;
            jeton_bench::interrupt();
        });
    })?;
    Ok(())
}
