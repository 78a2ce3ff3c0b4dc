//! How far a start has come, in one line on a terminal: only there, only where it takes long enough for somebody to
//! wonder, and gone when it is over.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

/// A start that is over by then says nothing.
const AFTER: Duration = Duration::from_millis(500);
/// Between two lines.
const BETWEEN: Duration = Duration::from_millis(100);

/// Brings the cursor to the beginning of the line, and clears it.
const CLEAR: &str = "\r\x1b[K";

pub(crate) struct Progress {
    started: Instant,
    /// When the next line is due, after the start; `None` where nobody reads.
    due: Option<Duration>,
    shown: bool,
}

impl Progress {
    /// Begins now.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), due: stderr().is_terminal().then_some(AFTER), shown: false }
    }

    /// Shows that so many tokens of these are loaded, if it is time.
    pub(crate) fn tell(&mut self, loaded: u64, total: u64) {
        if let Some(line) = self.line(self.started.elapsed(), loaded, total) {
            write(&line);
        }
    }

    fn line(&mut self, after: Duration, loaded: u64, total: u64) -> Option<String> {
        let due = self.due.as_mut().filter(|due| after >= **due)?;
        *due = after + BETWEEN;
        self.shown = true;
        let share = (loaded * 100).checked_div(total).unwrap_or(100);
        Some(format!("{CLEAR}loading {total} tokens: {share} %"))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            write(CLEAR);
        }
    }
}

/// It fails only where nobody reads.
fn write(text: &str) {
    let mut out = stderr();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(progress: &mut Progress, millis: u64) -> Option<String> {
        progress.line(Duration::from_millis(millis), 250_000, 1_000_000)
    }

    #[test]
    fn a_line_comes_late_and_seldom() {
        let mut progress = Progress { started: Instant::now(), due: Some(AFTER), shown: false };
        assert_eq!(at(&mut progress, 499), None);
        assert_eq!(at(&mut progress, 500).as_deref(), Some("\r\x1b[Kloading 1000000 tokens: 25 %"));
        assert_eq!(at(&mut progress, 599), None);
        assert!(at(&mut progress, 600).is_some());
        progress.shown = false;
    }

    #[test]
    fn nobody_is_told_who_does_not_read() {
        let mut progress = Progress { started: Instant::now(), due: None, shown: false };
        assert_eq!(at(&mut progress, 10_000), None);
    }
}
