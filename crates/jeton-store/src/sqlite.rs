//! The embedded store: one SQLite file, for one jeton.
//!
//! Write-ahead log, `synchronous=FULL`, foreign keys. One connection writes, and commits a whole group of proposals with
//! one fsync; a few others read beside it, each reading what was last committed. The file is locked for the life of the
//! process, because a second jeton on it would follow a log it doesn't see.

mod archive;
mod backup;
mod error;
mod lock;
mod migrate;
mod read;
mod recent;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use jeton_core::change::{Change, Proposal, Revision};
use jeton_core::id::{AccountId, MemberId, TokenId};
use jeton_core::member::Member;
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::archive::{Archive, Inventory, Item, Place, Progress, Step};
use crate::{Answer, Head, Outcome, Presence, Store, StoreError, StoredToken};
use lock::Lock;
use recent::Recent;
use write::Writer;

pub use backup::backup;
pub use error::OpenError;

/// Each reader keeps this much of the file in memory.
const READER_CACHE_KIB: i64 = 2048;
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Pages in the write-ahead log before they are carried into the file. A checkpoint costs some milliseconds, in which
/// commits wait: rather seldom than often.
const CHECKPOINT_PAGES: i64 = 4000;

/// The embedded store.
pub struct Sqlite {
    // Closed before the writer: the last connection to close carries the write-ahead log into the file and removes it,
    // which one that only reads can't. A log that stayed behind would be replayed into a backup that is copied back.
    readers: Vec<Mutex<Connection>>,
    writer: Mutex<Writer>,
    recent: Recent,
    path: PathBuf,
    _lock: Option<Lock>,
}

impl Sqlite {
    /// Opens the database, makes it if there is none, and brings its schema up to date.
    ///
    /// `holder` describes this process to whoever finds the database taken, e.g. `process 4711, listening on …`.
    ///
    /// # Errors
    /// [`OpenError`], each saying what to do.
    pub fn open(path: &Path, holder: &str) -> Result<Self, OpenError> {
        let lock = Lock::take(path, holder)?;
        let mut connection =
            connect(path, OpenFlags::default()).map_err(|source| OpenError::open(path, &source))?;
        // SQLite opens what it may not write all the same, and would leave files of its own beside it.
        if connection.is_readonly(MAIN_DB).map_err(|source| OpenError::open(path, &source))? {
            return Err(OpenError::permission(path, "it can only be read"));
        }
        // Before anything is set: a file of somebody else's stays as it is.
        migrate::check_application(&connection, path)?;
        prepare_writer(&connection).map_err(|source| OpenError::open(path, &source))?;
        migrate::migrate(&mut connection, path)?;
        let readers = std::thread::available_parallelism().map_or(4, usize::from).clamp(2, 8);
        let reader = || {
            let connection =
                connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
            Ok(Mutex::new(connection))
        };
        let readers: rusqlite::Result<Vec<_>> = std::iter::repeat_with(reader).take(readers).collect();
        let readers = readers.map_err(|source| OpenError::open(path, &source))?;
        Self::with(connection, readers, path, Some(lock))
    }

    /// A database that lives in memory and is gone with the process, for tests.
    ///
    /// # Errors
    /// Only if SQLite can't get memory.
    pub fn in_memory() -> Result<Self, OpenError> {
        let path = Path::new(":memory:");
        let mut connection = Connection::open_in_memory().map_err(|source| OpenError::open(path, &source))?;
        prepare_writer(&connection).map_err(|source| OpenError::open(path, &source))?;
        migrate::migrate(&mut connection, path)?;
        Self::with(connection, Vec::new(), path, None)
    }

