//! An installation: a database and the key that belongs to it, brought together and started.

use std::sync::Arc;
use std::time::Duration;

use jeton_core::change::Revision;
use jeton_core::limits::Limits;
use jeton_core::rule::Mint;
use jeton_core::secret::SecretFormat;
use jeton_server::http::ListenAddress;
use jeton_service::{Joining, Membership, Service, TurnsBy};
use jeton_store::shared::{Node, NodeId};
use jeton_store::{Archive, Postgres, SharedStore, Sqlite, Store};

use crate::config::value::Database;
use crate::config::{ClusterSettings, Storage};
use crate::fault::Fault;
use crate::key::{self, For};
use crate::progress::Progress;
use crate::system::{SystemClock, SystemEntropy, SystemMonotonic};

/// What is opened.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) storage: &'a Storage,
    pub(crate) format: &'a SecretFormat,
    pub(crate) limits: Limits,
    /// What this process says of itself to another that finds the embedded database taken.
    pub(crate) holder: &'a str,
    /// How long a new connection to a shared database waits before its first commit.
    pub(crate) lease: Duration,
}

impl Plan<'_> {
    /// Opens the database and finds its key or makes it.
    ///
    /// The lock of an embedded database comes first: everything after it happens in one process at a time. A crash between
    /// any two steps leaves what the next start can go on from: an empty database; then a key that no database knows yet;
    /// then a database that knows its key. Of two that start at once on an empty shared database, each with a key of its
    /// own, one is refused.
    async fn opened(&self, entropy: &SystemEntropy) -> Result<(Opened, Mint), Fault> {
        let database = &self.storage.database;
        let opened = match database {
            Database::Sqlite(path) => Opened::Alone(whole(Sqlite::open(path, self.holder)?, database).await?),
            Database::Postgres(address) => {
                Opened::Shared(whole(Postgres::open(address, self.lease).await?, database).await?)
            }
        };
        let empty = opened.store().changes(Revision::ZERO, 1).await?.is_empty();
        let key = key::obtain(&self.storage.server_key, For { name: database, empty }, entropy)?;
        Ok((opened, Mint { format: self.format.clone(), key }))
    }

    /// Starts the service on a database that nobody else serves; or as a visitor, who follows nobody and must not serve.
    pub(crate) async fn open(self, entropy: &Arc<SystemEntropy>) -> Result<Service, Fault> {
        let (opened, mint) = self.opened(entropy).await?;
        start_alone(opened.store(), mint, self.limits, entropy).await
    }

    /// Starts the service so that it can serve: alone, or as a node of the cluster that shares the database.
    pub(crate) async fn serve(
        self,
        cluster: &ClusterSettings,
        address: &ListenAddress,
        entropy: &Arc<SystemEntropy>,
    ) -> Result<Service, Fault> {
        let (opened, mint) = self.opened(entropy).await?;
        let limits = self.limits;
        let store = match opened {
            Opened::Alone(store) => return start_alone(store, mint, limits, entropy).await,
            Opened::Shared(store) => store,
        };
        let node = Node {
            id: NodeId::new(*entropy.bytes()),
            name: cluster.node_name.clone(),
            address: address.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            lease: cluster.lease,
        };
        let membership = Membership { node, poll: cluster.poll, max_staleness: cluster.max_staleness };
        let (monotonic, entropy) = (Arc::new(SystemMonotonic), Arc::clone(entropy));
        let turns = TurnsBy::OwnThread;
        let joining = Joining { store, membership, mint, limits, monotonic, entropy, turns };
        let mut progress = Progress::start();
        Ok(Service::join(joining, &mut |loaded, total| progress.tell(loaded, total)).await?)
    }
}

async fn start_alone(
    store: Arc<dyn Store>,
    mint: Mint,
    limits: Limits,
    entropy: &Arc<SystemEntropy>,
) -> Result<Service, Fault> {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::clone(entropy));
    let mut progress = Progress::start();
    let mut tell = |loaded, total| progress.tell(loaded, total);
    Ok(Service::start(store, mint, limits, clock, entropy, &mut tell).await?)
}

/// A database that was opened.
enum Opened {
    /// By this process alone.
    Alone(Arc<dyn Store>),
    /// By as many as there are.
    Shared(Arc<dyn SharedStore>),
}

impl Opened {
    fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Alone(store) => Arc::clone(store),
            Self::Shared(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }
}

/// Refuses a database into which another one is being moved: what is missing there may be a revocation.
async fn whole<S: Archive>(store: S, database: &Database) -> Result<Arc<S>, Fault> {
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
