//! The storage port, and the adapters behind it.
//!
//! The port is small on purpose. It commits proposals, hands over a snapshot and the change log, reads records by id,
//! and that is nearly all: what is asked on a hot path is answered by the index in memory, and what is decided is
//! decided by rules that never see a database.
//!
//! An adapter is right when it passes [`conformance`], which is written against the port alone.

pub mod archive;
#[cfg(feature = "conformance")]
pub mod conformance;
mod encoding;
mod migrations;
pub mod postgres;
pub mod shared;
pub mod sqlite;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use jeton_core::change::{Change, Expectation, Proposal, Revision};
use jeton_core::id::{AccountId, MemberId, TokenId};
use jeton_core::member::Member;
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::Token;

pub use archive::Archive;
pub use migrations::Unfit;
pub use postgres::Postgres;
pub use shared::SharedStore;
pub use sqlite::Sqlite;

/// What a store gives back: ready at once where the database is in the process.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Where records and the change log are kept.
///
/// The embedded adapter answers inline: its futures are ready when they are first polled, and polling them may take the
/// time of a disk. Commits belong on a thread of their own; single reads are short enough for any. An adapter for a database
/// on another machine answers later; whoever waits for it needs no runtime, so a plain thread may.
pub trait Store: Send + Sync {
    /// Commits a group of proposals in one transaction, in order.
    ///
    /// Each proposal whose expectations hold takes the next revision, and its rows and its log entry are written
    /// together. One whose expectations don't hold is left out, and the others go on. Each sees what those before it
    /// wrote. When this answers, all of it is durable; when it fails, none of it was written.
    fn commit(&self, proposals: Vec<Proposal>) -> Answer<'_, Vec<Outcome>>;

    /// Hands over every record that an index is built from, as of one instant, and gives back what the log ended with at
    /// that instant. `announce` is called first, with the number of tokens to come.
    fn snapshot<'a>(
        &'a self,
        announce: &'a mut (dyn FnMut(u64) + Send),
        sink: &'a mut (dyn FnMut(Record) + Send),
    ) -> Answer<'a, Head>;

    /// The changes after a revision, in order, at most `limit` of them. Where the next one was forgotten, what comes back
    /// begins with a later one.
    fn changes(&self, after: Revision, limit: usize) -> Answer<'_, Vec<Change>>;

    /// Forgets the oldest changes, at most `limit` of them: from the beginning of the log up to the first that was not
    /// decided before this instant, and never the last of all. Gives back how many. What is left is dense as before,
    /// and no record changes.
    fn compact(&self, before: Timestamp, limit: usize) -> Answer<'_, usize>;

    /// One token.
    fn token(&self, account: AccountId, id: TokenId) -> Answer<'_, Option<StoredToken>>;

    /// Tokens by id, in the order of the ids; those that don't exist are left out.
    fn tokens<'a>(&'a self, account: AccountId, ids: &'a [TokenId]) -> Answer<'a, Vec<StoredToken>>;

    /// One member, whatever their standing.
    fn member(&self, account: AccountId, id: MemberId) -> Answer<'_, Option<Member>>;

    /// The members with this e-mail address, in every account, without regard to case.
    fn members_by_email<'a>(&'a self, email: &'a str) -> Answer<'a, Vec<Member>>;

    /// Notes when tokens were last used and members last here, in one transaction. It is not part of the log, and an
    /// instant never goes backwards.
    fn touch<'a>(
        &'a self,
        used: &'a [(TokenId, Timestamp)],
        present: &'a [(MemberId, Presence)],
    ) -> Answer<'a, ()>;

    /// When members were last here, in every account: of those who were since this instant, or ever, in any order.
    fn presences(&self, since: Option<Timestamp>) -> Answer<'_, Vec<(MemberId, Presence)>>;

    /// Binds the database to a server key by its fingerprint. `true` if it is bound to this one, now or already.
    fn bind_key(&self, fingerprint: [u8; 32]) -> Answer<'_, bool>;

    /// Writes a consistent copy to a new file, while others read and write.
    fn backup<'a>(&'a self, to: &'a Path) -> Answer<'a, ()>;
}

/// Where the log ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// The last revision.
    pub revision: Revision,
    /// The change that it stands for: two databases may have the same revision of different pasts. `None` if nothing was
    /// ever committed.
    pub change: Option<Change>,
}

/// What became of a proposal.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "one a proposal, moved twice")]
pub enum Outcome {
    /// It was committed, as this change.
    Committed(Change),
    /// Nothing was written: this no longer holds.
    Stale(Expectation),
    /// Nothing was written: a record with this id, number, e-mail address or key exists already.
    Duplicate,
}

impl Outcome {
    /// The change, if there is one.
    pub const fn change(&self) -> Option<&Change> {
        match self {
            Self::Committed(change) => Some(change),
            Self::Stale(_) | Self::Duplicate => None,
        }
    }
}

/// A token as it is stored, with what is known of its use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredToken {
    /// The record.
    pub token: Token,
    /// When it was last used; `None` for never. May be some seconds behind.
    pub last_used_at: Option<Timestamp>,
}

/// When a member was last here. Kept beside the record and not in it: it is no change, and nothing is decided on it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Presence {
    /// When they logged in, or one of their personal tokens or logins was used; `None` for never.
    pub last_seen_at: Option<Timestamp>,
    /// When they logged in; `None` for never.
    pub last_login_at: Option<Timestamp>,
}

impl Presence {
    /// The later of each instant.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self {
            last_seen_at: self.last_seen_at.max(other.last_seen_at),
            last_login_at: self.last_login_at.max(other.last_login_at),
        }
    }
}

/// The machinery broke. The text is for the operator's log, not for clients.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room left.
    #[error("the disk with the database is full: {0}")]
    Full(String),
    /// The database does not answer, or not properly.
    #[error("the database failed: {0}")]
    Broken(String),
    /// Something stored can't be understood.
    #[error("the database holds something that this version of jeton cannot read: {0}")]
    Unreadable(String),
}
