//! Cases about expectations: what a decision relied on is looked at again when it is written.

use jeton_core::change::{Event, Expectation, Revision};
use jeton_core::member::Member;
use jeton_core::token::Token;

use super::bench::Bench;
use crate::{Outcome, Store};

pub(super) async fn each_kind_of_expectation_is_checked(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 20).await;
    let (token, member, role) = (bench.token().await, bench.member().await, bench.role("ops").await);
    let (no_token, no_member, no_role) = (bench.draw.token(), bench.draw.member(), bench.draw.role());
    let (earlier, later) = (Revision::new(1), Revision::new(99));
    let of_token = |id, revision| Expectation::Token { id, revision };
    let of_member = |id, revision| Expectation::Member { id, revision };
    let of_role = |id, revision| Expectation::Role { id, revision };
    let cases = [
        (of_token(token.id, token.revision), true),
        (of_token(token.id, earlier), false),
        (of_token(token.id, later), false),
        (of_token(no_token, token.revision), false),
        (of_token(no_token, Revision::ZERO), false),
        (of_member(member.id, member.revision), true),
        (of_member(member.id, earlier), false),
        (of_member(member.id, later), false),
        (of_member(no_member, member.revision), false),
        (of_member(no_member, Revision::ZERO), false),
        (of_role(role.id, role.revision), true),
        (of_role(role.id, earlier), false),
        (of_role(role.id, later), false),
        (of_role(no_role, role.revision), false),
        (of_role(no_role, Revision::ZERO), false),
        (Expectation::Head(Revision::ZERO), false),
        (Expectation::Head(earlier), false),
        (Expectation::Head(later), false),
    ];
    for (expectation, holds) in cases {
        let last = bench.last().await;
        let issued = bench.new_token();
        let proposal = bench.expecting(Event::TokenIssued { token: issued.clone() }, &[expectation]);
        let outcome = bench.one(proposal).await;
        if holds {
            assert!(matches!(outcome, Outcome::Committed(_)), "{expectation:?}: {outcome:?}");
        } else {
            assert_eq!(outcome, Outcome::Stale(expectation));
            assert_eq!(bench.stored(issued.id).await, None, "{expectation:?}: nothing was written");
            assert_eq!(bench.last().await, last, "{expectation:?}: no revision was taken");
        }
    }
}

/// The head moves with every change, those before it in the group among them.
pub(super) async fn the_head_is_the_last_change_of_all(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 23).await;
    let head = |number| Expectation::Head(Revision::new(number));
    let mut group = Vec::new();
    for expected in [2, 2, 3, 4, 4] {
        let event = Event::TokenIssued { token: bench.new_token() };
        group.push(bench.expecting(event, &[head(expected)]));
    }
    let outcomes = bench.commit(group).await.unwrap();
    let stale: Vec<bool> = outcomes.iter().map(|outcome| matches!(outcome, Outcome::Stale(_))).collect();
    assert_eq!(stale, [false, true, false, false, true], "{outcomes:?}");
    assert_eq!(bench.last().await, Revision::new(5));
}

pub(super) async fn all_expectations_must_hold(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 21).await;
    let (token, role) = (bench.token().await, bench.role("ops").await);
    let good = [
        Expectation::Token { id: token.id, revision: token.revision },
        Expectation::Member { id: bench.owner.id, revision: bench.owner.revision },
        Expectation::Role { id: role.id, revision: role.revision },
    ];
    let bad = Expectation::Member { id: bench.owner.id, revision: Revision::new(1) };
    for place in 0..=good.len() {
        let mut expects = good.to_vec();
        expects.insert(place, bad);
        let event = Event::TokenIssued { token: bench.new_token() };
        assert_eq!(bench.one(bench.expecting(event, &expects)).await, Outcome::Stale(bad));
    }
    let event = Event::TokenIssued { token: bench.new_token() };
    let outcome = bench.one(bench.expecting(event, &good)).await;
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
}

/// A change of one record leaves what was expected of the others alone, and one that brings a record back to what it
/// was does not bring back what was decided on it.
pub(super) async fn an_expectation_is_about_the_record_and_not_about_its_past(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 22).await;
    let (token, other, member) = (bench.token().await, bench.token().await, bench.member().await);
    let decided_on = [
        Expectation::Token { id: token.id, revision: token.revision },
        Expectation::Member { id: member.id, revision: member.revision },
    ];
    let renamed = Token { name: "another name".to_owned(), ..other.clone() };
    bench.write(Event::TokenChanged { before: other.clone(), after: renamed.clone() }).await;
    bench.write(Event::TokenRevoked { token: renamed }).await;
    let event = Event::TokenIssued { token: bench.new_token() };
    let outcome = bench.one(bench.expecting(event, &decided_on)).await;
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");

    let away = Member { name: "away".to_owned(), ..member.clone() };
    bench.write(Event::MemberChanged { before: member.clone(), after: away.clone() }).await;
    bench.write(Event::MemberChanged { before: away, after: member }).await;
    let event = Event::TokenIssued { token: bench.new_token() };
    assert_eq!(bench.one(bench.expecting(event, &decided_on)).await, Outcome::Stale(decided_on[1]));
}
