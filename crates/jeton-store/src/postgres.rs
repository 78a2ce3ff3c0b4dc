//! The store on PostgreSQL: a database on another machine, for as many jetons as are needed.
//!
//! The SQL is portable, so that engines with PostgreSQL's protocol do as well. Revisions come from one row that every commit
//! locks first: a sequence would hand them out before the commit, and make them visible out of order. A whole group is
//! committed in three ways there and back, however long it is.
//!
//! The connections live on a runtime of the adapter's own. Whoever waits for an answer needs none: the thread that commits
//! has no runtime.
//!
//! Connections are encrypted as the address asks for it, in the words of libpq.

mod address;
mod archive;
mod aside;
mod commit;
mod encryption;
mod error;
mod ground;
mod migrate;
mod news;
mod nodes;
mod read;
mod row;
mod session;
mod text;
mod tls;
mod write;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jeton_core::change::{Change, Proposal, Revision};
use jeton_core::id::{AccountId, MemberId, TokenId};
use jeton_core::member::Member;
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Mutex, mpsc};

use crate::archive::{Archive, Inventory, Item, Place, Progress, Step};
use crate::shared::{Beat, Joined, Node, NodeId, Nodes, SharedStore, Tail};
use crate::{Answer, Head, Outcome, Presence, Store, StoreError, StoredToken};
use commit::Writer;
use news::Ears;
use nodes::Follower;
use read::Part;
use session::{ReadError, Readers, Session, Work};

pub use address::{Address, BadAddress};
pub use error::OpenError;

/// Threads for the connections. What takes time is done by the database.
const THREADS: usize = 2;

/// For a write, whatever it waits for: a lock, a connection, or a synchronous standby that is gone. What becomes of it after that
/// is not known, and whoever asked is told so. A server never gives up by itself.
const WRITING: Duration = Duration::from_secs(25);

async fn in_time<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let silent = || StoreError::Broken("the database has confirmed nothing for too long".to_owned());
    tokio::time::timeout(WRITING, work).await.unwrap_or_else(|_| Err(silent()))
}

/// For striking out a node: nobody's safety rests on it.
const STRIKING_OUT: Duration = Duration::from_secs(2);

/// The store on PostgreSQL.
pub struct Postgres {
    shared: Arc<Shared>,
    runtime: OwnRuntime,
}

/// What the tasks on the runtime share.
struct Shared {
    readers: Readers,
    writer: Mutex<Writer>,
    follower: Mutex<Follower>,
    ears: Arc<Ears>,
}

impl Postgres {
    /// Opens the database, and brings its schema up to date. Others may have it open too.
    ///
    /// `patience` is how long a new connection waits before its first commit: one lease, where nodes share the database.
    ///
    /// # Errors
    /// [`OpenError`], each saying what to do.
    pub async fn open(address: &Address, patience: Duration) -> Result<Self, OpenError> {
        let runtime = OwnRuntime::start().map_err(|error| migrate::unusable(address, error.to_string()))?;
        let to = address.clone();
        let opened = runtime.handle().spawn(async move { open(&to).await }).await;
        let session = opened.map_err(|error| migrate::unusable(address, error.to_string()))??;
        let ears = Arc::new(Ears::default());
        let shared = Shared {
            readers: Readers::new(address.clone()),
            writer: Mutex::new(Writer::new(address.clone(), patience, session, Arc::clone(&ears))),
            follower: Mutex::new(Follower::new(address.clone(), Arc::clone(&ears))),
            ears,
        };
        Ok(Self { shared: Arc::new(shared), runtime })
    }

    /// Runs on the adapter's runtime what is then waited for anywhere.
    fn run<'a, T: Send + 'static, F>(
        &'a self,
        work: impl FnOnce(Arc<Shared>) -> F + Send + 'a,
    ) -> Answer<'a, T>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        Box::pin(async move {
            let task = self.runtime.handle().spawn(work(Arc::clone(&self.shared)));
            task.await.unwrap_or_else(|error| Err(StoreError::Broken(error.to_string())))
        })
    }

    /// Runs a query on one of the readers' sessions.
    fn read<T: Send + 'static>(
        &self,
        query: impl for<'s> Fn(&'s Session) -> Work<'s, T> + Send + Sync + 'static,
    ) -> Answer<'_, T> {
        self.run(|shared| async move { shared.readers.read(query).await })
    }

    /// Does something beside the log on the writer's session: see [`Writer::aside`].
    fn aside<T: Send + 'static>(
        &self,
        work: impl for<'s> Fn(&'s Session) -> Work<'s, T> + Send + Sync + 'static,
    ) -> Answer<'_, T> {
        self.run(|shared| in_time(async move { shared.writer.lock().await.aside(work).await }))
    }
}

