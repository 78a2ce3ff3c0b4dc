//! What can't be seen through the port: the settings of the connections, and a disk that fills up.

use jeton_core::change::{Event, Proposal, Revision};
use jeton_core::digest::ServerKey;
use jeton_core::member::Member;
use jeton_core::rule::{Founding, Fresh, Mint, found, recover};
use jeton_core::secret::SecretFormat;
use pollster::block_on;
use rusqlite::types::Value;
use zeroize::Zeroizing;

use super::*;

fn opened() -> (tempfile::TempDir, Sqlite) {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&directory.path().join("jeton.db"), "a test").unwrap();
    (directory, store)
}

fn pragma(connection: &Connection, name: &str) -> Value {
    connection.pragma_query_value(None, name, |row| row.get(0)).unwrap()
}

#[test]
fn the_pragmas_are_what_durability_needs() {
    let (_directory, store) = opened();
    {
        let writer = store.writer();
        let pragma = |name| pragma(writer.connection(), name);
        assert_eq!(pragma("journal_mode"), Value::Text("wal".to_owned()));
        assert_eq!(
            pragma("synchronous"),
            Value::Integer(2),
            "FULL: a commit is synced before it is answered"
        );
        assert_eq!(pragma("foreign_keys"), Value::Integer(1));
        assert_eq!(pragma("wal_autocheckpoint"), Value::Integer(CHECKPOINT_PAGES));
        assert_eq!(pragma("cache_size"), Value::Integer(-WRITER_CACHE_KIB));
    }
    assert!(store.readers.len() >= 2);
    for reader in &store.readers {
        let reader = reader.lock().unwrap();
        assert_eq!(pragma(&reader, "journal_mode"), Value::Text("wal".to_owned()));
        assert_eq!(pragma(&reader, "synchronous"), Value::Integer(2), "a backup is written by a reader");
        assert!(reader.execute("CREATE TABLE scratch (number INTEGER)", []).is_err(), "a reader only reads");
    }
}

fn fresh(number: u64) -> Fresh {
    let mut secret = Zeroizing::new([0; 48]);
    secret[..8].copy_from_slice(&number.to_be_bytes());
    Fresh { id: number.to_be_bytes()[2..].try_into().unwrap(), secret }
}

fn tokens(owner: &Member, mint: &Mint, numbers: std::ops::Range<u64>) -> Vec<Proposal> {
    let now = Timestamp::from_millis(1);
    numbers.map(|number| recover(owner, mint, now, &fresh(number)).proposal).collect()
}

/// A disk without room is played by a bound on the pages of the file.
#[test]
fn a_full_disk_loses_nothing_and_is_forgotten_when_there_is_room() {
    let (_directory, store) = opened();
    let mint =
        Mint { format: SecretFormat::new("jtn").unwrap(), key: ServerKey::new(Zeroizing::new([9; 32])) };
    let fresh = [fresh(1), fresh(2), fresh(3)];
    let (founding, _) = found(Founding::default(), &mint, Timestamp::from_millis(1), fresh.each_ref());
    let Event::MemberAdded { member } = founding[1].clone().at_revision(Revision::new(2)).event else {
        panic!("the second change adds the owner")
    };
    block_on(store.commit(founding)).unwrap();
    let limit = |pages: &Value| {
        store.writer().connection().pragma_update(None, "max_page_count", pages).unwrap();
    };
    let Value::Integer(pages) = pragma(store.writer().connection(), "page_count") else { panic!("a number") };
    limit(&Value::Integer(pages + 20));

    let mut written = 3;
    let error = loop {
        match block_on(store.commit(tokens(&member, &mint, written + 1..written + 26))) {
            Ok(outcomes) => written += outcomes.len() as u64,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert!(written > 3, "some fitted");
    // Refused again, and still nothing of it is there, but everything that was answered.
    assert!(block_on(store.commit(tokens(&member, &mint, written + 1..written + 201))).is_err());
    let log = block_on(store.changes(Revision::ZERO, usize::MAX)).unwrap();
    assert_eq!(log.len() as u64, written);
    assert!(block_on(store.token(member.account, written_token(&log))).unwrap().is_some());

    limit(&Value::Integer(1_000_000));
    let outcomes = block_on(store.commit(tokens(&member, &mint, written + 1..written + 3))).unwrap();
    let revisions = outcomes.iter().map(|outcome| match outcome {
        Outcome::Committed(change) => change.revision.number(),
        other => panic!("{other:?}"),
    });
    assert_eq!(revisions.collect::<Vec<_>>(), [written + 1, written + 2]);
}

fn written_token(log: &[Change]) -> TokenId {
    match log.last().map(|change| &change.event) {
        Some(Event::TokenIssued { token }) => token.id,
        other => panic!("the last change issued a token: {other:?}"),
    }
}

/// What was read lately is given without a query, but never once its change has begun.
#[test]
fn a_token_read_lately_is_the_one_in_the_database() {
    let (_directory, store) = opened();
    let mint =
        Mint { format: SecretFormat::new("jtn").unwrap(), key: ServerKey::new(Zeroizing::new([9; 32])) };
    let fresh = [fresh(1), fresh(2), fresh(3)];
    let (founding, _) = found(Founding::default(), &mint, Timestamp::from_millis(1), fresh.each_ref());
    block_on(store.commit(founding)).unwrap();
    let log = block_on(store.changes(Revision::ZERO, usize::MAX)).unwrap();
    let (account, id) = (log[2].account, written_token(&log));
    let read = || block_on(store.token(account, id)).unwrap();

    assert!(store.recent.get(account, id).is_err(), "nobody has read it yet");
    let first = read().unwrap();
    assert!(store.recent.get(account, id).is_ok_and(|kept| kept == first), "read once, kept");

    let Err(before) = store.recent.get(account, TokenId::from_bytes([0; 12])) else { panic!("unknown") };
    {
        let _changing = store.recent.changing_these([id]);
        let Err(during) = store.recent.get(account, id) else { panic!("it may be about to change") };
        store.recent.put(during, &first);
        assert!(
            store.recent.get(account, id).is_err(),
            "read during a change: which side of it, nobody knows"
        );
    }
    store.recent.put(before, &first);
    assert!(store.recent.get(account, id).is_err(), "read before a change, and late");

    block_on(store.touch(&[(id, Timestamp::from_millis(77))], &[])).unwrap();
    assert_eq!(read().unwrap().last_used_at, Some(Timestamp::from_millis(77)));
    assert!(store.recent.get(AccountId::from_bytes([9; 12]), id).is_err(), "accounts are walls");
}
