//! Cases about tokens: lists of them, rotation, revocation, use.

use jeton_core::change::Event;
use jeton_core::digest::Digest;
use jeton_core::id::TokenId;
use jeton_core::secret::LastFour;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{RetiringSecret, SecretRecord, Token};

use super::bench::Bench;
use super::fold::State;
use super::sample::NOW;
use crate::Store;

pub(super) async fn tokens_come_in_the_order_they_are_asked_for(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 50).await;
    let mut issued = Vec::new();
    for _ in 0..20 {
        issued.push(bench.token().await);
    }
    let missing = bench.draw.token();
    let orders: [&[usize]; 5] = [&[], &[3], &[0, 1, 2, 3], &[19, 0, 7, 3, 12], &[5, 5]];
    for order in orders {
        let mut ids: Vec<TokenId> = order.iter().map(|at| issued[*at].id).collect();
        ids.insert(ids.len() / 2, missing);
        let found = store.tokens(bench.account, &ids).await.unwrap();
        let found: Vec<Token> = found.into_iter().map(|stored| stored.token).collect();
        let expected: Vec<Token> = order.iter().map(|at| issued[*at].clone()).collect();
        assert_eq!(found, expected, "{order:?}");
    }
}

pub(super) async fn a_rotation_keeps_two_secrets_apart(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 51).await;
    let first = bench.token().await;
    let secret = |byte, last_four| SecretRecord {
        digest: Digest::from_bytes([byte; 32]),
        last_four: LastFour::parse(last_four).unwrap(),
    };
    let ends_at = Timestamp::from_millis(NOW.as_millis() + 3_600_000);
    let rotations = [
        (secret(1, "aaaa"), Some(RetiringSecret { record: first.secret, ends_at })),
        (
            secret(2, "bbbb"),
            Some(RetiringSecret { record: secret(1, "aaaa"), ends_at: Timestamp::from_millis(0) }),
        ),
        (secret(3, "cccc"), None),
    ];
    let mut before = first;
    for (secret, retiring) in rotations {
        let after = Token { secret, retiring, modified_at: ends_at, ..before.clone() };
        let revision = bench.write(Event::TokenRotated { before, after: after.clone() }).await.revision;
        before = Token { revision, ..after };
        assert_eq!(bench.stored(before.id).await.unwrap().token, before);
        let credential = &State::of_snapshot(store).await.credentials[&before.id];
        assert_eq!(credential.digest, secret.digest);
        assert_eq!(credential.retiring, retiring.map(|it| (it.record.digest, it.ends_at)));
    }
}

pub(super) async fn a_revoked_token_is_gone(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 52).await;
    let (gone, stays) = (bench.token().await, bench.token().await);
    let change = bench.write(Event::TokenRevoked { token: gone.clone() }).await;
    assert_eq!(change.event, Event::TokenRevoked { token: gone.clone() }, "the log keeps what it was");
    assert_eq!(bench.stored(gone.id).await, None);
    assert_eq!(store.tokens(bench.account, &[gone.id, stays.id]).await.unwrap().len(), 1);
    let left: Vec<TokenId> = State::of_snapshot(store).await.credentials.into_keys().collect();
    assert_eq!(left, [stays.id]);
    store.touch(&[(gone.id, NOW)], &[]).await.unwrap();
    assert_eq!(bench.stored(gone.id).await, None, "using a token that is gone does not bring it back");
}

pub(super) async fn an_instant_of_use_never_goes_backwards(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 53).await;
    let (used, unused) = (bench.token().await, bench.token().await);
    assert_eq!(bench.stored(used.id).await.unwrap().last_used_at, None, "never used");
    let steps = [(10, 10), (30, 30), (20, 30), (30, 30), (31, 31)];
    for (at, expected) in steps {
        store.touch(&[(used.id, Timestamp::from_millis(at))], &[]).await.unwrap();
        let last_used_at = bench.stored(used.id).await.unwrap().last_used_at;
        assert_eq!(last_used_at, Some(Timestamp::from_millis(expected)), "after {at}");
    }
    let batch = [(used.id, 50), (bench.draw.token(), 60), (used.id, 40)];
    store.touch(&batch.map(|(id, at)| (id, Timestamp::from_millis(at))), &[]).await.unwrap();
    assert_eq!(bench.stored(used.id).await.unwrap().last_used_at, Some(Timestamp::from_millis(50)));
    assert_eq!(bench.stored(unused.id).await.unwrap().last_used_at, None);
    store.touch(&[], &[]).await.unwrap();
}

pub(super) async fn using_a_token_is_no_change(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 54).await;
    let token = bench.token().await;
    let before = (State::of_snapshot(store).await, bench.log().await);
    store.touch(&[(token.id, NOW)], &[]).await.unwrap();
    assert_eq!((State::of_snapshot(store).await, bench.log().await), before);
    assert_eq!(bench.stored(token.id).await.unwrap().token, token);

    let after = Token { name: "renamed".to_owned(), ..token.clone() };
    let revision = bench.write(Event::TokenChanged { before: token.clone(), after }).await.revision;
    assert_eq!(revision, before.0.revision.next(), "a use takes no revision");
    assert_eq!(bench.stored(token.id).await.unwrap().last_used_at, Some(NOW), "a change is no use");
}
