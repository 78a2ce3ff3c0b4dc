//! The embedded store: the conformance suite in memory and on a file, and what is SQLite's own.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

#[path = "sqlite/backups.rs"]
mod backups;
#[path = "sqlite/crashes.rs"]
mod crashes;
#[path = "sqlite/files.rs"]
mod files;
#[path = "sqlite/founded.rs"]
mod founded;
#[path = "support/issuer.rs"]
mod issuer;
#[path = "sqlite/locks.rs"]
mod locks;

/// Every conformance case on a database in memory.
mod in_memory {
    use jeton_store::Sqlite;
    use jeton_store::conformance::Case;

    fn run(case: Case) {
        pollster::block_on(case(&Sqlite::in_memory().unwrap()));
    }

    jeton_store::store_conformance!(run);
}

/// Every conformance case on a file.
mod on_a_file {
    use jeton_store::Sqlite;
    use jeton_store::conformance::Case;

    fn run(case: Case) {
        let directory = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&directory.path().join("jeton.db"), "the conformance suite").unwrap();
        pollster::block_on(case(&store));
    }

    jeton_store::store_conformance!(run);
}
