//! Migrations: forward only, each applied once, each known by its hash, whoever else starts at the same time.

use sha2::{Digest as _, Sha256};
use tokio_postgres::Error;

use super::Address;
use super::error::{OpenError, is_lost, told};
use super::session::{Session, pause};
use crate::encoding;

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// In order; the first is number 1. A released migration never changes.
const MIGRATIONS: &[Migration] = &[
    Migration { name: "foundation", sql: include_str!("migrations/0001_foundation.sql") },
    Migration { name: "nodes", sql: include_str!("migrations/0002_nodes.sql") },
];

/// Number 0 is no migration: whoever migrates holds this row until all is done. The table itself is the mark by which a
/// database is known as jeton's.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
    CREATE TABLE IF NOT EXISTS jeton_migrations (number bigint PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL);
    INSERT INTO jeton_migrations (number, name, sha256) VALUES (0, 'lock', '') ON CONFLICT DO NOTHING;";
const TABLES: &str = "SELECT count(*), count(*) FILTER (WHERE table_name = 'jeton_migrations')
    FROM information_schema.tables WHERE table_schema = current_schema()";

/// Two that make the same table at the same moment don't wait for each other: one of them is refused.
const ATTEMPTS: u32 = 20;

/// Brings the schema up to date, in one transaction, or refuses the database and leaves it as it was.
pub(super) async fn migrate(session: &Session, address: &Address) -> Result<(), OpenError> {
    let open = |error: Error| unusable(address, told(&error));
    let mut attempt = 0;
    loop {
        match try_migrate(session, address).await {
            Ok(verdict) => return verdict,
            Err(error) if attempt < ATTEMPTS && !is_lost(&error) && is_of_a_race(&error) => attempt += 1,
            Err(error) => return Err(open(error)),
        }
        session.client.batch_execute("ROLLBACK").await.map_err(open)?;
        pause(attempt).await;
    }
}

pub(super) fn unusable(address: &Address, message: String) -> OpenError {
    OpenError::Unusable { address: address.to_string(), message }
}

/// A table, a type or a row that was not there a moment ago; or a transaction given up for another's sake.
fn is_of_a_race(error: &Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code(), "23505" | "42P07" | "42710" | "40001" | "40P01"))
}

async fn try_migrate(session: &Session, address: &Address) -> Result<Result<(), OpenError>, Error> {
    let tables = session.client.query_one(TABLES, &[]).await?;
    let (all, ours): (i64, i64) = (tables.try_get(0)?, tables.try_get(1)?);
    if all > 0 && ours == 0 {
        return Ok(Err(OpenError::Foreign { address: address.to_string() }));
    }
    session.client.batch_execute(BEGIN).await?;
    session.client.query("SELECT number FROM jeton_migrations WHERE number = 0 FOR UPDATE", &[]).await?;
    let applied = match check_applied(session, address).await? {
        Ok(applied) => applied,
        Err(refused) => {
            session.client.batch_execute("ROLLBACK").await?;
            return Ok(Err(refused));
        }
    };
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip(applied) {
        session.client.batch_execute(migration.sql).await?;
        let insert = "INSERT INTO jeton_migrations (number, name, sha256) VALUES ($1, $2, $3)";
        session.client.execute(insert, &[&number, &migration.name, &hash(migration.sql)]).await?;
    }
    session.client.batch_execute("COMMIT").await?;
    Ok(Ok(()))
}

/// Compares what was applied with what this program has; gives back how many migrations were applied.
async fn check_applied(session: &Session, address: &Address) -> Result<Result<usize, OpenError>, Error> {
    let sql = "SELECT number, name, sha256 FROM jeton_migrations WHERE number > 0 ORDER BY number";
    let rows = session.client.query(sql, &[]).await?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let address = address.to_string();
    if let Some(last) = rows.last() {
        let found: i64 = last.try_get(0)?;
        if found > known {
            return Ok(Err(OpenError::Newer { address, found, known }));
        }
    }
    for (row, migration) in rows.iter().zip(MIGRATIONS) {
        if row.try_get::<_, &str>(2)? != hash(migration.sql) {
            return Ok(Err(OpenError::Differs { address, number: row.try_get(0)?, name: row.try_get(1)? }));
        }
    }
    Ok(Ok(rows.len()))
}

fn hash(sql: &str) -> String {
    encoding::hex(&Sha256::digest(sql.as_bytes()))
}
