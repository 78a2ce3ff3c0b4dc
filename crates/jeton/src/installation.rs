//! An installation: a database and the key that belongs to it, brought together and started.

use std::sync::Arc;

use jeton_core::change::Revision;
use jeton_core::limits::Limits;
use jeton_core::rule::Mint;
use jeton_core::secret::SecretFormat;
use jeton_service::Service;
use jeton_store::{Archive, Postgres, Sqlite, Store};

use crate::config::Storage;
use crate::config::value::Database;
use crate::fault::Fault;
use crate::key::{self, For};
use crate::system::{SystemClock, SystemEntropy};

/// What is opened.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) storage: &'a Storage,
    pub(crate) format: &'a SecretFormat,
    pub(crate) limits: Limits,
    /// What this process says of itself to another that finds the database taken.
    pub(crate) holder: &'a str,
}

/// Opens the database, finds its key or makes it, and starts the service on both.
///
/// The lock of the database comes first: everything after it happens in one process at a time. A crash between any two
/// steps leaves what the next start can go on from: an empty database; then a key that no database knows yet; then a
/// database that knows its key.
pub(crate) async fn open(plan: Plan<'_>, entropy: &Arc<SystemEntropy>) -> Result<Service, Fault> {
    let database = &plan.storage.database;
    let store: Arc<dyn Store> = match database {
        Database::Sqlite(path) => whole(Sqlite::open(path, plan.holder)?, database).await?,
        Database::Postgres(address) => whole(Postgres::open(address, plan.holder).await?, database).await?,
    };
    let empty = store.changes(Revision::ZERO, 1).await?.is_empty();
    let key = key::obtain(&plan.storage.server_key, For { name: database, empty }, entropy)?;
    let mint = Mint { format: plan.format.clone(), key };
    let entropy = Arc::clone(entropy);
    Ok(Service::start(store, mint, plan.limits, Arc::new(SystemClock), entropy).await?)
}

/// Refuses a database into which another one is being moved: what is missing there may be a revocation.
async fn whole(store: impl Archive + 'static, database: &Database) -> Result<Arc<dyn Store>, Fault> {
    if store.arriving().await?.is_some() {
        return Err(Fault::failed(format!(
            "a migration into {database} was interrupted, and not everything is there: run that `jeton migrate` again, and it \
             goes on; or serve the database that it comes from"
        )));
    }
    Ok(Arc::new(store))
}

/// Refuses a database that is not there, for commands that have no business making one. One on PostgreSQL somebody has
/// made on purpose.
pub(crate) fn must_exist(database: &Database) -> Result<(), Fault> {
    match database {
        Database::Sqlite(path) if !path.exists() => Err(Fault::failed(format!(
            "there is no database at {}: name the data directory of your server with --data-dir",
            path.display()
        ))),
        Database::Sqlite(_) | Database::Postgres(_) => Ok(()),
    }
}
