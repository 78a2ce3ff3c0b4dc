//! Cases about the change log: it and the records are one, so that either can be had from the other.

use jeton_core::change::{Actor, Change, Event, Expectation, Proposal, Revision};
use jeton_core::member::{Member, Standing};
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::Token;

use super::bench::{Bench, committed};
use super::fold::{Folded, State};
use super::sample;
use crate::Store;

/// An event that could come next, with records that it is about drawn from those there are.
fn some_event(bench: &mut Bench<'_>, now: &Folded) -> Event {
    let members: Vec<&Member> = now.members.values().filter(|it| it.standing != Standing::Removed).collect();
    let tokens: Vec<&Token> = now.tokens.values().collect();
    let roles: Vec<_> = now.roles.values().collect();
    let owner = bench.draw.one_of(&members).clone();
    match bench.draw.below(12) {
        0 | 1 => {
            let (number, account) = (bench.new_member().number, bench.account);
            Event::MemberAdded { member: sample::odd_member(&mut bench.draw, account, number) }
        }
        2 => Event::MemberChanged { after: sample::changed_member(&mut bench.draw, &owner), before: owner },
        3 if members.len() > 3 => Event::MemberChanged {
            after: Member { standing: Standing::Removed, ..owner.clone() },
            before: owner,
        },
        4 => {
            let plain = bench.new_role("");
            Event::RoleDefined { role: sample::changed_role(&mut bench.draw, &plain) }
        }
        5 if !roles.is_empty() => {
            let before = bench.draw.one_of(&roles).clone();
            Event::RoleChanged { after: sample::changed_role(&mut bench.draw, &before), before }
        }
        6 if !roles.is_empty() => Event::RoleRemoved { role: bench.draw.one_of(&roles).clone() },
        7 | 8 if !tokens.is_empty() => {
            let before = bench.draw.one_of(&tokens).clone();
            let after = sample::changed_token(&mut bench.draw, &before);
            if bench.draw.once_in(2) {
                Event::TokenChanged { before, after }
            } else {
                Event::TokenRotated { before, after }
            }
        }
        9 if !tokens.is_empty() => Event::TokenRevoked { token: bench.draw.one_of(&tokens).clone() },
        _ => Event::TokenIssued { token: sample::odd_token(&mut bench.draw, bench.account, owner.id) },
    }
}

/// Commits this many random events, each as a proposal that expects what its record was.
async fn live(bench: &mut Bench<'_>, events: usize) -> Folded {
    let mut now = Folded::of_log(&bench.log().await);
    for _ in 0..events {
        let event = some_event(bench, &now);
        let expects = match &event {
            Event::MemberChanged { before, .. } => {
                Some(Expectation::Member { id: before.id, revision: before.revision })
            }
            Event::RoleChanged { before: role, .. } | Event::RoleRemoved { role } => {
                Some(Expectation::Role { id: role.id, revision: role.revision })
            }
            Event::TokenChanged { before: token, .. }
            | Event::TokenRotated { before: token, .. }
            | Event::TokenRevoked { token } => {
                Some(Expectation::Token { id: token.id, revision: token.revision })
            }
            _ => None,
        };
        let actor = if bench.draw.once_in(3) {
            Actor::System
        } else {
            Actor::Token { token: bench.draw.token(), member: bench.draw.member() }
        };
        let at = Timestamp::from_millis(i64::try_from(bench.draw.below(1 << 40)).unwrap());
        let expects = expects.into_iter().collect();
        let proposal = Proposal { at, account: bench.account, actor, event, expects };
        let change = committed(bench.one(proposal.clone()).await);
        assert_eq!(change, proposal.at_revision(now.revision.next()), "what was proposed is what was done");
        now.follow(&change);
    }
    now
}

pub(super) async fn the_snapshot_is_the_log_folded(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 80).await;
    for _ in 0..4 {
        let followed = State::of_tokens(live(&mut bench, 150).await);
        assert_eq!(State::of_snapshot(store).await, followed);
        assert_eq!(State::of_tokens(Folded::of_log(&bench.log().await)), followed);
    }
}

pub(super) async fn the_row_is_what_the_log_says(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 81).await;
    live(&mut bench, 300).await;
    let folded = Folded::of_log(&bench.log().await);
    assert!(folded.tokens.len() > 10 && folded.members.len() > 5, "there is something to see");
    for token in folded.tokens.values() {
        assert_eq!(bench.stored(token.id).await.unwrap().token, *token);
    }
    for member in folded.members.values() {
        assert_eq!(store.member(member.account, member.id).await.unwrap().as_ref(), Some(member));
    }
}

