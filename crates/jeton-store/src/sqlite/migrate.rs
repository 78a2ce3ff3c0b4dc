//! Migrations: forward only, each applied once, each known by its hash.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use super::OpenError;
use crate::encoding;

/// Marks the file as jeton's own: `jetn`.
const APPLICATION_ID: i32 = 0x6a65_746e;

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// In order; the first is number 1. A released migration never changes.
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
    let applied = check_applied(&transaction, path)?;
    for (number, migration) in (1_u32..).zip(MIGRATIONS).skip(applied) {
        transaction.execute_batch(migration.sql).map_err(open)?;
        transaction
            .execute(
                "INSERT INTO migrations (number, name, sha256) VALUES (?1, ?2, ?3)",
                params![number, migration.name, hash(migration.sql)],
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

/// Compares what was applied with what this program has; gives back how many migrations were applied.
fn check_applied(connection: &Connection, path: &Path) -> Result<usize, OpenError> {
    let open = |source: rusqlite::Error| OpenError::open(path, &source);
    let mut statement =
        connection.prepare("SELECT number, name, sha256 FROM migrations ORDER BY number").map_err(open)?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<(u32, String, String)>>>)
        .map_err(open)?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if let Some((found, ..)) = rows.last().filter(|(number, ..)| *number > known) {
        return Err(OpenError::Newer { path: path.to_owned(), found: *found, known });
    }
    for ((number, name, sha256), migration) in rows.iter().zip(MIGRATIONS) {
        if *sha256 != hash(migration.sql) {
            return Err(OpenError::Differs { path: path.to_owned(), number: *number, name: name.clone() });
        }
    }
    Ok(rows.len())
}

fn hash(sql: &str) -> String {
    encoding::hex(&Sha256::digest(sql.as_bytes()))
}
