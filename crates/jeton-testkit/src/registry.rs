//! Who shares a store, where all of them are in one process: what a database keeps of the nodes of a cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jeton_core::change::Revision;
use jeton_service::Clock as _;
use jeton_store::shared::{Beat, Joined, Node, NodeId, NodeRow, Nodes, SharedStore, Tail};
use jeton_store::{Answer, Store as _};

use crate::{FakeClock, Unreliable};

/// The nodes that share a store, and its clock.
#[derive(Default)]
pub struct Registry {
    /// The database's clock.
    pub clock: Arc<FakeClock>,
    rows: Mutex<BTreeMap<NodeId, NodeRow>>,
}

impl Registry {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<NodeId, NodeRow>> {
        self.rows.lock().unwrap()
    }

    fn beat(&self, node: &Node, beat: Beat) {
        let now = self.clock.now();
        let Node { name, address, version, .. } = node.clone();
        let mut rows = self.rows();
        let joined_at = rows.get(&node.id).map_or(now, |row| row.joined_at);
        let (node, revision, beat) = (node.id, beat.revision, beat.number);
        rows.insert(node, NodeRow { node, name, address, version, joined_at, beat, beat_at: now, revision });
    }
}

/// Nobody waits for news here: a test takes every turn.
impl SharedStore for Unreliable {
    fn join<'a>(&'a self, node: &'a Node) -> Answer<'a, Joined> {
        Box::pin(async move {
            self.check()?;
            self.registry.beat(node, Beat { number: 0, revision: Revision::ZERO, awaited: false });
            Ok(Joined::Registered)
        })
    }

    fn tail<'a>(
        &'a self,
        node: &'a Node,
        beat: Option<Beat>,
        after: Revision,
        limit: usize,
    ) -> Answer<'a, Tail> {
        Box::pin(async move {
            self.check()?;
            if let Some(beat) = beat {
                self.registry.beat(node, beat);
            }
            let before = Revision::new(after.number().saturating_sub(1));
            Ok(Tail {
                changes: self.changes(before, limit + 1).await?,
                now: self.registry.clock.now(),
                nodes: self.nodes().await?.rows,
            })
        })
    }

    fn news(&self, _at_most: Duration) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn wake(&self) {}

    fn strike_out(&self, node: NodeId, beat: Option<u64>) -> Answer<'_, ()> {
        Box::pin(async move {
            self.check()?;
            let mut rows = self.registry.rows();
            if rows.get(&node).is_some_and(|row| beat.is_none_or(|beat| beat == row.beat)) {
                rows.remove(&node);
            }
            Ok(())
        })
    }

    fn nodes(&self) -> Answer<'_, Nodes> {
        Box::pin(async move {
            self.check()?;
            let rows = self.registry.rows().values().cloned().collect();
            Ok(Nodes { rows, head: Revision::ZERO, lease: None, now: self.registry.clock.now() })
        })
    }
}
