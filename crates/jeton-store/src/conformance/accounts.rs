//! Cases about accounts: nothing of one is found by asking in the name of another.

use jeton_core::change::{Actor, Event, Proposal};

use super::bench::{Bench, committed};
use super::sample::{self, NOW};
use crate::Store;
use jeton_core::token::TokenKind;

pub(super) async fn accounts_are_walls(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 70).await;
    let here = bench.token().await;
    let other = bench.another_account().await;
    let stranger = sample::member(&mut bench.draw, other.id, 1000);
    let there = sample::token(&mut bench.draw, other.id, stranger.id, TokenKind::Service);
    let events =
        [Event::MemberAdded { member: stranger.clone() }, Event::TokenIssued { token: there.clone() }];
    for event in events {
        let proposal =
            Proposal { at: NOW, account: other.id, actor: Actor::System, event, expects: Vec::new() };
        assert_eq!(committed(bench.one(proposal).await).account, other.id);
    }

    assert!(store.token(bench.account, here.id).await.unwrap().is_some());
    assert!(store.token(other.id, there.id).await.unwrap().is_some());
    assert_eq!(store.token(other.id, here.id).await.unwrap(), None);
    assert_eq!(store.token(bench.account, there.id).await.unwrap(), None);

    let both = [there.id, here.id];
    for (account, id) in [(bench.account, here.id), (other.id, there.id)] {
        let found = store.tokens(account, &both).await.unwrap();
        assert_eq!(found.iter().map(|stored| stored.token.id).collect::<Vec<_>>(), [id]);
    }

    assert!(store.member(other.id, stranger.id).await.unwrap().is_some());
    assert_eq!(store.member(bench.account, stranger.id).await.unwrap(), None);
    assert_eq!(store.member(other.id, bench.owner.id).await.unwrap(), None);
}
