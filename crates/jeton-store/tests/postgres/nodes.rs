//! The nodes that share a database: what the service's protocol rests on.

use std::time::Duration;

use jeton_core::change::Revision;
use jeton_store::shared::{Beat, Joined, Node, NodeId, Tail};
use jeton_store::{Postgres, SharedStore, StoreError};
use pollster::block_on;

use crate::cluster::Database;
use crate::issuer::Issuer;

const LEASE: Duration = Duration::from_secs(5);

fn node(number: u8) -> Node {
    Node {
        id: NodeId::new([number; 8]),
        name: format!("node {number}"),
        address: "127.0.0.1:8080".to_owned(),
        version: "0.1.0".to_owned(),
        lease: LEASE,
    }
}

fn beat(number: u64, revision: u64) -> Beat {
    Beat { number, revision: Revision::new(revision), awaited: false }
}

fn tail(store: &Postgres, node: &Node, beat: Option<Beat>, after: u64, limit: usize) -> Tail {
    block_on(store.tail(node, beat, Revision::new(after), limit)).unwrap()
}

fn revisions(tail: &Tail) -> Vec<u64> {
    tail.changes.iter().map(|change| change.revision.number()).collect()
}

/// The number and the revision of each node's last beat.
fn beats(tail: &Tail) -> Vec<(NodeId, u64, u64)> {
    tail.nodes.iter().map(|row| (row.node, row.beat, row.revision.number())).collect()
}

#[test]
fn a_node_is_seen_from_its_registration_until_it_is_struck_out() {
    let Some(database) = Database::new() else { return };
    let (here, there) = (database.open(), database.open());
    let (one, two) = (node(1), node(2));
    assert_eq!(block_on(here.join(&one)), Ok(Joined::Registered));
    assert_eq!(block_on(there.join(&two)), Ok(Joined::Registered));
    assert_eq!(beats(&tail(&here, &one, None, 0, 10)), [(one.id, 0, 0), (two.id, 0, 0)]);
    assert_eq!(beats(&tail(&here, &one, Some(beat(1, 7)), 0, 10)), [(one.id, 1, 7), (two.id, 0, 0)]);
    let rows = block_on(there.nodes()).unwrap().rows;
    assert_eq!((rows[0].name.as_str(), rows[0].address.as_str()), ("node 1", "127.0.0.1:8080"));
    assert!(rows[0].beat_at >= rows[0].joined_at);

    block_on(there.strike_out(one.id, Some(0))).unwrap();
    assert_eq!(block_on(there.nodes()).unwrap().rows.len(), 2, "it has beaten since");
    block_on(there.strike_out(one.id, Some(1))).unwrap();
    block_on(there.strike_out(two.id, None)).unwrap();
    assert_eq!(block_on(there.nodes()).unwrap().rows, []);
    // Whoever was struck out while it slept is there again before it reads anything.
    assert_eq!(beats(&tail(&here, &one, Some(beat(2, 7)), 0, 10)), [(one.id, 2, 7)]);
}

#[test]
fn the_tail_begins_with_what_is_known() {
    let Some(database) = Database::new() else { return };
    let store = database.open();
    let one = node(1);
    block_on(store.join(&one)).unwrap();
    assert_eq!(revisions(&tail(&store, &one, None, 0, 10)), [0; 0]);
    let mut issuer = Issuer::found(&store);
    issuer.issue(&store, 3);
    assert_eq!(revisions(&tail(&store, &one, None, 0, 10)), [1, 2, 3, 4, 5, 6]);
    assert_eq!(revisions(&tail(&store, &one, None, 4, 10)), [4, 5, 6]);
    assert_eq!(
        revisions(&tail(&store, &one, None, 2, 1)),
        [2, 3],
        "one more than the limit, with what is known"
    );
    assert_eq!(revisions(&tail(&store, &one, None, 6, 10)), [6]);
    assert_eq!(revisions(&tail(&store, &one, None, 7, 10)), [0; 0], "this log ends before");
    let now = tail(&store, &one, None, 0, 10).now;
    assert!(tail(&store, &one, None, 0, 10).now >= now && now.as_millis() > 1_700_000_000_000);
}

#[test]
fn all_live_by_one_lease() {
    let Some(database) = Database::new() else { return };
    let store = database.open();
    let longer = Node { lease: LEASE * 2, ..node(2) };
    assert_eq!(block_on(store.join(&node(1))), Ok(Joined::Registered));
    assert_eq!(block_on(store.join(&longer)), Ok(Joined::OtherLease(LEASE)));
    assert_eq!(block_on(store.nodes()).unwrap().rows.len(), 1);
    // Nodes that have been silent for some leases are in nobody's way.
    database.sql("UPDATE nodes SET beat_at = beat_at - 21000");
    assert_eq!(block_on(store.join(&longer)), Ok(Joined::Registered));
    let refused = block_on(store.tail(&node(1), Some(beat(1, 0)), Revision::ZERO, 10));
    let told = "the other nodes live by another --lease by now: start this one again with theirs".to_owned();
    assert_eq!(refused, Err(StoreError::Broken(told)));
}

#[test]
fn a_commit_and_an_awaited_beat_wake_the_others() {
    let Some(database) = Database::new() else { return };
    let (here, there) = (database.open(), database.open());
    for (store, node) in [(&here, node(1)), (&there, node(2))] {
        block_on(store.join(&node)).unwrap();
        // Whoever follows has a session that hears.
        tail(store, &node, None, 0, 10);
    }
    let forever = Duration::from_mins(10);
    let mut issuer = Issuer::found(&here);
    block_on(there.news(forever)).unwrap();
    issuer.issue(&here, 1);
    block_on(there.news(forever)).unwrap();
    let awaited = Beat { number: 1, revision: Revision::new(4), awaited: true };
    tail(&there, &node(2), Some(awaited), 0, 10);
    block_on(here.news(forever)).unwrap();
    here.wake();
    block_on(here.news(forever)).unwrap();
}

/// A primary that became a standby, and one that stands alone, take no beat: what is read there makes nobody fresh.
#[test]
fn nothing_is_read_where_a_beat_cannot_be_written() {
    let Some(database) = Database::new() else { return };
    let store = database.open();
    let one = node(1);
    block_on(store.join(&one)).unwrap();
    tail(&store, &one, Some(beat(1, 0)), 0, 10);
    database.sql(&format!("ALTER DATABASE \"{}\" SET default_transaction_read_only = on", database.name()));
    database.end_sessions();
    assert!(block_on(store.tail(&one, Some(beat(2, 0)), Revision::ZERO, 10)).is_err());
}

/// A new connection may lead to a database that has just taken over.
#[test]
fn the_first_commit_of_a_connection_waits_for_a_lease() {
    let Some(database) = Database::new() else { return };
    let mut issuer = Issuer::found(&database.open());
    let patience = Duration::from_millis(300);
    let begun = std::time::Instant::now();
    let store = block_on(Postgres::open(&database.address(), patience)).unwrap();
    issuer.issue(&store, 1);
    assert!(begun.elapsed() >= patience);
}
