//! `jeton migrate`: everything in one database moved into another, of the other kind or of the same.
//!
//! Nobody serves either of them meanwhile. What happens is in [`jeton_store::archive`]; here is who may not be disturbed,
//! and how it is told.

mod meter;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jeton_core::change::Revision;
use jeton_service::Clock as _;
use jeton_store::archive::{Archive, TransferError, Transferred, transfer};
use jeton_store::{Postgres, SharedStore as _, Sqlite};

use super::print;
use crate::config::value::Database;
use crate::data_dir;
use crate::fault::Fault;
use crate::installation;
use crate::system::{SystemClock, utc};
use meter::{Meter, grouped};

/// As much is written at a time: enough that a transaction does not count, and little enough to hold in memory.
const BATCH: usize = 4000;

/// From where to where, as it was written.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Move {
    pub(crate) fn run(&self) -> Result<(), Fault> {
        let (from, to) = (database("--from", &self.from)?, database("--to", &self.to)?);
        if from == to {
            return Err(Fault::usage("--from and --to name the same database: name another one with --to"));
        }
        installation::must_exist(&from)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let source = open_alone(&from).await?;
            // Before a new file is made for nothing.
            if source.changes(Revision::ZERO, 1).await?.is_empty() {
                return Err(refusal(&TransferError::NothingThere, &from, &to));
            }
            let target = open_alone(&to).await?;
            let (begun, mut meter) = (Instant::now(), Meter::new());
            let moved = transfer(&*source, &*target, BATCH, &mut |told| meter.tell(told)).await;
            meter.end();
            let moved = moved.map_err(|error| refusal(&error, &from, &to))?;
            print(&summary(&moved, &from, &to, begun.elapsed()))
        })
    }
}

/// Reads the name of a database: as `--database` takes it, a path, or `@` and a file in which either stands. An argument is
/// seen by everybody on the machine, and may hold a password.
fn database(flag: &str, text: &str) -> Result<Database, Fault> {
    let kept;
    let text = match text.strip_prefix('@') {
        Some(file) => {
            kept = std::fs::read_to_string(file).map_err(|error| {
                Fault::usage(format!(
                    "{flag}: {file} cannot be read ({error}): name a file with the address in it"
                ))
            })?;
            kept.trim()
        }
        None => text,
    };
    if !text.is_empty() && !text.contains(':') {
        return Ok(Database::Sqlite(text.into()));
    }
    text.parse().map_err(|error| Fault::usage(format!("{flag}: {error}")))
}

/// Opens a database that nobody serves, and keeps it so for as long as it is open.
async fn open_alone(database: &Database) -> Result<Arc<dyn Archive>, Fault> {
    let since = utc(SystemClock.now());
    let holder = format!("process {}, running `jeton migrate`, since {since}", std::process::id());
    Ok(match database {
        Database::Sqlite(path) => {
            let directory = path.parent().filter(|parent| *parent != Path::new(""));
            data_dir::check_owner(directory.unwrap_or(Path::new(".")))?;
            Arc::new(Sqlite::open(path, &holder)?)
        }
        Database::Postgres(address) => {
            let store = Postgres::open(address, Duration::ZERO).await?;
            let nodes = store.nodes().await?;
            if let Some(node) = nodes.living().next() {
                return Err(Fault::failed(format!(
                    "the database {database} is served by {} ({}): stop every jeton on it first",
                    node.name, node.address
                )));
            }
            Arc::new(store)
        }
    })
}

fn refusal(error: &TransferError, from: &Database, to: &Database) -> Fault {
    const EMPTY: &str = "remove that file, or drop that database, and run this again";
    Fault::failed(match error {
        TransferError::NothingThere => {
            format!(
                "there is nothing to move in {from}, {error}: name the database of your server with --from"
            )
        }
        TransferError::SourceUnfinished => {
            format!("{from} cannot be moved, {error}, by the command that began it")
        }
        TransferError::NotEmpty => format!(
            "{to} cannot be moved into, {error}, and nothing is overwritten: name a new file, or a database or schema of its \
             own, with --to"
        ),
        TransferError::AnotherSource { .. } => {
            format!("{to} cannot be moved into, {error}: nobody was ever served from it, so {EMPTY}")
        }
        TransferError::SourceMoved { .. } => format!(
            "{from} was not moved, {error}: stop every jeton on it; what is in {to} is of no use, so {EMPTY}"
        ),
        TransferError::Differs { .. } => {
            format!("{from} was not moved, {error}: nobody is served from {to}, so {EMPTY}")
        }
        TransferError::Source(_) => {
            format!(
                "{from} could not be read to its end ({error}): run this again when it can, and it goes on"
            )
        }
        TransferError::Target(_) => {
            format!("{to} could not be written ({error}): run this again when it can, and it goes on")
        }
    })
}

fn summary(moved: &Transferred, from: &Database, to: &Database, took: Duration) -> String {
    let mut text = format!("{:<10}{:>14}{:>14}   sha256 of both\n", "", "from", "to");
    for line in &moved.lines {
        let count = grouped(line.count);
        let _ = writeln!(text, "{:<10}{count:>14}{count:>14}   {}", line.kind.as_str(), line.sha256);
    }
    let found: u64 = moved.found.0.iter().sum();
    let seconds = took.as_secs_f64();
    text.push('\n');
    let _ = match moved.carried {
        0 => writeln!(text, "everything from {from} was in {to} already"),
        carried => {
            let rate = carried * 1000 / u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
            let (carried, rate) = (grouped(carried), grouped(rate));
            writeln!(text, "moved {carried} records from {from} to {to} in {seconds:.1} s, {rate} a second")
        }
    };
    if found > 0 && moved.carried > 0 {
        let _ = writeln!(text, "{} more were there from an interrupted attempt", grouped(found));
    }
    let _ = writeln!(
        text,
        "both were read to their end after it and hold the same, up to change {}\n\
         serve it with --database or JETON_DATABASE_URL and the server key that you have: every token goes on working\n\
         never serve the old one again: what is revoked in one lives on in the other",
        moved.head
    );
    text
}
