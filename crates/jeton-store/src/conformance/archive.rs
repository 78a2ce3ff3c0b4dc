//! Cases about a store that is carried into another one. The other one is the embedded store, in memory.

use jeton_core::change::{Event, Revision};
use jeton_core::member::{Member, Standing};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{Token, TokenKind};

use super::bench::{Bench, committed};
use super::fold::State;
use super::sample::{self, NOW};
use crate::archive::{
    Counts, Doing, Inventory, Item, Kind, Origin, Place, Progress, Step, Told, TransferError, Transferred,
    transfer,
};
use crate::{Archive, Presence, Sqlite, Store, StoreError};

/// So small that every kind takes several batches.
const BATCH: usize = 7;

async fn carry(from: &dyn Archive, to: &dyn Archive) -> Result<Transferred, TransferError> {
    transfer(from, to, BATCH, &mut |_| {}).await
}

/// All that a store holds, page by page.
async fn everything(store: &dyn Archive) -> (Inventory, Vec<Item>) {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let mut place = Place::beginning_of(kind);
        loop {
            let page = store.page(&place, BATCH).await.unwrap();
            assert!(page.len() <= BATCH && page.iter().all(|item| item.kind() == kind), "{place:?}");
            let Some(last) = page.last() else { break };
            let keys: Vec<_> = [place.after].into_iter().chain(page.iter().map(Item::key)).collect();
            assert!(keys.is_sorted_by(|one, next| one < next), "{keys:?}");
            place.after = last.key();
            all.extend(page);
        }
    }
    let inventory = store.inventory().await.unwrap();
    for kind in Kind::ALL {
        let count = all.iter().filter(|item| item.kind() == kind).count();
        assert_eq!(inventory.counts.of(kind), count as u64, "{kind:?}");
    }
    (inventory, all)
}

/// A store with everything in it that a store can hold, and a log whose beginning was forgotten.
async fn filled(store: &dyn Archive, seed: u64) -> Bench<'_> {
    let mut bench = Bench::set_up(store, seed).await;
    assert!(store.bind_key([7; 32]).await.unwrap());
    bench.another_account().await;
    for number in 2000..2012 {
        let member = sample::odd_member(&mut bench.draw, bench.account, number);
        bench.write(Event::MemberAdded { member }).await;
    }
    for key in ["one", "two", "three"] {
        let role = bench.role(key).await;
        let after = sample::changed_role(&mut bench.draw, &role);
        bench.write(Event::RoleChanged { before: role, after }).await;
    }
    for _ in 0..20 {
        let token = sample::odd_token(&mut bench.draw, bench.account, bench.owner.id);
        let token = bench.issue(token).await;
        let after = sample::changed_token(&mut bench.draw, &token);
        if bench.draw.once_in(2) {
            bench.write(Event::TokenRotated { before: token, after }).await;
        }
    }
    let revoked = bench.token().await;
    bench.write(Event::TokenRevoked { token: revoked }).await;
    // One who is gone, and whose address somebody else has now.
    let gone = bench.member().await;
    let service = sample::token(&mut bench.draw, bench.account, gone.id, TokenKind::Service);
    bench.issue(service).await;
    let after = Member { standing: Standing::Removed, ..gone.clone() };
    bench.write(Event::MemberChanged { before: gone.clone(), after }).await;
    let heir = Member { email: gone.email, ..bench.new_member() };
    bench.write(Event::MemberAdded { member: heir.clone() }).await;
    let used = bench.token().await;
    let (seen, login) =
        (Presence { last_seen_at: Some(NOW), last_login_at: None }, Timestamp::from_millis(9));
    let both = Presence { last_seen_at: Some(NOW), last_login_at: Some(login) };
    store.touch(&[(used.id, NOW)], &[(bench.owner.id, seen), (heir.id, both)]).await.unwrap();
    assert_eq!(store.compact(Timestamp::from_millis(NOW.as_millis() + 1), 3).await.unwrap(), 3);
    bench
}

