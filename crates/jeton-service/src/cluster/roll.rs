//! The roll of the other nodes: what this one has seen of them, and whether they may still answer from what they knew before.

use std::collections::HashMap;
use std::time::Duration;

use jeton_core::change::Revision;
use jeton_store::shared::{NodeId, NodeRow};

/// A node that has not beaten for this long is struck out of the database, by whoever has watched it for so long.
const LONG_GONE: Duration = Duration::from_hours(1);

#[derive(Default)]
pub(crate) struct Roll {
    others: HashMap<NodeId, Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    beat: u64,
    /// When the answer came that first showed this beat. What made the node fresh was begun before.
    since: Duration,
    revision: Revision,
}

impl Roll {
    /// Takes down who is registered, from an answer that came at `at`.
    pub(crate) fn observe(&mut self, own: NodeId, rows: &[NodeRow], at: Duration) {
        let before = std::mem::take(&mut self.others);
        for row in rows.iter().filter(|row| row.node != own) {
            let same = before.get(&row.node).filter(|seen| seen.beat == row.beat);
            let since = same.map_or(at, |seen| seen.since);
            self.others.insert(row.node, Seen { beat: row.beat, since, revision: row.revision });
        }
    }

    /// How many others are registered.
    pub(crate) fn len(&self) -> usize {
        self.others.len()
    }

    /// Whether nobody can answer any more from what was known before this revision, as the last answer showed it: each has
    /// taken it in, or has not beaten for a whole lease.
    pub(crate) fn is_past(&self, revision: Revision, now: Duration, lease: Duration) -> bool {
        self.others.values().all(|seen| seen.revision >= revision || now >= seen.since + lease)
    }

    /// Who is long gone, with their last beat.
    pub(crate) fn long_gone(&self, now: Duration) -> impl Iterator<Item = (NodeId, u64)> {
        let gone = move |(_, seen): &(&NodeId, &Seen)| now >= seen.since + LONG_GONE;
        self.others.iter().filter(gone).map(|(node, seen)| (*node, seen.beat))
    }
}
