//! Several on one database, as the nodes of a cluster are: nothing is lost, and revisions stay dense.

use std::sync::Barrier;

use jeton_core::change::{Change, Revision};
use jeton_store::{Postgres, Store};
use pollster::block_on;

use crate::cluster::Database;
use crate::issuer::{Issuer, check};

#[test]
fn two_adapters_that_commit_at_once_lose_nothing() {
    let Some(database) = Database::new() else { return };
    let stores = [database.open(), database.open()];
    let mut issuer = Issuer::found(&stores[0]);
    let groups: [Vec<_>; 2] = std::array::from_fn(|_| (0..60).map(|_| issuer.proposals(3)).collect());
    let commit = |store: &Postgres, groups: &[Vec<_>]| -> Vec<Change> {
        let outcomes = groups.iter().flat_map(|group| block_on(store.commit(group.clone())).unwrap());
        outcomes.map(|outcome| outcome.change().cloned().unwrap()).collect()
    };
    let mut answered: Vec<Change> = std::thread::scope(|scope| {
        let one = scope.spawn(|| commit(&stores[0], &groups[0]));
        let other = scope.spawn(|| commit(&stores[1], &groups[1]));
        let (one, other) = (one.join().unwrap(), other.join().unwrap());
        for changes in [&one, &other] {
            assert!(changes.is_sorted_by_key(|change| change.revision));
        }
        one.into_iter().chain(other).collect()
    });
    answered.sort_by_key(|change| change.revision);
    assert_eq!(check(&stores[0]), Revision::new(3 + 2 * 60 * 3));
    assert_eq!(block_on(stores[1].changes(Revision::new(3), usize::MAX)).unwrap(), answered);
}

#[test]
fn many_that_start_at_once_migrate_once() {
    let Some(database) = Database::new() else { return };
    let barrier = Barrier::new(6);
    let stores: Vec<Postgres> = std::thread::scope(|scope| {
        let open = || {
            barrier.wait();
            database.open()
        };
        let starting: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
        starting.into_iter().map(|store| store.join().unwrap()).collect()
    });
    assert_eq!(database.sql("SELECT number FROM jeton_migrations ORDER BY number"), ["0", "1", "2"]);
    Issuer::found(&stores[5]);
    assert_eq!(check(&stores[0]), Revision::new(3));
}