/// Who shares a database, for whoever only looks: nothing in it is changed, not even by bringing its schema up to date.
///
/// # Errors
/// [`OpenError`], also where no server was ever started on it.
pub async fn nodes(address: &Address) -> Result<Nodes, OpenError> {
    let runtime = OwnRuntime::start().map_err(|error| migrate::unusable(address, error.to_string()))?;
    let to = address.clone();
    let looked = runtime.handle().spawn(async move {
        let session = Session::connect(&to).await?;
        if nodes::there_are_none(&session).await? { Ok(None) } else { nodes::all(&session).await.map(Some) }
    });
    let looked = looked.await.map_err(|error| migrate::unusable(address, error.to_string()))?;
    let looked = looked.map_err(|error| migrate::unusable(address, error.into_failure().to_string()))?;
    looked.ok_or_else(|| migrate::unusable(address, "no server was ever started on it".to_owned()))
}

/// A session that is ready to write.
async fn open(address: &Address) -> Result<Session, OpenError> {
    let unusable = |error: tokio_postgres::Error| migrate::unusable(address, error::told(&error));
    let session = Session::connect(address).await.map_err(|error| match error {
        ReadError::Database(error) => unusable(error),
        ReadError::Content(error) => migrate::unusable(address, error.to_string()),
    })?;
    migrate::migrate(&session, address).await?;
    commit::prepare(&session).await.map_err(unusable)?;
    Ok(session)
}

/// A runtime that may be dropped anywhere, also where waiting for its end is not allowed.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("postgres")
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it is taken out only when this is dropped").handle()
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Store for Postgres {
    fn commit(&self, proposals: Vec<Proposal>) -> Answer<'_, Vec<Outcome>> {
        self.run(|shared| in_time(async move { shared.writer.lock().await.commit(&proposals).await }))
    }

    fn snapshot<'a>(
        &'a self,
        announce: &'a mut (dyn FnMut(u64) + Send),
        sink: &'a mut (dyn FnMut(Record) + Send),
    ) -> Answer<'a, Head> {
        Box::pin(async move {
            let (to, mut parts) = mpsc::channel(4);
            let reading = self.run(move |shared| async move {
                // Not as other readings: what was handed over can't be taken back, so it is not tried again.
                let session = shared.readers.fresh().await?;
                read::snapshot(&session, &to).await.map_err(ReadError::into_failure)
            });
            let taking = async {
                while let Some(part) = parts.recv().await {
                    match part {
                        Part::Tokens(count) => announce(count),
                        Part::Records(records) => records.into_iter().for_each(&mut *sink),
                    }
                }
            };
            tokio::join!(reading, taking).0
        })
    }

    fn changes(&self, after: Revision, limit: usize) -> Answer<'_, Vec<Change>> {
        self.read(move |session| Box::pin(read::changes(session, after, limit)))
    }

    fn compact(&self, before: Timestamp, limit: usize) -> Answer<'_, usize> {
        self.aside(move |session| Box::pin(aside::compact(session, before, limit)))
    }

    fn token(&self, account: AccountId, id: TokenId) -> Answer<'_, Option<StoredToken>> {
        self.read(move |session| {
            Box::pin(async move { Ok(read::tokens(session, account, &[id]).await?.pop()) })
        })
    }

    fn tokens<'a>(&'a self, account: AccountId, ids: &'a [TokenId]) -> Answer<'a, Vec<StoredToken>> {
        let ids: Arc<[TokenId]> = ids.into();
        self.read(move |session| {
            let ids = Arc::clone(&ids);
            Box::pin(async move { read::tokens(session, account, &ids).await })
        })
    }

    fn member(&self, account: AccountId, id: MemberId) -> Answer<'_, Option<Member>> {
        self.read(move |session| Box::pin(read::member(session, account, id)))
    }

    fn members_by_email<'a>(&'a self, email: &'a str) -> Answer<'a, Vec<Member>> {
        let email: Arc<str> = email.into();
        self.read(move |session| {
            let email = Arc::clone(&email);
            Box::pin(async move { read::members_by_email(session, &email).await })
        })
    }

    fn touch<'a>(
        &'a self,
        used: &'a [(TokenId, Timestamp)],
        present: &'a [(MemberId, Presence)],
    ) -> Answer<'a, ()> {
        let noted = Arc::new((used.to_vec(), present.to_vec()));
        self.aside(move |session| {
            let noted = Arc::clone(&noted);
            Box::pin(async move { aside::touch(session, &noted.0, &noted.1).await })
        })
    }

    fn presences(&self, since: Option<Timestamp>) -> Answer<'_, Vec<(MemberId, Presence)>> {
        self.read(move |session| Box::pin(read::presences(session, since)))
    }

    fn bind_key(&self, fingerprint: [u8; 32]) -> Answer<'_, bool> {
        self.aside(move |session| Box::pin(aside::bind_key(session, fingerprint)))
    }

    /// PostgreSQL copies itself, and better.
    fn backup<'a>(&'a self, _to: &'a Path) -> Answer<'a, ()> {
        let told = "a database on PostgreSQL is copied with its own tools: use pg_dump";
        Box::pin(async move { Err(StoreError::Broken(told.to_owned())) })
    }
}

