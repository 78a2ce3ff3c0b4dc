//! What is asked of whoever sits at the terminal: secrets, unseen, and whether something is to die.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::fault::Fault;

/// More than any secret or password.
const LONGEST: usize = 4096;

/// Whether somebody sits there who can be asked.
pub(super) fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Says something to people. Standard output is for what scripts read.
pub(super) fn say(text: &str) {
    // It fails only where nobody reads.
    let _ = writeln!(io::stderr(), "{text}");
}

/// A secret: from the terminal, unseen, or the first line of standard input.
pub(super) fn secret(prompt: &str) -> Result<Zeroizing<String>, Fault> {
    let line = if io::stdin().is_terminal() { read_unseen(prompt)? } else { read_line()? };
    let text = line.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Fault::usage(format!(
            "nothing was given as {}: type it at the terminal, or give it on standard input",
            prompt.to_lowercase()
        )));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// A line that may be seen, or what stands for an empty one.
pub(super) fn line(prompt: &str, default: &str) -> Result<String, Fault> {
    let _ = write!(io::stderr(), "{prompt} [{default}]: ");
    let line = read_line()?;
    let text = line.trim();
    Ok(if text.is_empty() { default.to_owned() } else { text.to_owned() })
}

/// Goes on only if somebody agrees: on the terminal, or with `--yes`. `doomed` says what dies, in whole sentences; it is
/// asked for only where it is needed.
pub(super) fn confirm(yes: bool, doomed: impl FnOnce() -> Result<String, Fault>) -> Result<(), Fault> {
    if yes {
        return Ok(());
    }
    let doomed = doomed()?;
    if !somebody_is_there() {
        return Err(Fault::usage(format!(
            "nothing was done, since there is no terminal to ask at: {doomed}\n  hint: say --yes if that is what you want"
        )));
    }
    let _ = write!(io::stderr(), "{doomed}\nGo on? [y/N] ");
    let answer = read_line()?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Fault::failed("nothing was done")),
    }
}

fn read_line() -> Result<Zeroizing<String>, Fault> {
    let mut line = Zeroizing::new(String::new());
    io::stdin().lock().take(LONGEST as u64).read_line(&mut line).map_err(|error| {
        Fault::failed(format!("standard input cannot be read ({error}): give one line of text there"))
    })?;
    Ok(line)
}

fn read_unseen(prompt: &str) -> Result<Zeroizing<String>, Fault> {
    // Before it is asked for: what is typed until then is thrown away, since it may have been seen.
    let unseen = Unseen::start()?;
    let _ = write!(io::stderr(), "{prompt}: ");
    // A terminal gives one line at a time.
    let mut bytes = Zeroizing::new(vec![0; LONGEST]);
    let length = io::stdin().lock().read(&mut bytes);
    drop(unseen);
    say("");
    let bytes = &bytes[..length?];
    if bytes.contains(&INTERRUPT) {
        return Err(Fault::failed("nothing was done"));
    }
    Ok(Zeroizing::new(String::from_utf8_lossy(bytes).into_owned()))
}

/// What Ctrl-C types.
const INTERRUPT: u8 = 3;

/// While it lives the terminal does not show what is typed.
struct Unseen(Termios);

impl Unseen {
    fn start() -> Result<Self, Fault> {
        let before = tcgetattr(io::stdin())?;
        let mut unseen = before.clone();
        // Keys that end a program on the spot would leave a terminal behind that stays blind. Ctrl-C ends the line instead,
        // and whoever reads it finds it there.
        unseen.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        unseen.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(io::stdin(), OptionalActions::Flush, &unseen)?;
        Ok(Self(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
