//! Cases about a whole store: empty, founded, bound to a key, copied.

use std::path::Path;

use jeton_core::change::{Event, Expectation, Revision};
use jeton_core::digest::ServerKey;
use jeton_core::id::TokenId;
use jeton_core::rule::{Founding, Fresh, Mint, found};
use jeton_core::secret::SecretFormat;
use zeroize::Zeroizing;

use super::bench::{Bench, committed};
use super::draw::Draw;
use super::fold::State;
use super::sample::{self, NOW};
use crate::{Outcome, Presence, Store};

pub(super) async fn a_new_store_is_empty(store: &dyn Store) {
    assert_eq!(State::of_snapshot(store).await, State::default());
    assert_eq!(store.changes(Revision::ZERO, 10).await.unwrap(), []);
    assert_eq!(store.members_by_email("owner@example.com").await.unwrap(), []);
    assert_eq!(store.presences(None).await.unwrap(), []);
    let mut draw = Draw::new(1);
    let (account, ids) = (draw.account(), [draw.token(), draw.token()]);
    assert_eq!(store.token(account, ids[0]).await.unwrap(), None);
    assert_eq!(store.tokens(account, &ids).await.unwrap(), []);
    assert_eq!(store.member(account, draw.member()).await.unwrap(), None);
}

pub(super) async fn founding_takes_the_first_three_revisions(store: &dyn Store) {
    let (proposals, _) = founding(&mut Draw::new(2));
    let events: Vec<&str> = proposals.iter().map(|proposal| proposal.event.name()).collect();
    assert_eq!(events, ["account.founded", "member.added", "token.issued"]);

    let outcomes = store.commit(proposals.clone()).await.unwrap();
    let expected = (1..)
        .zip(proposals)
        .map(|(number, proposal)| Outcome::Committed(proposal.at_revision(Revision::new(number))));
    assert_eq!(outcomes, expected.collect::<Vec<_>>());

    let changes: Vec<_> = outcomes.into_iter().map(committed).collect();
    assert_eq!(store.changes(Revision::ZERO, 10).await.unwrap(), changes);
    let Event::MemberAdded { member } = &changes[1].event else { panic!("the second is the owner") };
    let Event::TokenIssued { token } = &changes[2].event else { panic!("the third is the owner's token") };
    assert_eq!(store.member(member.account, member.id).await.unwrap().as_ref(), Some(member));
    assert_eq!(store.token(token.account, token.id).await.unwrap().unwrap().token, *token);
    let found = store.members_by_email("owner@example.com").await.unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), [member]);
}

pub(super) async fn a_second_founding_changes_nothing(store: &dyn Store) {
    let mut draw = Draw::new(3);
    store.commit(founding(&mut draw).0).await.unwrap();
    let before = State::of_snapshot(store).await;

    let (proposals, token) = founding(&mut draw);
    let account = proposals[0].account;
    let heads = (0..3).map(|number| Outcome::Stale(Expectation::Head(Revision::new(number))));
    assert_eq!(store.commit(proposals).await.unwrap(), heads.collect::<Vec<_>>());
    assert_eq!(State::of_snapshot(store).await, before);
    assert_eq!(store.changes(Revision::ZERO, 10).await.unwrap().len(), 3);
    assert_eq!(store.token(account, token).await.unwrap(), None);
}

pub(super) async fn a_server_key_is_bound_once(store: &dyn Store) {
    assert!(store.bind_key([1; 32]).await.unwrap(), "the first key is taken");
    assert!(store.bind_key([1; 32]).await.unwrap(), "the same key is known again");
    assert!(!store.bind_key([2; 32]).await.unwrap(), "another key is refused");
    assert!(store.bind_key([1; 32]).await.unwrap(), "and has not taken its place");
    assert_eq!(store.changes(Revision::ZERO, 10).await.unwrap(), [], "none of it is a change");
}

/// A backup is what the store was at one moment, and opens as a store that goes on from there. `open` opens what was
/// written to `to`.
pub async fn a_backup_is_a_copy_of_one_moment(
    store: &dyn Store,
    to: &Path,
    open: impl FnOnce(&Path) -> Box<dyn Store>,
) {
    let mut bench = Bench::set_up(store, 4).await;
    assert!(store.bind_key([7; 32]).await.unwrap());
    for _ in 0..20 {
        let token = sample::odd_token(&mut bench.draw, bench.account, bench.owner.id);
        bench.issue(token).await;
    }
    let used = bench.token().await;
    let here = Presence { last_seen_at: Some(NOW), last_login_at: None };
    store.touch(&[(used.id, NOW)], &[(bench.owner.id, here)]).await.unwrap();
    let (state, log, touched) =
        (State::of_snapshot(store).await, bench.log().await, bench.stored(used.id).await);

    store.backup(to).await.unwrap();
    let later = bench.token().await;

    let copy = open(to);
    assert_eq!(State::of_snapshot(&*copy).await, state);
    assert_eq!(copy.changes(Revision::ZERO, 1000).await.unwrap(), log);
    assert_eq!(copy.token(bench.account, used.id).await.unwrap(), touched);
    assert_eq!(copy.presences(None).await.unwrap(), [(bench.owner.id, here)]);
    assert_eq!(copy.token(bench.account, later.id).await.unwrap(), None);
    assert!(!copy.bind_key([8; 32]).await.unwrap(), "the copy is bound to the same key");

    let outcome = copy.commit(vec![bench.issuing()]).await.unwrap().remove(0);
    assert_eq!(committed(outcome).revision, state.revision.next());
    assert_eq!(bench.last().await, later.revision, "the store did not hear of it");
}

/// The proposals of a first start, and the id of the token that comes with it.
fn founding(draw: &mut Draw) -> (Vec<jeton_core::change::Proposal>, TokenId) {
    let key = ServerKey::new(Zeroizing::new(draw.bytes()));
    let mint = Mint { format: SecretFormat::new("jtn").unwrap(), key };
    let fresh: [Fresh; 3] =
        std::array::from_fn(|_| Fresh { id: draw.bytes(), secret: Zeroizing::new(draw.bytes()) });
    let owner = Founding { owner_email: "Owner@example.com".to_owned(), ..Founding::default() };
    let (proposals, _) = found(owner, &mint, NOW, fresh.each_ref());
    let Some(Event::TokenIssued { token }) = proposals.last().map(|proposal| &proposal.event) else {
        panic!("a founding ends with a token")
    };
    let id = token.id;
    (proposals, id)
}
