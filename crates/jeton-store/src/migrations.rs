//! What the databases of both kinds know alike of migrations: they go forward only, in order, each is applied once, and each is
//! known by its hash.

use sha2::{Digest as _, Sha256};

use crate::encoding;

/// A step of the schema. A released one never changes.
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

impl Migration {
    pub(crate) fn sha256(&self) -> String {
        encoding::hex(&Sha256::digest(self.sql.as_bytes()))
    }
}

/// A migration that a database was brought forward by, as it says itself.
pub(crate) struct Applied {
    pub(crate) number: i64,
    pub(crate) name: String,
    pub(crate) sha256: String,
}

/// Why the schema of a database is not for this program. Said of the database, whose name comes before it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unfit {
    /// The database was written by a newer jeton.
    #[error(
        "was written by a newer version of jeton (its schema is {found}, this version knows up to {known}): start that \
         version, or restore a backup that was made before the upgrade"
    )]
    Newer {
        /// The newest migration it has.
        found: i64,
        /// The newest migration that this program has.
        known: i64,
    },
    /// A migration was applied that this program has in another form.
    #[error(
        "was migrated by a build of jeton that differs from this one (migration {number} {name} is not the same): use a \
         released version"
    )]
    Differs {
        /// The migration.
        number: i64,
        /// Its name.
        name: String,
    },
}

/// Compares what was applied, in order, with what this program knows; gives back how many were applied.
pub(crate) fn check(applied: &[Applied], known: &[Migration]) -> Result<usize, Unfit> {
    let newest = i64::try_from(known.len()).unwrap_or(i64::MAX);
    if let Some(last) = applied.last().filter(|last| last.number > newest) {
        return Err(Unfit::Newer { found: last.number, known: newest });
    }
    match applied.iter().zip(known).find(|(applied, known)| applied.sha256 != known.sha256()) {
        Some((Applied { number, name, .. }, _)) => {
            Err(Unfit::Differs { number: *number, name: name.clone() })
        }
        None => Ok(applied.len()),
    }
}
