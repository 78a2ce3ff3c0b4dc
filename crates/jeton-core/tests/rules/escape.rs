//! No way out: whatever somebody does with a token, with what it makes and with what it changes, no secret that they get
//! is good for anything that the token they began with was not.

use jeton_core::authority::Authority;
use jeton_core::caller::authority_of;
use jeton_core::command::Issue;
use jeton_core::id::TokenId;
use jeton_core::rule;
use jeton_core::token::{Token, TokenKind};
use proptest::prelude::*;

use crate::cast::{NOW, a_personal, after, rescope};
use crate::drawn::{Drawing, Drawn, drawn, drawn_member, drawn_token, kind, request, with_resource};
use crate::model::config;

/// What is tried: with which of the tokens in hand, on which of all tokens.
#[derive(Clone, Debug)]
enum Try {
    Issue { with: usize, service: bool, scope: Drawn },
    Rescope { with: usize, on: usize, scope: Drawn },
    Rotate { with: usize, on: usize },
    Revoke { with: usize, on: usize },
}

fn attempt() -> impl Strategy<Value = Try> {
    let at = || 0..100_usize;
    prop_oneof![
        3 => (at(), any::<bool>(), drawn()).prop_map(|(with, service, scope)| Try::Issue { with, service, scope }),
        3 => (at(), at(), drawn()).prop_map(|(with, on, scope)| Try::Rescope { with, on, scope }),
        3 => (at(), at()).prop_map(|(with, on)| Try::Rotate { with, on }),
        1 => (at(), at()).prop_map(|(with, on)| Try::Revoke { with, on }),
    ]
}

/// All tokens, and whether their secret is in the hands of whoever tries.
struct Tokens {
    drawing: Drawing,
    all: Vec<(Token, bool)>,
}

impl Tokens {
    fn authority(&self, token: &Token) -> Authority {
        let owner = [true, false].map(|first| self.drawing.member(first));
        let owner = owner.into_iter().find(|member| member.id == token.owner).unwrap();
        authority_of(token, owner.into(), &self.drawing.cast)
    }

    fn take(&mut self, attempt: &Try) {
        let (Try::Issue { with, .. }
        | Try::Rescope { with, .. }
        | Try::Rotate { with, .. }
        | Try::Revoke { with, .. }) = attempt;
        let in_hand: Vec<&Token> =
            self.all.iter().filter(|(_, mine)| *mine).map(|(token, _)| token).collect();
        let Some(token) = in_hand.get(with % in_hand.len().max(1)).map(|token| Token::clone(token)) else {
            return;
        };
        let cast = &self.drawing.cast;
        let owner = [true, false].map(|first| self.drawing.member(first));
        let owner_of = |token: &Token| owner.iter().find(|member| member.id == token.owner).unwrap();
        let caller = cast.caller(&token, owner_of(&token));
        match attempt {
            Try::Issue { service, scope, .. } => {
                let command = Issue { kind: kind(*service), ..a_personal(&caller, request(scope)) };
                if let Ok(issued) = cast.issue(&caller, &command) {
                    let id = TokenId::from_bytes([u8::try_from(self.all.len()).unwrap(); 12]);
                    self.all.push((Token { id, ..after(&issued.proposal) }, true));
                }
            }
            Try::Rescope { on, scope, .. } => {
                let place = on % self.all.len();
                let command = rescope(request(scope));
                if let Ok(Some(proposal)) = cast.amend(&caller, &self.all[place].0, &command) {
                    self.all[place].0 = after(&proposal);
                }
            }
            Try::Rotate { on, .. } => {
                let place = on % self.all.len();
                let token = self.all[place].0.clone();
                if cast.rotate(&caller, &token, owner_of(&token)).is_ok() {
                    self.all[place].1 = true;
                }
            }
            Try::Revoke { on, .. } => {
                let place = on % self.all.len();
                if rule::revoke(&caller, &self.all[place].0, NOW).is_ok() {
                    self.all.remove(place);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(config(800, 2))]

    #[test]
    fn a_ceiling_cannot_be_escaped(
        first in drawn_member(),
        start in drawn_token(),
        others in proptest::collection::vec(drawn_token(), 0..4),
        attempts in proptest::collection::vec(attempt(), 1..25),
    ) {
        let drawing = Drawing::new(first);
        let questions = drawing.questions();
        let real = |(number, drawn): (u8, _)| {
            (Token { id: TokenId::from_bytes([0xd0 + number; 12]), ..drawing.token(drawn) }, number == 0)
        };
        let all: Vec<_> = (0..).zip(std::iter::once(&start).chain(&others)).map(real).collect();
        let mut tokens = Tokens { drawing, all };
        let bound = tokens.authority(&tokens.all[0].0);
        for attempt in &attempts {
            tokens.take(attempt);
            for (token, _) in tokens.all.iter().filter(|(_, mine)| *mine) {
                let has = tokens.authority(token);
                for (action, on) in &questions {
                    let gained = with_resource(*on, |resource| {
                        has.allows(action, resource) && !bound.allows(action, resource)
                    });
                    prop_assert!(!gained, "{action} on {on:?} by {attempt:?}: {token:?}");
                }
                prop_assert!(bound.is_administrator() || !has.is_administrator(), "by {attempt:?}: {token:?}");
                let persons = token.kind == TokenKind::Personal;
                prop_assert!(!persons || !start.service, "a service token got a person's secret by {attempt:?}");
            }
        }
    }
}
