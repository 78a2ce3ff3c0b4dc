//! What everybody can measure: a verification in the process and on every surface, each beside its floor.

use std::fs;
use std::io::{Write as _, stderr};
use std::path::PathBuf;

use crate::figure::Report;
use crate::options::Options;
use crate::{Fallible, machine, picture, surfaces, verify};

/// What is measured, and how it is shown.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The program to measure.
    pub jeton: PathBuf,
    /// The arguments that make this very program serve [`fixed_route`](crate::fixed_route), before the lengths.
    pub fixed_route: &'static [&'static str],
    /// Tokens in the scratch store: at least 1,000.
    pub tokens: u32,
    /// One round of short turns: whether it works, and roughly what comes out.
    pub quick: bool,
    /// One JSON object a line in place of the table.
    pub json: bool,
    /// A picture of the ratios, as SVG.
    pub svg: Option<PathBuf>,
}

impl Overview {
    /// Measures, and prints what comes out on standard output; what it is doing on standard error. Files of its own are in
    /// the temporary directory while it runs.
    ///
    /// # Errors
    /// If something can't be started or written, a server gives a wrong answer, or somebody called
    /// [`interrupt`](crate::interrupt).
    pub fn run(&self) -> Fallible<()> {
        let options = Options {
            rounds: if self.quick { 1 } else { 8 },
            seconds: if self.quick { 0.05 } else { 0.35 },
            tokens: self.tokens,
            json: self.json,
            dir: Some(std::env::temp_dir()),
            fixed_route: self.fixed_route,
            ..Options::default()
        };
        machine::describe(&options, &self.jeton)?;
        let takes = if self.quick { "some seconds" } else { "a minute and a half" };
        writeln!(stderr(), "takes    {takes}; Ctrl-C stops it, and leaves nothing behind")?;
        machine::pin_to(machine::Core::Load)?;
        let mut report = Report::new(self.json);
        verify::overview(&options, &mut report)?;
        surfaces::measure(&options, &self.jeton, &mut report)?;
        report.finish()?;
        let Some(path) = &self.svg else { return Ok(()) };
        fs::write(path, picture::drawn(report.figures()))
            .map_err(|error| format!("the picture {} cannot be written ({error})", path.display()).into())
    }
}
