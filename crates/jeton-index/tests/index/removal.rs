//! What is gone is gone: the tokens of a removed member, and a secret that comes back with another token.

use jeton_core::change::Event;
use jeton_core::member::{Member, Standing};
use jeton_core::role::BaseRole;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{RetiringSecret, Scope, SecretRecord, Token, TokenKind};
use jeton_index::{Dead, Index};

use crate::naive::Naive;

const NOW: Timestamp = Timestamp::from_millis(1);

fn started() -> (Naive, Index) {
    let (naive, first) = Naive::new();
    let index = Index::with_capacity(0);
    for change in &first {
        index.apply(change);
    }
    (naive, index)
}

fn standing(naive: &mut Naive, index: &Index, standing: Standing) {
    let before = naive.members.values().next().unwrap().as_ref().clone();
    let after = Member { standing, ..before.clone() };
    index.apply(&naive.happen(Event::MemberChanged { before, after }));
}

#[test]
fn the_personal_tokens_of_a_removed_member_are_gone_and_no_longer_counted() {
    let (mut naive, index) = started();
    let owner = naive.members.values().next().unwrap().as_ref().clone();
    for kind in [TokenKind::Personal, TokenKind::Service] {
        for _ in 0..3 {
            let plain = naive.new_token(&owner, kind);
            let token = Token { scope: Scope::Base(BaseRole::Reader), ..plain };
            index.apply(&naive.happen(Event::TokenIssued { token: token.clone() }));
            let retiring =
                Some(RetiringSecret { record: token.secret, ends_at: Timestamp::from_millis(100) });
            let after = Token { secret: naive.new_secret(), retiring, ..token.clone() };
            index.apply(&naive.happen(Event::TokenRotated { before: token, after }));
        }
    }
    let digests = naive.digests.clone();
    standing(&mut naive, &index, Standing::Removed);
    let answers: Vec<_> = digests.iter().map(|digest| index.find(digest, NOW).err()).collect();
    let (personal, service) = answers.split_at(6);
    assert!(
        personal.iter().all(|answer| *answer == Some(Dead::Unknown)),
        "as in an index built anew: {answers:?}"
    );
    assert!(digests[..6].iter().all(|digest| index.why(digest, NOW) == Some(Dead::OwnerInactive)));
    assert!(service.iter().all(Option::is_none), "a service token outlives its maker: {answers:?}");
    assert_eq!(index.image().secrets(), 6);
    assert_eq!(index.image(), naive.built().image());
    assert_eq!(index.tokens_of_account(owner.account), 3);

    // No event brings a removed member back today; if one ever does, it must not bring back the tokens.
    standing(&mut naive, &index, Standing::Active);
    assert!(digests[..6].iter().all(|digest| index.find(digest, NOW) == Err(Dead::Unknown)));
    assert_eq!(index.image(), naive.built().image());
}

#[test]
fn a_block_is_undone_and_the_tokens_come_back() {
    let (mut naive, index) = started();
    let owner = naive.members.values().next().unwrap().as_ref().clone();
    let token = naive.new_token(&owner, TokenKind::Personal);
    let digest = token.secret.digest;
    index.apply(&naive.happen(Event::TokenIssued { token: token.clone() }));
    for off in [Standing::Blocked, Standing::Pending] {
        standing(&mut naive, &index, off);
        assert_eq!(index.find(&digest, NOW), Err(Dead::OwnerInactive));
        assert_eq!(index.authenticate(&digest, NOW).unwrap_err(), Dead::OwnerInactive);
        assert_eq!(index.tokens_of_account(owner.account), 1, "it is still listed");
        standing(&mut naive, &index, Standing::Active);
        assert_eq!(index.authenticate(&digest, NOW).unwrap().token, token.id);
    }
}

/// What is known of the dead is that of their last death, and is forgotten when the table is built anew.
#[test]
fn why_a_secret_is_good_for_nothing_is_known_until_the_table_is_built_anew() {
    let (mut naive, index) = started();
    let owner = naive.members.values().next().unwrap().as_ref().clone();
    let first = naive.new_token(&owner, TokenKind::Personal);
    let digest = first.secret.digest;
    let why = |at: i64| index.why(&digest, Timestamp::from_millis(at));
    assert_eq!(why(1), Some(Dead::Unknown));
    index.apply(&naive.happen(Event::TokenIssued { token: first.clone() }));
    assert_eq!(why(1), None);
    let replaced_by = |naive: &mut Naive, ends_at: Option<i64>| {
        let ends_at = ends_at.map(Timestamp::from_millis);
        let retiring = ends_at.map(|ends_at| RetiringSecret { record: first.secret, ends_at });
        Token { secret: naive.new_secret(), retiring, ..first.clone() }
    };
    let rotated = replaced_by(&mut naive, Some(50));
    index.apply(&naive.happen(Event::TokenRotated { before: first.clone(), after: rotated.clone() }));
    assert_eq!([why(49), why(50)], [None, Some(Dead::Replaced)], "the end of its grace");
    index.apply(&naive.happen(Event::TokenRevoked { token: rotated }));
    assert_eq!([why(49), why(50)], [Some(Dead::Revoked); 2], "with its token");
    let second = naive.new_token(&owner, TokenKind::Personal);
    let second = Token { secret: first.secret, ..second };
    index.apply(&naive.happen(Event::TokenIssued { token: second.clone() }));
    assert_eq!(why(1), None, "it came back");
    let without_grace = replaced_by(&mut naive, None);
    let after = Token { secret: without_grace.secret, ..second.clone() };
    index.apply(&naive.happen(Event::TokenRotated { before: second, after }));
    assert_eq!(why(1), Some(Dead::Replaced));
    // More than the smallest table has room for.
    for _ in 0..2000 {
        let token = naive.new_token(&owner, TokenKind::Personal);
        index.apply(&naive.happen(Event::TokenIssued { token: token.clone() }));
        index.apply(&naive.happen(Event::TokenRevoked { token }));
    }
    assert_eq!(why(1), Some(Dead::Unknown));
}

/// A secret that was made elsewhere can be imported, revoked, and imported again.
#[test]
fn a_secret_that_comes_back_belongs_to_the_token_it_came_back_with() {
    let (mut naive, index) = started();
    let owner = naive.members.values().next().unwrap().as_ref().clone();
    let mut digest = None;
    for role in BaseRole::ALL {
        let plain = naive.new_token(&owner, TokenKind::Personal);
        let digest = *digest.get_or_insert(plain.secret.digest);
        let secret = SecretRecord { digest, ..plain.secret };
        let token = Token { scope: Scope::Base(role), secret, ..plain };
        index.apply(&naive.happen(Event::TokenIssued { token: token.clone() }));
        let caller = index.authenticate(&digest, NOW).unwrap();
        assert_eq!(caller.token, token.id);
        assert_eq!(caller.inherent().highest_base_role(), role);
        assert_eq!(index.image(), naive.built().image());
        index.apply(&naive.happen(Event::TokenRevoked { token }));
        assert_eq!(index.find(&digest, NOW), Err(Dead::Unknown));
        assert_eq!(index.image(), naive.built().image());
    }
}
