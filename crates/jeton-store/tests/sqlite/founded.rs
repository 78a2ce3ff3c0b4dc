//! A founded store on a file, for tests that are about the file.

use std::path::{Path, PathBuf};

use jeton_store::Sqlite;
use tempfile::TempDir;

pub(crate) use crate::issuer::{Issuer, check};

/// A database file in a directory that goes when this does, and the process that has it open.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.file("jeton.db")
    }

    pub(crate) fn open(&self) -> Sqlite {
        open(&self.database())
    }

    /// The database with an account, its owner, and the owner's first token.
    pub(crate) fn founded(&self) -> (Sqlite, Issuer) {
        let store = self.open();
        let issuer = Issuer::found(&store);
        (store, issuer)
    }

    /// The message of a refusal to open.
    pub(crate) fn refusal(&self) -> String {
        match Sqlite::open(&self.database(), "a test") {
            Ok(_) => panic!("this should not have opened"),
            Err(error) => error.to_string(),
        }
    }
}

pub(crate) fn open(path: &Path) -> Sqlite {
    Sqlite::open(path, "process 4711, listening on 127.0.0.1:8080").unwrap()
}
