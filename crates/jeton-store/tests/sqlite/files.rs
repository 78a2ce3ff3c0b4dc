//! The file: found again as it was left, and refused with a reason when it is not what it should be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jeton_core::change::{Change, Event, Revision};
use jeton_core::timestamp::Timestamp;
use jeton_store::{Presence, Sqlite, Store, StoreError};
use pollster::block_on;
use rusqlite::Connection;

use crate::founded::{Place, check, open};

#[test]
fn everything_is_there_after_a_restart() {
    let place = Place::new();
    let (store, mut issuer) = place.founded();
    let last = issuer.issue(&store, 5);
    assert!(block_on(store.bind_key([1; 32])).unwrap());
    let log = block_on(store.changes(Revision::ZERO, 100)).unwrap();
    let Change { account, event: Event::TokenIssued { token }, .. } = &log[4] else { panic!("{log:?}") };
    block_on(store.touch(&[(token.id, Timestamp::from_millis(77))], &[])).unwrap();
    let stored = block_on(store.token(*account, token.id)).unwrap();
    assert_eq!(store.path(), place.database());
    drop(store);

    let store = place.open();
    assert_eq!(check(&store), last);
    assert_eq!(block_on(store.changes(Revision::ZERO, 100)).unwrap(), log);
    assert_eq!(block_on(store.token(*account, token.id)).unwrap(), stored);
    assert!(!block_on(store.bind_key([2; 32])).unwrap(), "it is still bound to its key");
    assert_eq!(issuer.issue(&store, 1), last.next(), "and goes on with the next revision");
}

/// What is known of the tokens of a member is known of the member, from the first start of a jeton that asks.
#[test]
fn an_older_database_tells_when_members_were_last_here() {
    let place = Place::new();
    let (store, mut issuer) = place.founded();
    issuer.issue(&store, 2);
    let log = block_on(store.changes(Revision::ZERO, 100)).unwrap();
    let used = (77..).zip(&log).filter_map(|(at, change)| match &change.event {
        Event::TokenIssued { token } => Some((token.id, Timestamp::from_millis(at))),
        _ => None,
    });
    let used: Vec<_> = used.collect();
    let (last_seen_at, last_login_at) = (used.last().map(|(_, at)| *at), None);
    block_on(store.touch(&used, &[])).unwrap();
    let Event::MemberAdded { member } = &log[1].event else { panic!("{log:?}") };
    drop(store);
    tamper(
        &place.database(),
        "ALTER TABLE members DROP COLUMN last_seen_at; ALTER TABLE members DROP COLUMN last_login_at;
         DELETE FROM migrations WHERE number > 2",
    );

    let found = block_on(place.open().presences(None)).unwrap();
    assert_eq!(found, [(member.id, Presence { last_seen_at, last_login_at })]);
}

#[test]
fn nothing_but_the_database_is_left_after_a_stop() {
    let place = Place::new();
    let (store, mut issuer) = place.founded();
    issuer.issue(&store, 5);
    drop(store);
    let log = place.file("jeton.db-wal");
    assert!(
        !log.exists(),
        "a write-ahead log that stays would be replayed into whatever is copied in its place"
    );

    // So the file alone is the whole database.
    fs::copy(place.database(), place.file("copy.db")).unwrap();
    assert_eq!(check(&open(&place.file("copy.db"))), Revision::new(8));
}

#[test]
fn an_empty_file_is_a_new_database() {
    let place = Place::new();
    fs::write(place.database(), "").unwrap();
    let (store, _) = place.founded();
    assert_eq!(check(&store), Revision::new(3));
}

