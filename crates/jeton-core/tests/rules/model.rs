//! The rules against the naive model: every answer is the one that the formula gives.

use jeton_core::command::{Amend, Issue};
use jeton_core::explain::explain;
use jeton_core::id::TokenId;
use jeton_core::policy::action;
use jeton_core::rule;
use jeton_core::token::Token;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::cast::{NOW, a_personal, answer, rename, rescope};
use crate::drawn::{
    Drawing, Drawn, DrawnToken, drawn, drawn_member, drawn_token, is_own, kind, request, with_resource,
};

pub(crate) fn config(cases: u32, seed: u64) -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(seed);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(2000, 1))]

    #[test]
    fn the_rules_answer_as_the_formula_does(
        first in drawn_member(),
        asking in drawn_token(),
        target in drawn_token(),
        scope in drawn(),
        service in any::<bool>(),
    ) {
        let drawing = Drawing::new(first);
        let (token, owner) = (drawing.token(&asking), drawing.member(asking.first));
        let caller = drawing.cast.caller(&token, &owner);
        for (action, on) in drawing.questions() {
            let allowed = with_resource(on, |resource| caller.may(action, resource));
            prop_assert_eq!(allowed, drawing.allowed(&asking, action, on), "{} on {:?}", action, on);
            let explained =
                with_resource(on, |resource| explain(&token, &owner, &drawing.cast, NOW, action, resource));
            prop_assert_eq!(explained.allowed, allowed, "{}", explained.sentence());
        }
        prop_assert_eq!(caller.is_administrator(), drawing.is_administrator(&asking));
        prop_assert_eq!(rule::may_list_all(&caller), drawing.is_administrator(&asking));

        let other = Token { id: TokenId::from_bytes([0xdd; 12]), ..drawing.token(&target) };
        prop_assert_eq!(rule::may_see(&caller, &other), drawing.sees(&asking, &target));
        let expected = |action| expected(&drawing, &asking, &target, action);
        let renamed = drawing.cast.amend(&caller, &other, &rename());
        prop_assert_eq!(answer(&renamed), expected(action::UPDATE_ACCESS_TOKEN_NAME));
        prop_assert_eq!(answer(&rule::revoke(&caller, &other, NOW)), expected(action::DELETE_ACCESS_TOKEN));
        let unbounded = drawing.cast.amend(&caller, &other, &Amend { expires_at: Some(None), ..rename() });
        let both = match expected(action::UPDATE_ACCESS_TOKEN_NAME) {
            "yes" => expected(action::UPDATE_ACCESS_TOKEN_EXPIRY),
            refused => refused,
        };
        prop_assert_eq!(answer(&unbounded), both);

        let rescoped = drawing.cast.amend(&caller, &other, &rescope(request(&scope)));
        let above = matches!(scope, Drawn::Base(role) if role > drawing.highest(&asking));
        let by_scope = match expected(action::UPDATE_ACCESS_TOKEN_POLICY) {
            "yes" if target.service => "fixed",
            "yes" if above => "role above",
            answer => answer,
        };
        prop_assert_eq!(answer(&rescoped), by_scope);

        let command = Issue { kind: kind(service), ..a_personal(&caller, request(&scope)) };
        let on = (!service).then_some(owner.id);
        let by_formula = match drawing.allowed(&asking, action::CREATE_ACCESS_TOKEN, on) {
            _ if asking.service && !service => "no personal by service",
            false => "not allowed",
            true if above => "role above",
            true => "yes",
        };
        prop_assert_eq!(answer(&drawing.cast.issue(&caller, &command)), by_formula);

        let rotated = drawing.cast.rotate(&caller, &other, &drawing.member(target.first));
        match expected(action::RESET_ACCESS_TOKEN) {
            "yes" if !target.service && !is_own(&asking, &target) => {
                prop_assert_eq!(answer(&rotated), "secret of another");
            }
            "yes" => check_strength(&drawing, &asking, &target, answer(&rotated))?,
            refused => prop_assert_eq!(answer(&rotated), refused),
        }
    }
}

/// What is answered about a token that is there.
fn expected(drawing: &Drawing, asking: &DrawnToken, target: &DrawnToken, action: &str) -> &'static str {
    let on = (!target.service).then_some(drawing.member(target.first).id);
    match drawing.allowed(asking, action, on) {
        true => "yes",
        false if drawing.sees(asking, target) => "not allowed",
        false => "no such token",
    }
}

/// A secret is handed out only if it is good for nothing that the caller may not; and surely if both are the same.
fn check_strength(
    drawing: &Drawing,
    asking: &DrawnToken,
    target: &DrawnToken,
    answer: &str,
) -> Result<(), TestCaseError> {
    let exceeds = |(action, on)| drawing.allowed(target, action, on) && !drawing.allowed(asking, action, on);
    match answer {
        "yes" => {
            prop_assert!(!drawing.questions().into_iter().any(exceeds), "it may what the caller may not");
            prop_assert!(drawing.is_administrator(asking) || !drawing.is_administrator(target));
        }
        other => {
            prop_assert_eq!(other, "stronger");
            prop_assert_ne!(asking, target);
        }
    }
    Ok(())
}
