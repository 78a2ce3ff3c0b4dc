//! Opening: as often as there are servers, and none of a database of somebody else or of a later version.

use std::time::Duration;

use jeton_core::change::{Event, Revision};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::Token;
use jeton_store::{Postgres, Store, StoreError};
use pollster::block_on;

use crate::cluster::Database;
use crate::issuer::{Issuer, check};

#[test]
fn everything_is_there_after_a_restart() {
    let Some(database) = Database::new() else { return };
    let store = database.open();
    let mut issuer = Issuer::found(&store);
    let last = issuer.issue(&store, 5);
    assert!(block_on(store.bind_key([1; 32])).unwrap());
    let log = block_on(store.changes(Revision::ZERO, 100)).unwrap();
    drop(store);

    let store = database.open();
    assert_eq!(check(&store), last);
    assert_eq!(block_on(store.changes(Revision::ZERO, 100)).unwrap(), log);
    assert!(!block_on(store.bind_key([2; 32])).unwrap(), "it is still bound to its key");
    assert_eq!(issuer.issue(&store, 1), last.next(), "and goes on with the next revision");
}

/// Schemas of one database are databases of their own.
#[test]
fn a_database_may_hold_one_in_each_schema() {
    let Some(database) = Database::new() else { return };
    database.sql("CREATE TABLE songs (title text); CREATE SCHEMA one; CREATE SCHEMA two");
    let open = |schema: &str| {
        let sockets = database.socket();
        let (name, sockets) = (database.name(), sockets.parent().unwrap().display());
        let address =
            format!("postgres:///{name}?host={sockets}&user=postgres&options=-csearch_path%3D{schema}");
        block_on(Postgres::open(&address.parse().unwrap(), Duration::ZERO)).unwrap()
    };
    let (one, two) = (open("one"), open("two"));
    Issuer::found(&one);
    assert_eq!((check(&one), check(&two)), (Revision::new(3), Revision::ZERO));
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_was() {
    let Some(database) = Database::new() else { return };
    database.sql("CREATE TABLE songs (title text)");
    let told = format!(
        "the database {} holds tables that are not jeton's: give jeton a database or a schema of its own",
        database.address()
    );
    assert_eq!(database.refusal(), told);
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(database.sql(tables), ["songs"]);
}

#[test]
fn a_database_of_a_newer_jeton_or_of_another_build_is_refused() {
    let Some(database) = Database::new() else { return };
    Issuer::found(&database.open());
    database.sql("INSERT INTO jeton_migrations VALUES (7, 'things to come', 'abc')");
    let (address, refusal) = (database.address(), database.refusal());
    assert_eq!(
        refusal,
        format!(
            "the database {address} was written by a newer version of jeton (its schema is 7, this version knows up to \
             2): start that version, or restore a backup that was made before the upgrade"
        )
    );
    database.sql("DELETE FROM jeton_migrations WHERE number = 7; UPDATE jeton_migrations SET sha256 = 'abc'");
    assert_eq!(
        database.refusal(),
        format!(
            "the database {address} was migrated by a build of jeton that differs from this one (migration 1 foundation \
             is not the same): use a released version"
        )
    );
}

#[test]
fn a_server_that_is_not_there_is_named_without_the_password() {
    let Some(database) = Database::new() else { return };
    let nowhere = tempfile::tempdir().unwrap();
    let address = database.address_by(nowhere.path());
    let Err(error) = block_on(Postgres::open(&address, Duration::ZERO)) else { panic!("nothing is there") };
    let (told, begins) =
        (error.to_string(), format!("the database {address} cannot be opened: error connecting"));
    assert!(told.starts_with(&begins) && !told.contains("hunter2"), "{told}");
}

/// PostgreSQL keeps every character but zero.
#[test]
fn a_zero_character_is_kept() {
    let Some(database) = Database::new() else { return };
    let store = database.open();
    let mut issuer = Issuer::found(&store);
    let mut proposal = issuer.proposals(1).remove(0);
    let Event::TokenIssued { token } = &mut proposal.event else { panic!("a token is issued") };
    *token = Token { name: "\0".to_owned(), description: "a\0b\u{1}0".to_owned(), ..token.clone() };
    let (account, id) = (token.account, token.id);
    let outcomes = block_on(store.commit(vec![proposal])).unwrap();
    let stored = block_on(store.token(account, id)).unwrap().unwrap().token;
    let Some(Event::TokenIssued { token }) = outcomes[0].change().map(|change| &change.event) else {
        panic!()
    };
    assert_eq!(stored, *token);
    let log = block_on(store.changes(Revision::new(3), 1)).unwrap();
    assert_eq!(Some(&log[0]), outcomes[0].change());
}

#[test]
fn what_cannot_be_understood_is_said_to_be_so() {
    let Some(database) = Database::new() else { return };
    let store = database.open();
    Issuer::found(&store);
    database.sql("UPDATE tokens SET kind = 'celestial'");
    let answer = block_on(store.snapshot(&mut |_| {}, &mut |_| {}));
    assert_eq!(answer, Err(StoreError::Unreadable("kind of a token".to_owned())));
}

#[test]
fn a_copy_is_left_to_the_tools_of_the_database() {
    let Some(database) = Database::new() else { return };
    let store = database.open();
    let told = "a database on PostgreSQL is copied with its own tools: use pg_dump".to_owned();
    assert_eq!(block_on(store.backup("anywhere".as_ref())), Err(StoreError::Broken(told)));
    assert_eq!(block_on(store.compact(Timestamp::from_millis(1), 0)), Ok(0));
}
