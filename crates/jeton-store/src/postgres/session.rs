//! Sessions: connections with the statements they have prepared, and a few of them kept for readers.

use std::collections::HashMap;
use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls, Row, Socket, Statement};

use super::Address;
use super::encryption::{Encryption, Need};
use super::error::{failure, has_timed_out, is_lost};
use super::tls::{Tls, TlsError};
use crate::StoreError;

/// Readers at the same time. More of them would only wait for the same disk.
const READERS: usize = 8;

/// How long other hosts are waited for when one has said that it is not to be written to, or is not there.
const GRACE: Duration = Duration::from_secs(1);
const SILENT: &str = "no host of the database has answered in time";

/// A connection, driven by a task of its own. When this is dropped the connection ends.
pub(super) struct Session {
    pub(super) client: Client,
    /// From after it was connected: whoever was the primary before is confirmed by nobody from then on.
    pub(super) opened: Instant,
    /// By their text. To prepare one costs a way to the server and back, so it is done once.
    prepared: Mutex<HashMap<&'static str, Statement>>,
}

impl Session {
    /// Connects. Has to be called on the runtime of the adapter, which drives the connection.
    pub(super) async fn connect(address: &Address) -> Result<Self, ReadError> {
        Self::hearing(address, |_| {}).await
    }

    /// Connects, and gives what the server says of itself to `hear`.
    ///
    /// All hosts are asked at once, and the first is taken that can be written to. One after the other, as libpq has it, was
    /// rejected: a machine that has lost its power gives no answer, and a primary is replaced most often for that.
    pub(super) async fn hearing(
        address: &Address,
        hear: impl Fn(AsyncMessage) + Clone + Send + 'static,
    ) -> Result<Self, ReadError> {
        let mut asked = JoinSet::new();
        for host in address.hosts() {
            asked.spawn(enter(host, address.encryption().clone(), hear.clone()));
        }
        let (mut deadline, mut failed) = (Instant::now() + address.timeout(), None);
        while let Ok(Some(answer)) = timeout_at(deadline.into(), asked.join_next()).await {
            match answer {
                Ok(Ok(client)) => {
                    return Ok(Self { client, opened: Instant::now(), prepared: Mutex::default() });
                }
                // It may be about to take over: then it is asked again, and not only when the others have been waited for.
                Ok(Err(error)) => (failed, deadline) = (Some(error), deadline.min(Instant::now() + GRACE)),
                Err(error) => return Err(StoreError::Broken(error.to_string()).into()),
            }
        }
        Err(failed.map_or_else(|| ReadError::Content(StoreError::Broken(SILENT.to_owned())), ReadError::from))
    }

    pub(super) async fn statement(&self, sql: &'static str) -> Result<Statement, Error> {
        let known = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(prepared.entry(sql).or_insert(statement).clone())
    }

    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        self.client.query(&self.statement(sql).await?, values).await
    }

    pub(super) async fn execute(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        self.client.execute(&self.statement(sql).await?, values).await
    }
}

/// Connects to one host, in the way that is asked for.
async fn enter(
    host: Config,
    encryption: Encryption,
    hear: impl Fn(AsyncMessage) + Clone + Send + 'static,
) -> Result<Client, Error> {
    if host.get_ssl_mode() == SslMode::Disable {
        return drive(&host, NoTls, hear).await;
    }
    let is_preferred = encryption.need == Need::Preferred;
    match drive(&host, Tls(encryption), hear.clone()).await {
        Err(error) if is_preferred && may_do_without(&error) => {
            drive(host.clone().ssl_mode(SslMode::Disable), NoTls, hear).await
        }
        connected => connected,
    }
}

/// Connects, and drives the connection by a task of its own. What it fails with is told to whoever waits for an answer; what the
/// server says by itself goes to `hear`.
async fn drive<T>(
    config: &Config,
    tls: T,
    hear: impl Fn(AsyncMessage) + Send + 'static,
) -> Result<Client, Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let (client, mut connection) = config.connect(tls).await?;
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            hear(message);
        }
    });
    Ok(client)
}

/// Whether a connection that need not be encrypted is tried again without: the handshake failed, or the server lets nobody
/// in this way.
fn may_do_without(error: &Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
        || matches!(error.source().and_then(|source| source.downcast_ref()), Some(TlsError::Handshake(_)))
}

/// Something to be done on a session. It is on the heap because the compiler can't yet see that what an asynchronous closure
/// gives back may move between threads.
pub(super) type Work<'s, T> = Pin<Box<dyn Future<Output = Result<T, ReadError>> + Send + 's>>;

/// What a reader failed with.
pub(super) enum ReadError {
    /// The database, or the way to it.
    Database(Error),
    /// What it holds.
    Content(StoreError),
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Content(error)
    }
}

impl ReadError {
    pub(super) fn into_failure(self) -> StoreError {
        match self {
            Self::Database(error) => failure(&error),
            Self::Content(error) => error,
        }
    }
}

/// Sessions for readers: made when they are needed, and kept while they work.
pub(super) struct Readers {
    address: Address,
    places: Semaphore,
    idle: Mutex<Idle>,
}

/// Sessions that wait to be used.
#[derive(Default)]
struct Idle {
    /// How often all of them were thrown away.
    round: u64,
    sessions: Vec<Session>,
}

impl Idle {
    fn take(&mut self) -> (u64, Option<Session>) {
        (self.round, self.sessions.pop())
    }

    fn put_back(&mut self, round: u64, session: Session) {
        if round == self.round {
            self.sessions.push(session);
        }
    }
}

impl Readers {
    pub(super) fn new(address: Address) -> Self {
        Self { address, places: Semaphore::new(READERS), idle: Mutex::default() }
    }

    /// Runs a query. A reading changes nothing, so one whose connection broke is tried again: on the other sessions that
    /// were kept, which may have broken with it, and in the end on a new one, which may break while it is made.
    pub(super) async fn read<T>(
        &self,
        query: impl for<'s> Fn(&'s Session) -> Work<'s, T> + Sync,
    ) -> Result<T, StoreError> {
        let _place = self.places.acquire().await.map_err(|error| StoreError::Broken(error.to_string()))?;
        for _ in 0..=READERS {
            let (round, idle) = self.idle().take();
            let idle = idle.filter(|session| !session.client.is_closed());
            let session = match idle {
                Some(session) => session,
                None => match Session::connect(&self.address).await {
                    Ok(session) => session,
                    Err(ReadError::Database(error)) if is_lost(&error) && !has_timed_out(&error) => continue,
                    Err(error) => return Err(error.into_failure()),
                },
            };
            match query(&session).await {
                Err(ReadError::Database(error)) if is_lost(&error) => {}
                answered => {
                    // A transaction that broke off halfway ends with its session.
                    if answered.is_ok() {
                        self.idle().put_back(round, session);
                    }
                    return answered.map_err(ReadError::into_failure);
                }
            }
        }
        Err(StoreError::Broken("the connection to the database breaks again and again".to_owned()))
    }

    /// A session of one's own.
    pub(super) async fn fresh(&self) -> Result<Session, StoreError> {
        Session::connect(&self.address).await.map_err(ReadError::into_failure)
    }

    /// Throws away every session, also those in use, once they are not: they may lead to a database that was replaced.
    pub(super) fn throw_away(&self) {
        let mut idle = self.idle();
        idle.round += 1;
        idle.sessions.clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause before another attempt: short at first, never long.
pub(super) async fn pause(attempt: u32) {
    let millis = 10_u64.saturating_mul(1 << attempt.min(6)).min(500);
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