    fn with(
        connection: Connection,
        readers: Vec<Mutex<Connection>>,
        path: &Path,
        lock: Option<Lock>,
    ) -> Result<Self, OpenError> {
        let writer = Writer::new(connection).map_err(|source| OpenError::open(path, &source))?;
        Ok(Self {
            readers,
            writer: Mutex::new(writer),
            recent: Recent::default(),
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a query on whichever reader is free. In memory there is only the writer to ask.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let free = self.readers.iter().find_map(|reader| match reader.try_lock() {
            Ok(reader) => Some(reader),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        match (free, self.readers.first()) {
            (Some(reader), _) => query(&reader),
            (None, Some(reader)) => query(&reader.lock().unwrap_or_else(PoisonError::into_inner)),
            (None, None) => query(self.writer().connection()),
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    // Only a backup or an operator's shell ever competes, and only for moments.
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn prepare_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
}

/// An answer that is there already.
fn ready<'a, T: Send + 'a>(work: impl FnOnce() -> Result<T, StoreError> + Send + 'a) -> Answer<'a, T> {
    Box::pin(async move { work() })
}

impl Store for Sqlite {
    fn commit(&self, proposals: Vec<Proposal>) -> Answer<'_, Vec<Outcome>> {
        ready(move || {
            let mut writer = self.writer();
            let _changing = self.recent.changing(&proposals);
            writer.commit(&proposals)
        })
    }

    fn snapshot<'a>(
        &'a self,
        announce: &'a mut (dyn FnMut(u64) + Send),
        sink: &'a mut (dyn FnMut(Record) + Send),
    ) -> Answer<'a, Head> {
        ready(move || self.read(|connection| read::snapshot(connection, announce, sink)))
    }

    fn changes(&self, after: Revision, limit: usize) -> Answer<'_, Vec<Change>> {
        ready(move || self.read(|connection| read::changes(connection, after, limit)))
    }

    fn compact(&self, before: Timestamp, limit: usize) -> Answer<'_, usize> {
        ready(move || self.writer().compact(before, limit))
    }

    fn token(&self, account: AccountId, id: TokenId) -> Answer<'_, Option<StoredToken>> {
        ready(move || {
            let turn = match self.recent.get(account, id) {
                Ok(stored) => return Ok(Some(stored)),
                Err(turn) => turn,
            };
            let found = self.read(|connection| read::token(connection, account, id))?;
            if let Some(stored) = &found {
                self.recent.put(turn, stored);
            }
            Ok(found)
        })
    }

    fn tokens<'a>(&'a self, account: AccountId, ids: &'a [TokenId]) -> Answer<'a, Vec<StoredToken>> {
        ready(move || self.read(|connection| read::tokens(connection, account, ids)))
    }

    fn member(&self, account: AccountId, id: MemberId) -> Answer<'_, Option<Member>> {
        ready(move || self.read(|connection| read::member(connection, account, id)))
    }

    fn members_by_email<'a>(&'a self, email: &'a str) -> Answer<'a, Vec<Member>> {
        ready(move || self.read(|connection| read::members_by_email(connection, email)))
    }

    fn touch<'a>(
        &'a self,
        used: &'a [(TokenId, Timestamp)],
        present: &'a [(MemberId, Presence)],
    ) -> Answer<'a, ()> {
        ready(move || {
            let mut writer = self.writer();
            let _changing = self.recent.changing_these(used.iter().map(|(id, _)| *id));
            writer.touch(used, present)
        })
    }

    fn presences(&self, since: Option<Timestamp>) -> Answer<'_, Vec<(MemberId, Presence)>> {
        ready(move || self.read(|connection| read::presences(connection, since)))
    }

    fn bind_key(&self, fingerprint: [u8; 32]) -> Answer<'_, bool> {
        ready(move || self.writer().bind_key(fingerprint))
    }

    fn backup<'a>(&'a self, to: &'a Path) -> Answer<'a, ()> {
        ready(move || {
            self.read(|connection| {
                backup::copy(connection, to).map_err(|error| StoreError::Broken(error.to_string()))
            })
        })
    }
}

impl Archive for Sqlite {
    fn arriving(&self) -> Answer<'_, Option<Progress>> {
        ready(move || self.read(archive::arriving))
    }

    fn inventory(&self) -> Answer<'_, Inventory> {
        ready(move || self.read(archive::inventory))
    }

    fn page<'a>(&'a self, place: &'a Place, limit: usize) -> Answer<'a, Vec<Item>> {
        ready(move || self.read(|connection| archive::page(connection, place, limit)))
    }

    fn take(&self, step: Step) -> Answer<'_, ()> {
        ready(move || self.writer().aside(|connection| archive::take(connection, &step)))
    }
}
