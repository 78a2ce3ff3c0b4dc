//! Connections that break, at any instant: what was asked for is done once or not at all, and the answer says which.

use std::sync::mpsc::channel;
use std::time::Duration;

use jeton_core::change::{Event, Revision};
use jeton_core::id::TokenId;
use jeton_store::{Outcome, Postgres, Store};
use pollster::block_on;

use crate::cluster::Database;
use crate::issuer::{Issuer, check};
use crate::proxy::{Next, Proxy};

fn issued(store: &dyn Store) -> Vec<TokenId> {
    let log = block_on(store.changes(Revision::ZERO, usize::MAX)).unwrap();
    let token = |event: &Event| match event {
        Event::TokenIssued { token } => Some(token.id),
        _ => None,
    };
    log.iter().filter_map(|change| token(&change.event)).collect()
}

#[test]
fn a_commit_whose_answer_is_lost_is_done_once() {
    let Some(database) = Database::new() else { return };
    let proxy = Proxy::before(database.socket());
    let address = database.address_by(proxy.sockets());
    let store = block_on(Postgres::open(&address, Duration::ZERO)).unwrap();
    let mut issuer = Issuer::found(&store);
    let mut last = Revision::new(3);
    for next in [Next::Unanswered, Next::Lost, Next::Passes, Next::Lost, Next::Unanswered] {
        proxy.next_commit(next);
        let outcomes = block_on(store.commit(issuer.proposals(4))).unwrap();
        for outcome in outcomes {
            let Outcome::Committed(change) = outcome else { panic!("{outcome:?}") };
            assert_eq!(change.revision, last.next());
            last = change.revision;
        }
        assert_eq!(check(&store), last, "what was answered stands in the log, once");
    }
}

/// What is done beside the log may be done twice, and comes to the same.
#[test]
fn what_is_beside_the_log_is_done_although_its_answer_is_lost() {
    let Some(database) = Database::new() else { return };
    let proxy = Proxy::before(database.socket());
    let store = block_on(Postgres::open(&database.address_by(proxy.sockets()), Duration::ZERO)).unwrap();
    for next in [Next::Unanswered, Next::Lost] {
        proxy.next_commit(next);
        assert!(block_on(store.bind_key([7; 32])).unwrap());
    }
    assert!(!block_on(store.bind_key([8; 32])).unwrap());
}

/// Every session is ended again and again while groups are committed and records are read.
#[test]
fn sessions_that_are_ended_lose_nothing_and_double_nothing() {
    let Some(database) = Database::new() else { return };
    let store = database.open();
    let mut issuer = Issuer::found(&store);
    let first = issued(&store);
    let (committed, told) = channel();
    let answered = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut answered = first;
            for round in 0..150 {
                let proposals = issuer.proposals(10);
                let ids = proposals.iter().map(|proposal| match &proposal.event {
                    Event::TokenIssued { token } => token.id,
                    other => panic!("{other:?}"),
                });
                let ids: Vec<TokenId> = ids.collect();
                match block_on(store.commit(proposals)) {
                    Ok(outcomes) => {
                        assert!(outcomes.iter().all(|outcome| outcome.change().is_some()), "{outcomes:?}");
                        answered.extend(ids);
                    }
                    Err(error) => panic!("the server is there all the time: {error}"),
                }
                assert!(block_on(store.changes(Revision::ZERO, 1)).is_ok());
                if round % 3 == 0 {
                    committed.send(()).unwrap();
                }
            }
            drop(committed);
            answered
        });
        while told.recv().is_ok() {
            database.end_sessions();
        }
        writer.join().unwrap()
    });
    check(&store);
    assert_eq!(issued(&store), answered, "what was answered, in the order of the answers, and nothing twice");
}