/// What carries on where the first steps of an attempt have led.
async fn some_steps(from: &dyn Archive, to: &dyn Archive, steps: usize) -> Progress {
    let origin = Origin::of(from).await.unwrap();
    let mut at = Progress { origin, place: Place::beginning_of(Kind::Accounts), carried: Counts::default() };
    to.take(Step::Begin(at.clone())).await.unwrap();
    for _ in 0..steps {
        let mut place = at.place.clone();
        let mut items = from.page(&place, BATCH).await.unwrap();
        while items.is_empty() {
            let next = Kind::ALL.into_iter().find(|kind| *kind > place.kind);
            place = Place::beginning_of(next.expect("there are fewer steps than batches"));
            items = from.page(&place, BATCH).await.unwrap();
        }
        place.after = items.last().unwrap().key();
        let mut next = Progress { place: place.clone(), ..at.clone() };
        next.carried.add(place.kind, items.len() as u64);
        to.take(Step::Carry { from: at, items, to: next.clone() }).await.unwrap();
        at = next;
    }
    at
}

pub(super) async fn everything_is_carried_away(store: &dyn Archive) {
    let other = Sqlite::in_memory().unwrap();
    filled(store, 110).await;
    let before = everything(store).await;
    let carried = carry(store, &other).await.unwrap();
    assert_eq!(everything(store).await, before, "nothing is taken from it");
    assert_eq!(everything(&other).await, before);
    assert_eq!(State::of_snapshot(&other).await, State::of_snapshot(store).await);
    let counts = carried.lines.iter().map(|line| line.count);
    assert_eq!(counts.collect::<Vec<_>>(), before.0.counts.0);
    assert_eq!(carried.carried, before.1.len() as u64);
}

pub(super) async fn everything_arrives(store: &dyn Archive) {
    let other = Sqlite::in_memory().unwrap();
    let mut bench = filled(&other, 111).await;
    let mut told = Vec::new();
    transfer(&other, store, BATCH, &mut |step: Told| told.push(step)).await.unwrap();
    assert_eq!(everything(store).await, everything(&other).await);
    assert_eq!(store.arriving().await.unwrap(), None);
    for doing in [Doing::Carrying, Doing::Comparing] {
        for kind in Kind::ALL {
            let last = told.iter().rfind(|told| (told.doing, told.kind) == (doing, kind)).unwrap();
            assert_eq!(last.done, last.of, "{last:?}");
        }
    }
    // It is a store as any other.
    assert_eq!(State::of_snapshot(store).await, State::of_snapshot(&other).await);
    assert!(!store.bind_key([8; 32]).await.unwrap() && store.bind_key([7; 32]).await.unwrap());
    let head = store.inventory().await.unwrap().head;
    let outcome = store.commit(vec![bench.issuing()]).await.unwrap().remove(0);
    assert_eq!(committed(outcome).revision, head.next());
    assert_eq!(store.changes(head, 9).await.unwrap().len(), 1);
}

pub(super) async fn what_was_interrupted_goes_on(store: &dyn Archive) {
    let source = Sqlite::in_memory().unwrap();
    filled(&source, 112).await;
    let at = some_steps(&source, store, 6).await;
    assert_eq!(store.arriving().await.unwrap(), Some(at.clone()));
    assert_eq!(at.place.kind, Kind::Tokens, "in the middle of it");
    let carried = carry(&source, store).await.unwrap();
    assert_eq!(carried.found, at.carried);
    assert_eq!(everything(store).await, everything(&source).await);
    assert_eq!(store.arriving().await.unwrap(), None);
    // And once more, by one that did not hear that it was done.
    let again = carry(&source, store).await.unwrap();
    assert_eq!((again.carried, again.lines), (0, carried.lines));
}

