//! Backups: taken while the server runs, put back by copying.

use std::fs;
use std::path::Path;

use jeton_core::change::Revision;
use jeton_store::{Sqlite, Store, StoreError, conformance, sqlite};
use pollster::block_on;

use crate::founded::{Place, check, open};

fn boxed(path: &Path) -> Box<dyn Store> {
    Box::new(open(path))
}

#[test]
fn a_backup_of_a_file_is_a_copy_of_one_moment() {
    let place = Place::new();
    let store = place.open();
    block_on(conformance::a_backup_is_a_copy_of_one_moment(&store, &place.file("backup.db"), boxed));
}

#[test]
fn a_backup_of_memory_is_a_copy_of_one_moment() {
    let place = Place::new();
    let store = Sqlite::in_memory().unwrap();
    block_on(conformance::a_backup_is_a_copy_of_one_moment(&store, &place.file("backup.db"), boxed));
}

/// Both ways of taking one, from inside the server and from another process, while a thread writes; then the server
/// stops, and one of them is copied back.
#[test]
fn a_backup_beside_a_writer_is_restored_by_copying_it_back() {
    let place = Place::new();
    let (store, mut issuer) = place.founded();
    let taken: Vec<_> = std::thread::scope(|scope| {
        let writer = scope.spawn(|| (0..120).map(|_| issuer.issue(&store, 3)).last());
        let mut taken = Vec::new();
        while !writer.is_finished() && taken.len() < 40 {
            let (inside, outside) = (taken.len(), taken.len() + 1);
            let path = |number: usize| place.file(&format!("backup-{number}.db"));
            block_on(store.backup(&path(inside))).unwrap();
            sqlite::backup(&place.database(), &path(outside)).unwrap();
            taken.extend([path(inside), path(outside)]);
        }
        assert_eq!(writer.join().unwrap(), Some(Revision::new(3 + 360)));
        taken
    });
    let revisions: Vec<Revision> = taken.iter().map(|path| check(&open(path))).collect();
    assert!(revisions.is_sorted(), "a later backup holds no less: {revisions:?}");
    assert!(
        revisions.iter().all(|revision| revision.number() % 3 == 0),
        "a group is copied whole: {revisions:?}"
    );
    assert_eq!(check(&store), Revision::new(363), "and the database was not held up by it");

    drop(store);
    fs::copy(&taken[0], place.database()).unwrap();
    let store = place.open();
    assert_eq!(check(&store), revisions[0]);
    assert_eq!(issuer.issue(&store, 1), revisions[0].next());
}

#[test]
fn a_backup_overwrites_nothing() {
    let place = Place::new();
    let (store, _) = place.founded();
    for content in ["", "something that somebody needs"] {
        let path = place.file("backup.db");
        fs::write(&path, content).unwrap();
        let told = format!(
            "the database {} cannot be opened: it exists already: give the backup a new name",
            path.display()
        );
        assert_eq!(block_on(store.backup(&path)), Err(StoreError::Broken(told.clone())));
        assert_eq!(sqlite::backup(&place.database(), &path).unwrap_err().to_string(), told);
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn a_backup_of_nothing_or_to_nowhere_says_so() {
    let place = Place::new();
    let missing = place.file("missing.db");
    let error = sqlite::backup(&missing, &place.file("backup.db")).unwrap_err().to_string();
    assert!(error.ends_with("there is no such file: name the data directory with --data-dir"), "{error}");
    assert!(!missing.exists() && !place.file("backup.db").exists(), "nothing was made");

    let (store, _) = place.founded();
    let nowhere = place.file("no-directory").join("backup.db");
    assert!(matches!(block_on(store.backup(&nowhere)), Err(StoreError::Broken(_))));
    let error = sqlite::backup(&place.database(), &nowhere).unwrap_err().to_string();
    assert!(error.contains("no-directory"), "{error}");
    assert_eq!(check(&store), Revision::new(3));
}
