//! What can go wrong with a database file, in words that say what to do.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::{StoreError, Unfit};

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
    /// Its schema is not for this program.
    #[error("the database {path} {unfit}")]
    Unfit {
        /// The database.
        path: PathBuf,
        /// Why.
        unfit: Unfit,
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
