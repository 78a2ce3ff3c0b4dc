//! What a store offers where several nodes share it, beyond [`Store`]: to be one of them, and to follow what the others
//! commit.
//!
//! The protocol that rests on this is the service's. An adapter owes it four things. A beat that was answered is durable,
//! wherever a fail-over may lead. What [`SharedStore::tail`] reads was read after the beat in the same call was durable,
//! and holds everything that had been committed by then. A beat is refused by a database that takes no writes. And
//! [`SharedStore::news`] may be late or wrong: nothing but haste rests on it.

use std::fmt;
use std::time::Duration;

use jeton_core::change::{Change, Revision};
use jeton_core::timestamp::Timestamp;

use crate::{Answer, Store};

/// A store that several nodes share.
pub trait SharedStore: Store {
    /// Registers a node, durably, before it loads anything.
    fn join<'a>(&'a self, node: &'a Node) -> Answer<'a, Joined>;

    /// Writes a beat if there is one, then reads what follows `after`: the change with that revision, unless it was forgotten
    /// already, and at most `limit` later ones, or one more where it was. Nothing at all means that the log ends before.
    fn tail<'a>(
        &'a self,
        node: &'a Node,
        beat: Option<Beat>,
        after: Revision,
        limit: usize,
    ) -> Answer<'a, Tail>;

    /// Waits until another node may have written something, [`SharedStore::wake`] was called, or this much time has passed.
    fn news(&self, at_most: Duration) -> Answer<'_, ()>;

    /// Ends the waiting of whoever waits for news, or comes to wait next.
    fn wake(&self);

    /// Strikes out a node that answers nobody any more: one that ends, or one whose last beat was this for so long that it
    /// can't come back to the same.
    fn strike_out(&self, node: NodeId, beat: Option<u64>) -> Answer<'_, ()>;

    /// Every node that is registered, in the order of their names.
    fn nodes(&self) -> Answer<'_, Nodes>;
}

/// A node's name for as long as its process runs: drawn at its start, so that a second start is another node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 8]);

impl NodeId {
    /// Of random bytes.
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// As it is stored.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A node, as it describes itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Which start of it.
    pub id: NodeId,
    /// What people call it.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// The version that it runs.
    pub version: String,
    /// For how long after a beat it may answer: one and the same for all.
    pub lease: Duration,
}

/// What became of a node that wants to be one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Joined {
    /// It is registered.
    Registered,
    /// It is not: others are here that live by another lease, this one.
    OtherLease(Duration),
}

/// A sign of life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beat {
    /// One more than the last, from 1.
    pub number: u64,
    /// Up to where the node has taken in the changes.
    pub revision: Revision,
    /// Whether the others wait to hear it.
    pub awaited: bool,
}

/// A node, as it is registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeRow {
    /// Which start of it.
    pub node: NodeId,
    /// What people call it.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// The version that it runs.
    pub version: String,
    /// The number of its last beat.
    pub beat: u64,
    /// Up to where it had taken in the changes by then.
    pub revision: Revision,
    /// When it was registered, by the database's clock.
    pub joined_at: Timestamp,
    /// When it last beat, by the database's clock. For people to read: nothing is decided on it.
    pub beat_at: Timestamp,
}

/// Who shares the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nodes {
    /// Every node that is registered.
    pub rows: Vec<NodeRow>,
    /// The last revision of all.
    pub head: Revision,
    /// The lease that they live by. `None` if there never was a node.
    pub lease: Option<Duration>,
    /// The database's clock.
    pub now: Timestamp,
}

impl Nodes {
    /// Those that have beaten within the last few leases, by the database's clock. For people to go by: of a node that was
    /// stopped and goes on later nobody can say that it is gone.
    pub fn living(&self) -> impl Iterator<Item = &NodeRow> {
        const SILENT: u32 = 4;
        let silent = self.lease.unwrap_or_default() * SILENT;
        let since =
            self.now.as_millis().saturating_sub(i64::try_from(silent.as_millis()).unwrap_or(i64::MAX));
        self.rows.iter().filter(move |row| row.beat_at.as_millis() > since)
    }
}

/// The end of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tail {
    /// The change that was asked to be followed, if it is still there, and later ones, in order.
    pub changes: Vec<Change>,
    /// The database's clock.
    pub now: Timestamp,
    /// Every node that is registered.
    pub nodes: Vec<NodeRow>,
}
