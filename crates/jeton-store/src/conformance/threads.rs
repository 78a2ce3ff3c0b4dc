//! Cases about threads: commits come from wherever there is something to commit, and readers beside them.

use jeton_core::change::{Change, Revision};

use super::bench::{Bench, committed};
use super::fold::State;
use crate::Store;

const GROUPS: usize = 60;
const GROUP: usize = 3;

/// Commits groups of new tokens, and gives back the changes they became.
fn issue_many(mut bench: Bench<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    for _ in 0..GROUPS {
        let group = (0..GROUP).map(|_| bench.issuing()).collect();
        let outcomes = pollster::block_on(bench.commit(group)).unwrap();
        let group: Vec<Change> = outcomes.into_iter().map(committed).collect();
        let first = group[0].revision.number();
        let numbers: Vec<u64> = group.iter().map(|change| change.revision.number()).collect();
        assert_eq!(numbers, (first..).take(GROUP).collect::<Vec<_>>(), "a group is not mixed with another");
        changes.extend(group);
    }
    changes
}

pub(super) async fn two_threads_lose_nothing(store: &dyn Store) {
    let bench = Bench::set_up(store, 90).await;
    let (one, other) = (bench.beside(91), bench.beside(92));
    let (ones, others) = std::thread::scope(|scope| {
        let one = scope.spawn(|| issue_many(one));
        let other = scope.spawn(|| issue_many(other));
        (one.join().unwrap(), other.join().unwrap())
    });
    for changes in [&ones, &others] {
        assert!(changes.is_sorted_by_key(|change| change.revision), "each thread's groups keep their order");
    }
    let mut all: Vec<Change> = ones.into_iter().chain(others).collect();
    all.sort_by_key(|change| change.revision);
    assert_eq!(bench.log().await[2..], all, "every change that was answered is in the log, and no other");
    let tokens = 2 * GROUPS * GROUP;
    assert_eq!(bench.last().await, Revision::new(2 + tokens as u64));
    assert_eq!(State::of_snapshot(store).await.credentials.len(), tokens);
}

/// Every change here adds a token, so that a snapshot's revision tells how many it must hold.
pub(super) async fn a_snapshot_beside_a_writer_is_of_one_revision(store: &dyn Store) {
    let bench = Bench::set_up(store, 93).await;
    let writer = bench.beside(94);
    let seen = std::thread::scope(|scope| {
        let writer = scope.spawn(|| issue_many(writer));
        let mut seen = Vec::new();
        while !writer.is_finished() {
            seen.push(pollster::block_on(State::of_snapshot(store)));
        }
        writer.join().unwrap();
        seen.push(pollster::block_on(State::of_snapshot(store)));
        seen
    });
    for state in &seen {
        let tokens = usize::try_from(state.revision.number() - 2).unwrap();
        assert_eq!(state.credentials.len(), tokens, "as of {:?}", state.revision);
        assert_eq!(tokens % GROUP, 0, "a group is seen whole or not at all");
    }
    assert!(seen.is_sorted_by_key(|state| state.revision), "time does not run backwards");
    assert_eq!(seen.last().unwrap().revision, bench.last().await);
}
