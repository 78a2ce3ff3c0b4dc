//! What can go wrong with a database file, in words that say what to do.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::StoreError;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another jeton has it.
    #[error(
        "the database {path} is in use by another jeton ({holder}): stop that one first, or choose another data \
         directory with --data-dir"
    )]
    Held {
        /// The database.
        path: PathBuf,
        /// What the other process said of itself.
        holder: String,
    },
    /// The database was written by a newer jeton.
    #[error(
        "the database {path} was written by a newer version of jeton (its schema is {found}, this version knows up to \
         {known}): start that version, or restore a backup that was made before the upgrade"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The newest migration it has.
        found: u32,
        /// The newest migration that this program has.
        known: u32,
    },
    /// A migration was applied that this program has in another form.
    #[error(
        "the database {path} was migrated by a build of jeton that differs from this one (migration {number} {name} \
         is not the same): use a released version"
    )]
    Differs {
        /// The database.
        path: PathBuf,
        /// The migration.
        number: u32,
        /// Its name.
        name: String,
    },
    /// The file is not a database of jeton.
    #[error("{path} is not a database of jeton: choose another file with --database, or move this one away")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be opened or read.
    #[error("the database {path} cannot be opened: {message}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system said.
        message: String,
    },
}

impl OpenError {
    pub(super) fn permission(path: &Path, what: impl Display) -> Self {
        let message = format!("{what}; check that this user may read and write it and its directory");
        Self::Unusable { path: path.to_owned(), message }
    }

    pub(super) fn open(path: &Path, source: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                Self::permission(&path, source)
            }
            Some(ErrorCode::DiskFull) => {
                Self::Unusable { message: "the disk is full: make room".to_owned(), path }
            }
            _ => Self::Unusable { message: source.to_string(), path },
        }
    }
}

/// A failure of a database that was opened.
pub(super) fn failure(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(error.to_string()),
        _ => StoreError::Broken(error.to_string()),
    }
}

/// Whether a row with the same key exists already.
pub(super) fn is_duplicate(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code.is_some_and(|code| {
        code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE || code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
    })
}