pub(super) async fn the_log_keeps_who_and_when(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 82).await;
    let by_token = Actor::Token { token: bench.draw.token(), member: bench.owner.id };
    let instants = [i64::MIN, -1, 0, 1_790_000_000_123, i64::MAX].map(Timestamp::from_millis);
    let mut written = Vec::new();
    for (actor, at) in [Actor::System, by_token].into_iter().flat_map(|actor| instants.map(|at| (actor, at)))
    {
        let event = Event::TokenIssued { token: bench.new_token() };
        let proposal = Proposal { at, actor, ..bench.proposal(event) };
        let change = committed(bench.one(proposal).await);
        assert_eq!((change.at, change.actor, change.account), (at, actor, bench.account));
        written.push(change);
    }
    assert_eq!(bench.log().await[2..], written);
}

pub(super) async fn a_snapshot_comes_announced_and_in_order(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 83).await;
    live(&mut bench, 200).await;
    let (mut announced, mut records) = (Vec::new(), Vec::new());
    let head = store
        .snapshot(&mut |tokens| announced.push(tokens), &mut |record| records.push(record))
        .await
        .unwrap();
    assert_eq!(head.revision, bench.last().await);
    assert_eq!(head.change, bench.log().await.pop());

    let mut known = Vec::new();
    let mut tokens = 0;
    for record in &records {
        match record {
            Record::Member(member) => known.push(member.id),
            Record::Role(_) => {}
            Record::Credential(credential) => {
                tokens += 1;
                assert!(known.contains(&credential.owner), "an owner comes before their tokens");
            }
        }
    }
    assert_eq!(announced, [tokens], "announced once, and rightly");
}

pub(super) async fn the_log_is_read_in_pages(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 84).await;
    live(&mut bench, 48).await;
    let log = bench.log().await;
    assert_eq!(log.len(), 50);
    let numbers = |page: &[Change]| page.iter().map(|change| change.revision.number()).collect::<Vec<_>>();
    let cases: [(u64, usize); 9] =
        [(0, 0), (0, 1), (0, 50), (0, 51), (7, 10), (45, 10), (49, 1), (50, 10), (1000, 10)];
    for (after, limit) in cases {
        let page = store.changes(Revision::new(after), limit).await.unwrap();
        let expected: Vec<u64> = (after + 1..=50).take(limit).collect();
        assert_eq!(numbers(&page), expected, "{limit} after {after}");
        assert!(page.iter().all(|change| log.contains(change)), "{limit} after {after}");
    }
    assert_eq!(store.changes(Revision::ZERO, usize::MAX).await.unwrap(), log, "no limit at all");
    assert_eq!(store.changes(Revision::new(u64::MAX), 1).await.unwrap(), [], "after the end of all numbers");
}

/// Commits changes that were decided at these instants, after the two that any bench begins with.
async fn decided_at(bench: &mut Bench<'_>, instants: &[i64]) {
    for at in instants {
        let proposal = Proposal { at: Timestamp::from_millis(*at), ..bench.issuing() };
        committed(bench.one(proposal).await);
    }
}

async fn forgotten(bench: &Bench<'_>, before: i64, limit: usize) -> (usize, Vec<u64>) {
    let count = bench.store.compact(Timestamp::from_millis(before), limit).await.unwrap();
    (count, bench.log().await.iter().map(|change| change.revision.number()).collect())
}

pub(super) async fn the_oldest_changes_are_forgotten(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 85).await;
    let begun = sample::NOW.as_millis();
    decided_at(&mut bench, &[begun + 10, begun + 20, begun + 30, begun + 40]).await;
    let before = State::of_snapshot(store).await;
    assert_eq!(forgotten(&bench, begun, 100).await, (0, vec![1, 2, 3, 4, 5, 6]), "nothing is as old");
    assert_eq!(forgotten(&bench, begun + 30, 1).await, (1, vec![2, 3, 4, 5, 6]), "as many as may be");
    assert_eq!(
        forgotten(&bench, begun + 30, 100).await,
        (3, vec![5, 6]),
        "what was decided before, and no more"
    );
    assert_eq!(forgotten(&bench, begun + 1000, 100).await, (1, vec![6]), "never the last");
    assert_eq!(forgotten(&bench, begun + 1000, 100).await, (0, vec![6]));
    assert_eq!(State::of_snapshot(store).await, before, "no record changes");
    let next = bench.token().await;
    assert_eq!(next.revision, Revision::new(7), "and no number is used again");
    assert_eq!(
        store.changes(Revision::new(2), 1).await.unwrap()[0].revision,
        Revision::new(6),
        "a gap shows"
    );
}

/// A clock that was set back leaves older instants behind younger ones.
pub(super) async fn the_log_is_forgotten_from_its_beginning_only(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 86).await;
    let begun = sample::NOW.as_millis();
    decided_at(&mut bench, &[begun + 10, begun + 1000, begun + 20, begun + 30]).await;
    assert_eq!(forgotten(&bench, begun + 100, 100).await, (3, vec![4, 5, 6]));
    assert_eq!(forgotten(&bench, begun + 100, 100).await, (0, vec![4, 5, 6]));
}
