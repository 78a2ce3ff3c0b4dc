//! A process of ours on the server's core. It ends when it is dropped, also in a panic, by its own id.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::Fallible;
use crate::machine::{LOAD_CORE, SERVER_CORE, pin_to};

pub(crate) struct Subprocess {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Subprocess {
    /// Starts the command on the server's core. What it writes on standard output can be read with
    /// [`Subprocess::line`].
    pub(crate) fn start(command: &mut Command) -> Fallible<Self> {
        // A child inherits the cores of the thread that starts it.
        pin_to(SERVER_CORE)?;
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        pin_to(LOAD_CORE)?;
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = spawned.map_err(|error| format!("{name} cannot be started: {error}"))?;
        let output = child.stdout.take().map(BufReader::new).ok_or("no standard output")?;
        Ok(Self { child, output })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) -> Fallible<()> {
        let input = self.child.stdin.as_mut().ok_or("no standard input")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Waits for a line on its standard output.
    pub(crate) fn line(&mut self) -> Fallible<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(
                format!("a process of the benchmark has ended early: {:?}", self.child.wait()?).into()
            );
        }
        Ok(line.trim_end().to_owned())
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> Fallible<bool> {
        Ok(self.child.try_wait()?.is_some())
    }
}

impl Drop for Subprocess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
