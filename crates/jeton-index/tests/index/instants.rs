//! Ends: the instant of an end is already past it, for a token and for the grace of a replaced secret.

use jeton_core::change::Event;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{RetiringSecret, Token, TokenKind};
use jeton_index::{Dead, Index};

use crate::naive::Naive;

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// What a token and the secret it had before answer at an instant.
fn ends(expires_at: Option<Timestamp>, grace: Option<Timestamp>) -> impl Fn(Timestamp) -> [Option<Dead>; 2] {
    let (mut naive, first) = Naive::new();
    let index = Index::with_capacity(0);
    for change in &first {
        index.apply(change);
    }
    let owner = naive.members.values().next().unwrap().clone();
    let token = Token { expires_at, ..naive.new_token(&owner, TokenKind::Personal) };
    index.apply(&naive.happen(Event::TokenIssued { token: token.clone() }));
    let retiring = grace.map(|ends_at| RetiringSecret { record: token.secret, ends_at });
    let after = Token { secret: naive.new_secret(), retiring, ..token.clone() };
    index.apply(&naive.happen(Event::TokenRotated { before: token.clone(), after: after.clone() }));
    let built = naive.built();
    move |now| {
        [after.secret.digest, token.secret.digest].map(|digest| {
            let answer = index.find(&digest, now);
            assert_eq!(built.find(&digest, now).is_ok(), answer.is_ok());
            assert_eq!(
                index.authenticate(&digest, now).map(|caller| caller.token),
                answer.map(|it| it.token)
            );
            answer.err()
        })
    }
}

#[test]
fn an_end_is_past_at_its_own_instant() {
    let (alive, ended, unknown) = (None, Some(Dead::Expired), Some(Dead::Unknown));
    let cases = [
        // expires at, grace ends at, now, the secret, the one before it
        (Some(100), Some(50), 49, alive, alive),
        (Some(100), Some(50), 50, alive, ended),
        (Some(100), Some(50), 51, alive, ended),
        (Some(100), Some(50), 99, alive, ended),
        (Some(100), Some(50), 100, ended, ended),
        (Some(100), Some(50), i64::MAX, ended, ended),
        // A grace does not outlive the token.
        (Some(50), Some(100), 49, alive, alive),
        (Some(50), Some(100), 50, ended, ended),
        (Some(50), Some(100), 99, ended, ended),
        (Some(50), Some(50), 49, alive, alive),
        (Some(50), Some(50), 50, ended, ended),
        (None, Some(50), 49, alive, alive),
        (None, Some(50), 50, alive, ended),
        (None, Some(50), i64::MAX, alive, ended),
        (None, None, 0, alive, unknown),
        (None, None, i64::MAX, alive, unknown),
        (Some(50), None, 50, ended, unknown),
        // The far ends of time.
        (Some(1), Some(1), 0, alive, alive),
        (Some(1), Some(1), 1, ended, ended),
        (Some(i64::MAX), None, i64::MAX - 1, alive, unknown),
        (Some(i64::MAX), None, i64::MAX, ended, unknown),
        (Some(0), Some(0), 1, ended, ended),
        (Some(i64::MIN), Some(-1), 1, ended, ended),
    ];
    for (expires_at, grace, now, secret, before) in cases {
        let answers = ends(expires_at.map(at), grace.map(at))(at(now));
        assert_eq!(answers, [secret, before], "expires {expires_at:?}, grace {grace:?}, now {now}");
    }
}
