//! Backups: a consistent copy while the server runs.

use std::fs::File;
use std::io::ErrorKind;
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
    // Not read-only: the first to open a database after a crash has to bring its log in order.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(from, flags).map_err(|source| OpenError::open(from, &source))?;
    copy(&connection, to)
}

/// Copies into `to`, which must not exist, not even as a link that leads nowhere. The name is claimed first, so that
/// nobody else's file is written over; a copy that broke off halfway is worse than none, and taken away.
pub(super) fn copy(connection: &Connection, to: &Path) -> Result<(), OpenError> {
    let unusable = |message: String| OpenError::Unusable { path: to.to_owned(), message };
    File::options().write(true).create_new(true).open(to).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => unusable("it exists already: give the backup a new name".to_owned()),
        _ => unusable(format!(
            "{error}; check that its directory is there, and that this user may write to it"
        )),
    })?;
    let copied = connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
    if copied.is_err() {
        let _ = std::fs::remove_file(to);
    }
    copied.map(drop).map_err(|source| OpenError::open(to, &source))
}