#[test]
fn the_log_is_written_ahead() {
    let place = Place::new();
    let (_store, _) = place.founded();
    let mode: String = Connection::open(place.database())
        .unwrap()
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn a_database_of_a_newer_jeton_is_refused() {
    let place = Place::new();
    drop(place.founded());
    tamper(&place.database(), "INSERT INTO migrations VALUES (7, 'things to come', 'abc')");
    let before = fs::read(place.database()).unwrap();
    assert_eq!(
        place.refusal(),
        format!(
            "the database {} was written by a newer version of jeton (its schema is 7, this version knows up to 3): \
             start that version, or restore a backup that was made before the upgrade",
            place.database().display()
        )
    );
    assert!(fs::read(place.database()).unwrap() == before, "it was not touched");
}

#[test]
fn a_database_of_another_build_is_refused() {
    let place = Place::new();
    drop(place.founded());
    tamper(&place.database(), "UPDATE migrations SET sha256 = 'abc' WHERE number = 1");
    assert_eq!(
        place.refusal(),
        format!(
            "the database {} was migrated by a build of jeton that differs from this one (migration 1 foundation is \
             not the same): use a released version",
            place.database().display()
        )
    );
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_was() {
    let place = Place::new();
    let path = place.database();
    let refused = format!(
        "{} is not a database of jeton: choose another file with --database, or move this one away",
        path.display()
    );
    let sqlite_of_others = ["CREATE TABLE songs (title TEXT)", "PRAGMA application_id = 1"];
    for sql in sqlite_of_others {
        tamper(&path, sql);
        let before = fs::read(&path).unwrap();
        assert_eq!(place.refusal(), refused, "{sql}");
        assert!(fs::read(&path).unwrap() == before, "{sql}: it was not touched");
        assert!(!place.file("jeton.db-wal").exists(), "{sql}: nothing was put beside it");
        fs::remove_file(&path).unwrap();
    }
    let binary = [0xff; 5000];
    for bytes in ["short".as_bytes(), &b"a longer text\n".repeat(1000), &binary] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(place.refusal(), refused);
        assert_eq!(fs::read(&path).unwrap(), bytes, "it was not touched");
    }
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let place = Place::new();
    let path = place.file("missing").join("jeton.db");
    let Err(error) = Sqlite::open(&path, "a test") else { panic!("this should not have opened") };
    assert_eq!(
        error.to_string(),
        format!(
            "the database {}.lock cannot be opened: No such file or directory (os error 2); check that this user may \
             write to its directory",
            path.display()
        )
    );
}

#[test]
fn a_directory_in_place_of_the_file_is_refused() {
    let place = Place::new();
    fs::create_dir(place.database()).unwrap();
    let refusal = place.refusal();
    assert!(refusal.starts_with(&format!("the database {} cannot be opened: ", place.database().display())));
    assert!(refusal.ends_with("check that this user may read and write it and its directory"), "{refusal}");
}

#[test]
fn a_place_without_permission_is_refused_with_a_hint() {
    let place = Place::new();
    drop(place.founded());
    let cases = [
        (place.file("."), 0o555, "check that this user may write to its directory"),
        (place.database(), 0o000, "check that this user may read and write it and its directory"),
        (place.database(), 0o444, "check that this user may read and write it and its directory"),
    ];
    fs::remove_file(place.file("jeton.db.lock")).unwrap();
    for (path, mode, hint) in cases {
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let may_everything = path.is_dir() && fs::write(path.join("probe"), "").is_ok()
            || path.is_file() && fs::File::options().write(true).open(&path).is_ok();
        let refusal = (!may_everything).then(|| place.refusal());
        fs::set_permissions(&path, before).unwrap();
        match refusal {
            Some(refusal) => assert!(refusal.ends_with(hint), "{mode:o}: {refusal}"),
            None => {
                eprintln!("SKIPPED: mode {mode:o} on {path:?}: permissions do not bind this user (root?)");
            }
        }
    }
    assert_eq!(check(&place.open()), Revision::new(3), "with the permissions back it opens");
}

#[test]
fn what_cannot_be_understood_is_said_to_be_so() {
    let place = Place::new();
    drop(place.founded());
    tamper(&place.database(), "UPDATE tokens SET kind = 'celestial'");
    let store = place.open();
    let answer = block_on(store.snapshot(&mut |_| {}, &mut |_| {}));
    assert_eq!(answer, Err(StoreError::Unreadable("kind of a token".to_owned())));
    tamper(&place.database(), "UPDATE changes SET event = 'token.enchanted' WHERE revision = 3");
    let answer = block_on(store.changes(Revision::new(2), 1));
    assert_eq!(answer, Err(StoreError::Unreadable("change of the kind \"token.enchanted\"".to_owned())));
}

/// Does to a database what jeton would not.
fn tamper(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}
