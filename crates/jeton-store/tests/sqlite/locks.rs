//! One jeton to a database.

use jeton_store::{Sqlite, Store};
use pollster::block_on;

use crate::founded::{Place, check};

#[test]
fn a_second_jeton_is_told_who_has_the_database() {
    let place = Place::new();
    let (first, mut issuer) = place.founded();
    let path = place.database();
    assert_eq!(
        place.refusal(),
        format!(
            "the database {} is in use by another jeton (process 4711, listening on 127.0.0.1:8080): stop that one \
             first, or choose another data directory with --data-dir",
            path.display()
        )
    );
    let last = issuer.issue(&first, 1);
    assert_eq!(place.refusal(), place.refusal(), "and is told again, however often it asks");

    drop(first);
    let second = place.open();
    assert_eq!(check(&second), last);
}

#[test]
fn a_holder_that_says_nothing_holds_all_the_same() {
    let place = Place::new();
    let _silent = Sqlite::open(&place.database(), "").unwrap();
    assert!(
        place.refusal().contains("in use by another jeton (it has not said which)"),
        "{}",
        place.refusal()
    );
}

#[test]
fn the_last_holder_is_forgotten_by_the_next() {
    let place = Place::new();
    drop(Sqlite::open(&place.database(), "a long description of the process that was here first").unwrap());
    let _second = Sqlite::open(&place.database(), "the second").unwrap();
    assert!(place.refusal().contains("(the second)"), "{}", place.refusal());
}

/// A database that could not be opened is not held by whoever tried.
#[test]
fn a_failed_start_holds_nothing() {
    let place = Place::new();
    std::fs::write(place.database(), "not a database, but long enough to be taken for one at first sight")
        .unwrap();
    assert_eq!(place.refusal(), place.refusal());
    std::fs::remove_file(place.database()).unwrap();
    let store = place.open();
    assert!(block_on(store.bind_key([1; 32])).unwrap());
}
