//! How far a migration is, on standard error: one line that changes on a terminal, a line for each step elsewhere.

use std::io::{IsTerminal as _, Write as _};

use jeton_store::archive::{Doing, Told};

const WIDTH: u64 = 30;

pub(super) struct Meter {
    terminal: bool,
    /// Whether a line was begun that has no end yet.
    open: bool,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), open: false }
    }

    /// What can't be written is missed by nobody.
    pub(super) fn tell(&mut self, told: Told) {
        let mut stderr = std::io::stderr().lock();
        let line = line(told);
        if self.terminal {
            self.open = true;
            let _ = write!(stderr, "\r\x1b[K{} {line}", bar(told));
            let _ = stderr.flush();
        } else if told.doing == Doing::Carrying || told.done >= told.of {
            let _ = writeln!(stderr, "{line}");
        }
    }

    /// Leaves the terminal as it was.
    pub(super) fn end(&mut self) {
        if self.open {
            self.open = false;
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(told: Told) -> String {
    let doing = match told.doing {
        Doing::Carrying => "moved",
        Doing::Comparing => "compared",
    };
    format!("{doing} {} of {} {}", grouped(told.done), grouped(told.of), told.kind.as_str())
}

fn bar(told: Told) -> String {
    let full = (told.done * WIDTH).checked_div(told.of).unwrap_or(WIDTH).min(WIDTH);
    (0..WIDTH).map(|at| if at < full { '█' } else { '░' }).collect()
}

/// A number in groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use jeton_store::archive::Kind;

    use super::*;

    #[test]
    fn a_line_and_its_bar() {
        let told = |done, of| Told { doing: Doing::Carrying, kind: Kind::Tokens, done, of };
        assert_eq!(line(told(4_000, 1_234_567)), "moved 4,000 of 1,234,567 tokens");
        assert_eq!(bar(told(0, 10)), "░".repeat(30));
        assert_eq!(bar(told(5, 10)), format!("{}{}", "█".repeat(15), "░".repeat(15)));
        assert_eq!(bar(told(0, 0)), "█".repeat(30));
        assert_eq!([0, 999, 1_000, 100_000].map(grouped), ["0", "999", "1,000", "100,000"]);
    }
}
