//! Cases about groups: which revisions they take, what they see, and that they are all or nothing.

use jeton_core::change::{Event, Expectation, Revision};
use jeton_core::token::Token;

use super::bench::{Bench, committed};
use super::fold::State;
use crate::{Outcome, Store};

pub(super) async fn revisions_are_dense_whatever_is_left_out(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 10).await;
    let there = bench.token().await;
    let stale = Expectation::Token { id: there.id, revision: Revision::new(1) };
    let mut committed_so_far = bench.log().await;
    for round in 0..12 {
        let mut group = Vec::new();
        for place in 0..4 {
            group.push(bench.issuing());
            // In each round something else stands somewhere in the group that is left out of it.
            if place == round % 4 {
                let renamed = Token { name: "stale".to_owned(), ..there.clone() };
                let event = Event::TokenChanged { before: there.clone(), after: renamed };
                group.push(bench.expecting(event, &[stale]));
            }
            if place == round / 4 {
                group.push(bench.proposal(Event::TokenIssued { token: there.clone() }));
            }
        }
        let group_length = group.len();
        let outcomes = bench.commit(group).await.unwrap();
        assert_eq!(outcomes.len(), group_length, "an outcome for each proposal");
        let left_out = |outcome: &&Outcome| !matches!(outcome, Outcome::Committed(_));
        assert_eq!(outcomes.iter().filter(left_out).count(), 2, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|it| **it == Outcome::Stale(stale)).count(), 1);
        assert_eq!(outcomes.iter().filter(|it| **it == Outcome::Duplicate).count(), 1);
        committed_so_far.extend(outcomes.into_iter().filter_map(|outcome| match outcome {
            Outcome::Committed(change) => Some(change),
            _ => None,
        }));
    }
    assert_eq!(bench.log().await, committed_so_far, "the log is what was answered");
    assert_eq!(bench.last().await, Revision::new(3 + 12 * 4));
    assert_eq!(bench.stored(there.id).await.unwrap().token, there);
}

pub(super) async fn each_proposal_sees_those_before_it(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 11).await;
    let token = bench.new_token();
    let at = |revision| Token { revision: Revision::new(revision), ..token.clone() };
    let seen = |revision| Expectation::Token { id: token.id, revision: Revision::new(revision) };
    let renamed = Token { name: "renamed".to_owned(), ..at(3) };
    let rename = || Event::TokenChanged { before: at(3), after: renamed.clone() };
    let revoke = || Event::TokenRevoked { token: Token { revision: Revision::new(4), ..renamed.clone() } };

    let outcomes = bench
        .commit(vec![
            bench.expecting(rename(), &[seen(3)]), // too early
            bench.proposal(Event::TokenIssued { token: token.clone() }),
            bench.expecting(rename(), &[seen(3)]),
            bench.expecting(rename(), &[seen(3)]), // too late
            bench.expecting(revoke(), &[seen(4)]),
            bench.expecting(revoke(), &[seen(4)]), // gone
        ])
        .await
        .unwrap();

    let committed: Vec<Option<&str>> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Committed(change) => Some(change.event.name()),
            _ => None,
        })
        .collect();
    assert_eq!(
        committed,
        [None, Some("token.issued"), Some("token.changed"), None, Some("token.revoked"), None]
    );
    assert_eq!(outcomes[0], Outcome::Stale(seen(3)));
    assert_eq!(outcomes[3], Outcome::Stale(seen(3)));
    assert_eq!(outcomes[5], Outcome::Stale(seen(4)));
    assert_eq!(bench.last().await, Revision::new(5));
    assert_eq!(bench.stored(token.id).await, None);
}

pub(super) async fn a_group_of_nothing_takes_no_revision(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 12).await;
    assert_eq!(bench.commit(Vec::new()).await.unwrap(), []);
    let never = Expectation::Head(Revision::ZERO);
    let event = Event::TokenIssued { token: bench.new_token() };
    let refused = bench.expecting(event, &[never]);
    let outcomes = bench.commit(vec![refused.clone(), refused]).await.unwrap();
    assert_eq!(outcomes, [Outcome::Stale(never), Outcome::Stale(never)]);
    assert_eq!(bench.last().await, Revision::new(2));
    assert_eq!(bench.token().await.revision, Revision::new(3));
}

/// What makes the group fail here is a token without an owner, which no store can keep. A duplicate before it must not
/// make what stands between them durable either.
pub(super) async fn a_group_that_fails_leaves_nothing(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 13).await;
    let there = bench.token().await;
    let orphan = Token { owner: bench.draw.member(), ..bench.new_token() };
    let before = (State::of_snapshot(store).await, bench.log().await);
    for with_duplicate in [false, true] {
        let mut group = vec![bench.issuing()];
        if with_duplicate {
            group.push(bench.proposal(Event::TokenIssued { token: there.clone() }));
        }
        group.push(bench.issuing());
        group.push(bench.proposal(Event::TokenIssued { token: orphan.clone() }));
        group.push(bench.issuing());

        assert!(bench.commit(group).await.is_err(), "a token without an owner can't be kept");
        assert_eq!((State::of_snapshot(store).await, bench.log().await), before);
    }
    let next = bench.issuing();
    let next = committed(bench.one(next).await);
    assert_eq!(next.revision, before.0.revision.next(), "the next commit goes on densely");
}
