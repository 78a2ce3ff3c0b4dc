//! Migrations, whoever else starts at the same time.

use tokio_postgres::{Error, Row};

use super::Address;
use super::error::{OpenError, is_lost, told};
use super::session::{Session, pause};
use crate::migrations::{self, Applied, Migration};

/// In order; the first is number 1.
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
    let applied = match migrations::check(&applied(session).await?, MIGRATIONS) {
        Ok(applied) => applied,
        Err(unfit) => {
            session.client.batch_execute("ROLLBACK").await?;
            return Ok(Err(OpenError::Unfit { address: address.to_string(), unfit }));
        }
    };
    // Whoever waits for a table holds up everybody who comes after, and other nodes live by their beats.
    session.client.batch_execute("SET LOCAL lock_timeout = '500ms'").await?;
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip(applied) {
        session.client.batch_execute(migration.sql).await?;
        let insert = "INSERT INTO jeton_migrations (number, name, sha256) VALUES ($1, $2, $3)";
        session.client.execute(insert, &[&number, &migration.name, &migration.sha256()]).await?;
    }
    session.client.batch_execute("COMMIT").await?;
    Ok(Ok(()))
}

/// What was applied, in order.
async fn applied(session: &Session) -> Result<Vec<Applied>, Error> {
    let sql = "SELECT number, name, sha256 FROM jeton_migrations WHERE number > 0 ORDER BY number";
    let rows = session.client.query(sql, &[]).await?;
    let applied =
        |row: &Row| Ok(Applied { number: row.try_get(0)?, name: row.try_get(1)?, sha256: row.try_get(2)? });
    rows.iter().map(applied).collect()
}