pub(super) async fn a_step_is_taken_once_and_from_where_the_store_stands(store: &dyn Archive) {
    let source = Sqlite::in_memory().unwrap();
    filled(&source, 113).await;
    let at = some_steps(&source, store, 1).await;
    let items = source.page(&Place::beginning_of(Kind::Members), BATCH).await.unwrap();
    let place = Place { kind: Kind::Members, after: items.last().unwrap().key() };
    let next = Progress { place, ..at.clone() };
    let step = Step::Carry { from: at.clone(), items, to: next.clone() };
    for _ in 0..2 {
        store.take(step.clone()).await.unwrap();
        assert_eq!(store.inventory().await.unwrap().counts.of(Kind::Members), BATCH as u64);
    }
    let stale = Step::Carry { from: at.clone(), items: Vec::new(), to: at.clone() };
    let elsewhere = StoreError::Broken("another jeton carries something into this database".to_owned());
    assert_eq!(store.take(stale).await, Err(elsewhere.clone()));
    assert_eq!(store.take(Step::Begin(at.clone())).await, Err(elsewhere.clone()));
    assert_eq!(store.take(Step::Finish { from: at, key: None }).await, Err(elsewhere));
    assert_eq!(store.arriving().await.unwrap(), Some(next), "and it stands where it stood");
}

pub(super) async fn what_was_used_is_not_carried_into(store: &dyn Archive) {
    let source = Sqlite::in_memory().unwrap();
    assert_eq!(carry(&source, store).await, Err(TransferError::NothingThere));
    filled(&source, 114).await;
    Bench::set_up(store, 115).await;
    let before = everything(store).await;
    assert_eq!(carry(&source, store).await, Err(TransferError::NotEmpty));
    let begin = Progress {
        origin: Origin::of(&source).await.unwrap(),
        place: Place::beginning_of(Kind::Accounts),
        carried: Counts::default(),
    };
    let refused = Err(StoreError::Broken("this database is not empty".to_owned()));
    assert_eq!(store.take(Step::Begin(begin)).await, refused);
    assert_eq!((everything(store).await, store.arriving().await.unwrap()), (before, None));
}

pub(super) async fn a_source_that_has_changed_is_another_one(store: &dyn Archive) {
    let source = Sqlite::in_memory().unwrap();
    let mut bench = filled(&source, 116).await;
    let begun = some_steps(&source, store, 2).await;
    let token = bench.token().await;
    let (before, now) = (begun.origin.head, token.revision.number());
    assert_eq!(carry(&source, store).await, Err(TransferError::AnotherSource { before, now }));
    // Nor is one whose log is shorter than it was.
    let other = Sqlite::in_memory().unwrap();
    some_steps(&source, &other, 2).await;
    assert_eq!(source.compact(Timestamp::from_millis(NOW.as_millis() + 1), 1).await.unwrap(), 1);
    let forgetful = TransferError::AnotherSource { before: now, now };
    assert_eq!(carry(&source, &other).await, Err(forgetful));
    // What is arriving can't be carried on.
    let third = Sqlite::in_memory().unwrap();
    assert_eq!(carry(store, &third).await, Err(TransferError::SourceUnfinished));
    assert_eq!(Revision::new(begun.origin.head).next(), token.revision);
}

/// A use is no change, so the log does not tell of it.
pub(super) async fn a_source_that_was_used_meanwhile_is_caught_up_with(store: &dyn Archive) {
    let source = Sqlite::in_memory().unwrap();
    let bench = filled(&source, 117).await;
    some_steps(&source, store, 6).await;
    let later = Timestamp::from_millis(NOW.as_millis() + 60_000);
    let used: Vec<_> = everything(&source)
        .await
        .1
        .into_iter()
        .filter_map(|item| match item {
            Item::Token(stored) => Some((stored.token, later)),
            _ => None,
        })
        .collect();
    let used: Vec<_> = used.iter().map(|(Token { id, .. }, at)| (*id, *at)).collect();
    let here = Presence { last_seen_at: Some(later), last_login_at: Some(later) };
    source.touch(&used, &[(bench.owner.id, here)]).await.unwrap();
    carry(&source, store).await.unwrap();
    assert_eq!(everything(store).await, everything(&source).await);
}
