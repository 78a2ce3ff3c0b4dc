//! The guard: keeps a second jeton away from a database as long as several can't share one.
//!
//! It is an advisory lock of the session that writes, so it goes with its connection and nothing stale ever has to be
//! removed. No promise rests on it: commits are kept apart by the row with the last revision, and a writer that finds a
//! revision there which is not its own stops. On an engine without advisory locks that is all there is.

use sha2::{Digest as _, Sha256};
use tokio_postgres::Error;

use super::session::Session;

/// The first half of the lock's key: `jetn`. The second is the schema, because a lock is known in the whole database.
const KEY: i32 = 0x6a65_746e;
const HOLDER: &str = "SELECT value FROM installation WHERE key = 'holder'";
const SAY: &str = "INSERT INTO installation (key, value) VALUES ('holder', $1)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";

pub(super) struct Guard {
    /// What this process says of itself to another that finds the database taken.
    pub(super) holder: String,
}

impl Guard {
    /// Takes the lock for the life of the session, or finds it taken.
    pub(super) async fn take(&self, session: &Session) -> Result<bool, Error> {
        let schema = session.client.query_one("SELECT current_schema()::text", &[]).await?;
        let schema: Option<String> = schema.try_get(0)?;
        let digest: [u8; 32] = Sha256::digest(schema.unwrap_or_default()).into();
        let schema = i32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        match session.client.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&KEY, &schema]).await {
            Ok(row) => row.try_get(0),
            Err(error) if error.code().is_some_and(|code| matches!(code.code(), "42883" | "0A000")) => {
                tracing::warn!(
                    "this database knows no advisory locks: see to it that only one jeton uses it"
                );
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Says who has the database.
    pub(super) async fn say(&self, session: &Session) -> Result<(), Error> {
        session.execute(SAY, &[&self.holder.as_bytes()]).await.map(drop)
    }
}

/// What the holder said of itself.
pub(super) async fn holder(session: &Session) -> String {
    let said = session.query(HOLDER, &[]).await.ok();
    let said = said.and_then(|rows| rows.first().and_then(|row| row.try_get::<_, Vec<u8>>(0).ok()));
    match said.map(|said| String::from_utf8_lossy(&said).into_owned()) {
        Some(said) if !said.is_empty() => said,
        _ => "it has not said which".to_owned(),
    }
}
