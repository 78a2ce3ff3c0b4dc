//! Migrations, and the mark by which a file is known as jeton's.

use std::path::Path;

use rusqlite::{Connection, Row, TransactionBehavior, params};

use super::OpenError;
use crate::migrations::{self, Applied, Migration};

/// Marks the file as jeton's own: `jetn`.
const APPLICATION_ID: i32 = 0x6a65_746e;

/// In order; the first is number 1.
const MIGRATIONS: &[Migration] = &[
    Migration { name: "foundation", sql: include_str!("migrations/0001_foundation.sql") },
    Migration { name: "people", sql: include_str!("migrations/0002_people.sql") },
    Migration { name: "presence", sql: include_str!("migrations/0003_presence.sql") },
];

/// Brings the schema up to date, in one transaction. The file is known to be ours, or empty.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let open = |source: rusqlite::Error| OpenError::open(path, &source);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(open)?;
    transaction
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS migrations (
                number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL
            ) STRICT",
        )
        .map_err(open)?;
    let applied = applied(&transaction).map_err(open)?;
    let applied = migrations::check(&applied, MIGRATIONS)
        .map_err(|unfit| OpenError::Unfit { path: path.to_owned(), unfit })?;
    for (number, migration) in (1_u32..).zip(MIGRATIONS).skip(applied) {
        transaction.execute_batch(migration.sql).map_err(open)?;
        transaction
            .execute(
                "INSERT INTO migrations (number, name, sha256) VALUES (?1, ?2, ?3)",
                params![number, migration.name, migration.sha256()],
            )
            .map_err(open)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(open)?;
    transaction.commit().map_err(open)
}

/// An empty file has no application id yet; a file with another one is somebody else's.
pub(super) fn check_application(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let open = |source: rusqlite::Error| OpenError::open(path, &source);
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(open)?;
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(open)?;
    if id == APPLICATION_ID || (id == 0 && tables == 0) {
        Ok(())
    } else {
        Err(OpenError::Foreign { path: path.to_owned() })
    }
}

/// What was applied, in order.
fn applied(connection: &Connection) -> rusqlite::Result<Vec<Applied>> {
    let mut statement = connection.prepare("SELECT number, name, sha256 FROM migrations ORDER BY number")?;
    let applied = |row: &Row<'_>| Ok(Applied { number: row.get(0)?, name: row.get(1)?, sha256: row.get(2)? });
    statement.query_map([], applied)?.collect()
}
