//! A process of ours, mostly on the server's core. It ends when it is dropped, also in a panic, by its own id.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use crate::machine::{Core, pin_to};
use crate::{Fallible, interrupt};

/// Where a process says what is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Voice {
    /// On standard output.
    Output,
    /// On standard error, where a server logs.
    Log,
}

pub(crate) struct Subprocess {
    child: Child,
    said: Option<BufReader<Box<dyn Read + Send>>>,
}

impl Subprocess {
    /// Starts the command. What it says can be read with [`Subprocess::line`].
    pub(crate) fn start(command: &mut Command, voice: Voice, core: Core) -> Fallible<Self> {
        command.stdin(Stdio::piped());
        match voice {
            Voice::Output => command.stdout(Stdio::piped()),
            Voice::Log => command.stdout(Stdio::null()).stderr(Stdio::piped()),
        };
        // Whoever presses Ctrl-C at a terminal stops the benchmark, which then ends its processes in its own order.
        command.process_group(0);
        // A child inherits the cores of the thread that starts it.
        pin_to(core)?;
        let spawned = command.spawn();
        pin_to(Core::Load)?;
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = spawned.map_err(|error| format!("{name} cannot be started: {error}"))?;
        let said: Option<Box<dyn Read + Send>> = match voice {
            Voice::Output => child.stdout.take().map(|pipe| Box::new(pipe) as _),
            Voice::Log => child.stderr.take().map(|pipe| Box::new(pipe) as _),
        };
        Ok(Self { child, said: said.map(BufReader::new) })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) -> Fallible<()> {
        let input = self.child.stdin.as_mut().ok_or("no standard input")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Waits for a line.
    pub(crate) fn line(&mut self) -> Fallible<String> {
        let mut line = String::new();
        let said = self.said.as_mut().ok_or("nobody hears this process any more")?;
        if said.read_line(&mut line)? == 0 {
            interrupt::check()?;
            let status = self.child.wait()?;
            return Err(
                format!("a process of the benchmark has ended early ({status}): why stands above").into()
            );
        }
        Ok(line.trim_end().to_owned())
    }

    /// Waits for its end, after it was told to come to it.
    pub(crate) fn wait(&mut self) {
        let _ = self.child.wait();
    }

    /// Leaves whatever it says from now on to this. It may have much to say, and must not wait for a reader.
    pub(crate) fn leave_lines_to(&mut self, take: impl Fn(&str) + Send + 'static) {
        if let Some(said) = self.said.take() {
            std::thread::spawn(move || said.lines().map_while(Result::ok).for_each(|line| take(&line)));
        }
    }
}

impl Drop for Subprocess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
