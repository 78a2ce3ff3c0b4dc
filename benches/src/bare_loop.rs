//! The floor under creates: single-row inserts into SQLite, one transaction each, as durable as ours and with nothing
//! else around them.
//!
//! Precisely: the same SQLite as jeton's; its defaults but for `journal_mode=WAL` and `synchronous=FULL`; one table with
//! an integer key and one blob of [`ROW`] bytes, what the row of a token takes; one prepared `INSERT` that commits by
//! itself. No index, no second table, no JSON, no thread but one, no network. Its keys grow at the end, so each commit
//! writes one page, and it is the hardest floor that a store of single rows can have.
//!
//! It runs in a process of its own, so that it can have its own core and its own slow disk, and inserts for as many
//! seconds as each line of its input says.

use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::Fallible;
use crate::machine::Core;
use crate::rounds::Dice;
use crate::subprocess::{Subprocess, Voice};

/// Bytes in a row: a token of a member with the description that the load sends, as jeton's own table has it.
const ROW: usize = 176;

/// The loop itself. Ends with its input.
pub(crate) fn run(database: &Path) -> Fallible<()> {
    let connection = Connection::open(database)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch("CREATE TABLE tokens (number INTEGER PRIMARY KEY, token BLOB NOT NULL)")?;
    let mut insert = connection.prepare("INSERT INTO tokens (token) VALUES (?1)")?;
    let mut dice = Dice::new(1);
    for line in stdin().lock().lines() {
        let time = Duration::from_secs_f64(line?.trim().parse()?);
        let started = Instant::now();
        let mut inserted = 0_u32;
        while started.elapsed() < time {
            let row: [u8; ROW] = dice.bytes();
            insert.execute([row])?;
            inserted += 1;
        }
        writeln!(stdout(), "{}", f64::from(inserted) / started.elapsed().as_secs_f64())?;
    }
    Ok(())
}

/// The loop in its own process.
pub(crate) struct BareLoop(Subprocess);

impl BareLoop {
    pub(crate) fn start(database: &Path, preload: Option<&Path>) -> Fallible<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare-loop").arg(database);
        if let Some(library) = preload {
            command.env("LD_PRELOAD", library);
        }
        Ok(Self(Subprocess::start(&mut command, Voice::Output, Core::Server)?))
    }

    /// Lets it insert for this long. Rows by the second.
    pub(crate) fn turn(&mut self, time: Duration) -> Fallible<f64> {
        self.0.tell(&time.as_secs_f64().to_string())?;
        Ok(self.0.line()?.parse()?)
    }
}
