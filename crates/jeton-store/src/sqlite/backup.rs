//! Backups: a consistent copy while the server runs.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::connect;
use super::error::OpenError;

/// Copies the database at `from` into the new file `to`, from outside the process that serves it.
///
/// The copy is as of one moment: SQLite reads it in a single transaction, and writers go on beside it. Copied back with
/// the server stopped, it is the database again; its server key has to come back with it.
///
/// # Errors
/// [`OpenError`], also if `to` exists: a backup never overwrites anything.
pub fn backup(from: &Path, to: &Path) -> Result<(), OpenError> {
    if !from.exists() {
        let message = "there is no such file: name the data directory with --data-dir".to_owned();
        return Err(OpenError::Unusable { path: from.to_owned(), message });
    }
    if to.exists() {
        let message = "it exists already: give the backup a new name".to_owned();
        return Err(OpenError::Unusable { path: to.to_owned(), message });
    }
    // Not read-only: the first to open a database after a crash has to bring its log in order.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(from, flags).map_err(|source| OpenError::open(from, &source))?;
    copy(&connection, to).map_err(|source| OpenError::open(to, &source))
}

/// Copies into `to`, which does not exist yet. A copy that broke off halfway is worse than none: it is taken away.
pub(super) fn copy(connection: &Connection, to: &Path) -> rusqlite::Result<()> {
    let copied = connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
    if copied.is_err() {
        let _ = std::fs::remove_file(to);
    }
    copied.map(drop)
}
