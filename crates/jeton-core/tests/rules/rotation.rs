//! Rotation: a new secret, and how long the old one lasts.

use jeton_core::caller::authority_of;
use jeton_core::change::Event;
use jeton_core::command::Rotate;
use jeton_core::digest::Digest;
use jeton_core::id::TokenId;
use jeton_core::role::BaseRole::Writer;
use jeton_core::rule::{self, Issued};
use jeton_core::secret::LastFour;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{RetiringSecret, Scope, SecretRecord, Token, TokenKind};

use crate::cast::{Cast, LATER, NOW, after, answer, fresh, member, mint, personal, rename, service};

fn rotate(token: &Token, retire_at: Option<Timestamp>, fresh_number: u8) -> Issued {
    let cast = Cast::default();
    let owner = member(Writer);
    // Its owner's own unbounded token asks.
    let caller = cast.caller(&personal(&owner, Scope::Member), &owner);
    let theirs = authority_of(token, owner.clone().into(), &cast);
    let command = Rotate { retire_at };
    rule::rotate(&caller, token, &theirs, &command, &mint(), NOW, &fresh(fresh_number)).unwrap()
}

#[test]
fn the_old_secret_lasts_as_long_as_was_asked_and_no_longer() {
    let at = |millis| Some(Timestamp::from_millis(millis));
    let table = [
        // until when, and whether the old secret works for a while
        (None, false),
        (at(i64::MIN), false),
        (at(-1), false),
        (at(0), false),
        (at(NOW.as_millis() - 1), false),
        (at(NOW.as_millis()), false),
        (at(NOW.as_millis() + 1), true),
        (Some(LATER), true),
        (at(i64::MAX), true),
    ];
    let token = personal(&member(Writer), Scope::Member);
    for (retire_at, lasts) in table {
        let rotated = after(&rotate(&token, retire_at, 1).proposal);
        let expected =
            retire_at.filter(|_| lasts).map(|ends_at| RetiringSecret { record: token.secret, ends_at });
        assert_eq!(rotated.retiring, expected, "{retire_at:?}");
    }
}

#[test]
fn only_the_secret_and_the_time_of_change_are_new() {
    let token = personal(&member(Writer), Scope::Base(Writer));
    let issued = rotate(&token, Some(LATER), 1);
    let Event::TokenRotated { before, after } = &issued.proposal.event else { panic!("a rotation") };
    assert_eq!(*before, token);
    let same =
        Token { secret: token.secret, retiring: None, modified_at: token.modified_at, ..after.clone() };
    assert_eq!(same, token);
    assert_eq!(after.modified_at, NOW);
    assert_eq!(after.secret, mint().record(&issued.secret), "what is kept is of what is shown");
    assert_ne!(after.secret, token.secret);
}

#[test]
fn a_second_rotation_ends_the_oldest_secret_at_once() {
    let secret = |byte| SecretRecord {
        digest: Digest::from_bytes([byte; 32]),
        last_four: LastFour::parse("wxyz").unwrap(),
    };
    let retiring = Some(RetiringSecret { record: secret(1), ends_at: LATER });
    let during = Token { secret: secret(2), retiring, ..personal(&member(Writer), Scope::Member) };
    let again = after(&rotate(&during, Some(LATER), 1).proposal);
    assert_eq!(again.retiring, Some(RetiringSecret { record: secret(2), ends_at: LATER }));
    let again = after(&rotate(&during, None, 1).proposal);
    assert_eq!(again.retiring, None, "and both, if no grace is asked for");
}

#[test]
fn a_secret_says_what_kind_of_token_it_is_for() {
    let owner = member(Writer);
    let table = [
        (personal(&owner, Scope::Member), TokenKind::Personal, "jtn_pat_"),
        (service(&owner, Scope::Member), TokenKind::Service, "jtn_svc_"),
    ];
    let cast = Cast::default();
    for (token, kind, prefix) in table {
        assert_eq!(token.kind, kind);
        let caller = cast.caller(&token, &owner);
        // Each may reset itself if it may reset at all; an owner's scope may.
        let caller = if kind == TokenKind::Personal { caller } else { owners() };
        let theirs = authority_of(&token, owner.clone().into(), &cast);
        let issued =
            rule::rotate(&caller, &token, &theirs, &Rotate::default(), &mint(), NOW, &fresh(4)).unwrap();
        assert!(issued.secret.expose().starts_with(prefix));
        assert!(mint().format.recognize(issued.secret.expose()).is_ok());
    }
}

fn owners() -> jeton_core::caller::Caller {
    let owner = member(jeton_core::role::BaseRole::Owner);
    Cast::default().caller(&personal(&owner, Scope::Member), &owner)
}

#[test]
fn two_rotations_never_give_the_same_secret() {
    let token = personal(&member(Writer), Scope::Member);
    let one = rotate(&token, None, 1);
    let other = rotate(&token, None, 2);
    assert_ne!(one.secret.expose(), other.secret.expose());
    assert_ne!(after(&one.proposal).secret.digest, after(&other.proposal).secret.digest);
}

/// Whoever replaced a secret may have done so because somebody else had it. That one must not get the next.
#[test]
fn a_replaced_secret_cannot_take_its_token_over() {
    let cast = Cast::default();
    let owner = member(Writer);
    let token = personal(&owner, Scope::Member);
    let second = Token { id: TokenId::from_bytes([0xdd; 12]), ..token.clone() };
    let caller = cast.caller(&token, &owner);
    assert_eq!(answer(&cast.rotate(&caller, &token, &owner)), "yes");
    let replaced = caller.with_retiring_secret();
    assert_eq!(answer(&cast.rotate(&replaced, &token, &owner)), "retiring");
    // Until its grace ends it does all else that the token may.
    assert_eq!(answer(&cast.rotate(&replaced, &second, &owner)), "yes");
    assert_eq!(answer(&cast.amend(&replaced, &token, &rename())), "yes");
    assert_eq!(answer(&rule::revoke(&replaced, &token, NOW)), "yes");
}
