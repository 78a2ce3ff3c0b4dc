//! The table grows without losing anything, and does not grow for the dead.

use jeton_core::change::Event;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{RetiringSecret, Token, TokenKind};
use jeton_index::{Dead, Index};

use crate::naive::Naive;

const NOW: Timestamp = Timestamp::from_millis(1);
/// Several times what the smallest table holds.
const MANY: usize = 12_000;

fn started() -> (Naive, Index, jeton_core::member::Member) {
    let (naive, first) = Naive::new();
    let index = Index::with_capacity(0);
    for change in &first {
        index.apply(change);
    }
    let owner = naive.members.values().next().unwrap().as_ref().clone();
    (naive, index, owner)
}

#[test]
fn nothing_is_lost_when_the_table_grows() {
    let (mut naive, index, owner) = started();
    let mut tokens: Vec<Token> = Vec::new();
    for number in 0..MANY {
        let token = naive.new_token(&owner, TokenKind::Personal);
        index.apply(&naive.happen(Event::TokenIssued { token: token.clone() }));
        tokens.push(token);
        // Some from long ago, and all that are new, at whatever size the table has now.
        for token in tokens.iter().step_by(997).chain(tokens.last()) {
            assert_eq!(index.find(&token.secret.digest, NOW).unwrap().token, token.id, "after {number}");
        }
    }
    for token in &tokens {
        assert_eq!(index.find(&token.secret.digest, NOW).unwrap().token, token.id);
    }
    assert_eq!(index.image().secrets(), MANY);
    assert_eq!(index.image(), naive.built().image());
}

#[test]
fn two_secrets_of_a_token_stay_together_when_the_table_grows() {
    let (mut naive, index, owner) = started();
    for _ in 0..MANY / 4 {
        let before = naive.new_token(&owner, TokenKind::Service);
        index.apply(&naive.happen(Event::TokenIssued { token: before.clone() }));
        let ends_at = Timestamp::from_millis(100);
        let retiring = Some(RetiringSecret { record: before.secret, ends_at });
        let after = Token { secret: naive.new_secret(), retiring, ..before.clone() };
        index.apply(&naive.happen(Event::TokenRotated { before, after }));
    }
    for token in naive.tokens.values() {
        let retiring = token.retiring.unwrap().record;
        for digest in [token.secret.digest, retiring.digest] {
            assert_eq!(index.find(&digest, NOW).unwrap().token, token.id);
        }
    }
    assert_eq!(index.image().secrets(), 2 * (MANY / 4));
    assert_eq!(index.image(), naive.built().image());
}

#[test]
fn what_was_revoked_stays_dead_however_often_the_table_is_built_anew() {
    let (mut naive, index, owner) = started();
    let stays = naive.new_token(&owner, TokenKind::Personal);
    index.apply(&naive.happen(Event::TokenIssued { token: stays.clone() }));
    let mut gone = Vec::new();
    for _ in 0..MANY {
        let token = naive.new_token(&owner, TokenKind::Personal);
        gone.push(token.secret.digest);
        index.apply(&naive.happen(Event::TokenIssued { token: token.clone() }));
        index.apply(&naive.happen(Event::TokenRevoked { token }));
        assert_eq!(index.find(gone.last().unwrap(), NOW), Err(Dead::Unknown));
    }
    assert!(gone.iter().all(|digest| index.find(digest, NOW) == Err(Dead::Unknown)));
    assert_eq!(index.find(&stays.secret.digest, NOW).unwrap().token, stays.id);
    assert_eq!(index.image().secrets(), 1);
    assert_eq!(index.image(), naive.built().image());
}