impl Archive for Postgres {
    fn arriving(&self) -> Answer<'_, Option<Progress>> {
        self.read(move |session| Box::pin(archive::arriving(session)))
    }

    fn inventory(&self) -> Answer<'_, Inventory> {
        self.read(move |session| Box::pin(archive::inventory(session)))
    }

    fn page<'a>(&'a self, place: &'a Place, limit: usize) -> Answer<'a, Vec<Item>> {
        let place = Arc::new(place.clone());
        self.read(move |session| {
            let place = Arc::clone(&place);
            Box::pin(async move { archive::page(session, &place, limit).await })
        })
    }

    fn take(&self, step: Step) -> Answer<'_, ()> {
        let step = Arc::new(step);
        self.aside(move |session| {
            let step = Arc::clone(&step);
            Box::pin(async move { archive::take(session, &step).await })
        })
    }
}

impl SharedStore for Postgres {
    fn join<'a>(&'a self, node: &'a Node) -> Answer<'a, Joined> {
        self.shared.ears.name(node.id);
        let node = Arc::new(node.clone());
        self.aside(move |session| {
            let node = Arc::clone(&node);
            Box::pin(async move { nodes::join(session, &node).await })
        })
    }

    fn tail<'a>(
        &'a self,
        node: &'a Node,
        beat: Option<Beat>,
        after: Revision,
        limit: usize,
    ) -> Answer<'a, Tail> {
        let node = node.clone();
        self.run(move |shared| async move {
            shared.follower.lock().await.tail(&node, beat, after, limit, &shared.readers).await
        })
    }

    fn news(&self, at_most: Duration) -> Answer<'_, ()> {
        self.run(move |shared| async move {
            shared.ears.wait(at_most).await;
            Ok(())
        })
    }

    fn wake(&self) {
        self.shared.ears.wake();
    }

    fn strike_out(&self, node: NodeId, beat: Option<u64>) -> Answer<'_, ()> {
        self.run(move |shared| async move {
            // It has to be durable on a standby that may be gone: whoever strikes out goes on without.
            let struck = shared.readers.read(move |session| Box::pin(nodes::strike_out(session, node, beat)));
            let in_time = tokio::time::timeout(STRIKING_OUT, struck).await;
            in_time.unwrap_or_else(|_| Err(StoreError::Broken("the database confirms no write".to_owned())))
        })
    }

    fn nodes(&self) -> Answer<'_, Nodes> {
        self.read(move |session| Box::pin(nodes::all(session)))
    }
}
