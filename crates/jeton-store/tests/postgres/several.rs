//! Several on one database, as the nodes of a cluster will be: nothing is lost, and revisions stay dense.

use std::sync::Barrier;

use jeton_core::change::{Change, Revision};
use jeton_store::{Postgres, Store, StoreError};
use pollster::block_on;

use crate::cluster::Database;
use crate::issuer::{Issuer, check};

#[test]
fn two_adapters_that_commit_at_once_lose_nothing() {
    let Some(database) = Database::new() else { return };
    let stores = [database.open_shared(), database.open_shared()];
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
            database.open_shared()
        };
        let starting: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
        starting.into_iter().map(|store| store.join().unwrap()).collect()
    });
    assert_eq!(database.sql("SELECT number FROM jeton_migrations ORDER BY number"), ["0", "1"]);
    Issuer::found(&stores[5]);
    assert_eq!(check(&stores[0]), Revision::new(3));
}

/// One that believes to be alone stops at the first sign that it is not: its index does not know what others wrote.
#[test]
fn one_that_is_not_alone_any_more_writes_nothing() {
    let Some(database) = Database::new() else { return };
    let alone = database.open();
    let mut issuer = Issuer::found(&alone);
    let other = database.open_shared();
    let last = issuer.issue(&other, 1);
    let told = "this database is not where this jeton left it: another one has written to it, or it went back in time; stop \
                the other one, and start this one again"
        .to_owned();
    for _ in 0..2 {
        assert_eq!(issuer.try_issue(&alone, 2), Err(StoreError::Broken(told.clone())));
    }
    assert_eq!(check(&other), last);
}
