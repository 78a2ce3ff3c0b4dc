//! Accounts are walls: to the owner of one, what is in another does not exist.

use std::sync::Arc;

use jeton_core::command::{Amend, ScopeRequest};
use jeton_core::id::{MemberId, TokenId};
use jeton_core::member::Member;
use jeton_core::policy::Effect::Allow;
use jeton_core::refusal::Refusal;
use jeton_core::role::BaseRole::{Owner, Reader};
use jeton_core::rule;
use jeton_core::token::{Scope, Token};

use crate::cast::{
    Cast, NOW, a_personal, account, answer, inline, member, other_account, personal, policy, rename, rescope,
    service,
};

/// The owner of another account, and what they have there.
fn abroad() -> (Member, [Token; 2]) {
    let owner = Member { id: MemberId::from_bytes([0xab; 12]), account: other_account(), ..member(Owner) };
    let id = |byte| TokenId::from_bytes([byte; 12]);
    let scope = Scope::Base(Reader);
    let tokens = [
        Token {
            id: id(0xb1),
            ..personal(&Member { id: MemberId::from_bytes([0; 12]), ..owner.clone() }, scope.clone())
        },
        Token {
            id: id(0xb2),
            ..service(&Member { id: MemberId::from_bytes([0; 12]), ..owner.clone() }, scope)
        },
    ];
    let tokens = tokens.map(|token| Token { owner: owner.id, ..token });
    (owner, tokens)
}

#[test]
fn a_token_of_another_account_does_not_exist() {
    let cast = Cast::default();
    let (stranger, tokens) = abroad();
    let owner = member(Owner);
    for scope in [Scope::Member, Scope::Base(Owner), inline(&[(Allow, "*", "*")])] {
        let caller = cast.caller(&personal(&owner, scope.clone()), &owner);
        for token in &tokens {
            let kind = token.kind;
            assert!(!rule::may_see(&caller, token), "{scope:?} {kind:?}");
            let commands = [
                rename(),
                rescope(ScopeRequest::Base(Reader)),
                Amend { expires_at: Some(None), ..Amend::default() },
                Amend::default(),
            ];
            for command in commands {
                let result = cast.amend(&caller, token, &command);
                assert_eq!(answer(&result), "no such token", "{scope:?} {kind:?} {command:?}");
            }
            assert_eq!(answer(&rule::revoke(&caller, token, NOW)), "no such token", "{scope:?} {kind:?}");
            assert_eq!(
                answer(&cast.rotate(&caller, token, &stranger)),
                "no such token",
                "{scope:?} {kind:?}"
            );
        }
    }
}

/// The refusal is the very one for a token that never was: nothing in it tells that there is one elsewhere.
#[test]
fn what_is_behind_the_wall_is_refused_like_what_never_was() {
    let cast = Cast::default();
    let (_, [token, _]) = abroad();
    let owner = member(Owner);
    let caller = cast.caller(&personal(&owner, Scope::Member), &owner);
    assert_eq!(rule::revoke(&caller, &token, NOW).unwrap_err(), Refusal::NoSuchToken);
    assert_eq!(Refusal::NoSuchToken.to_string(), "There is no such access token");
}

#[test]
fn a_role_of_another_account_does_not_exist() {
    let mut cast = Cast::default();
    let everything = policy(&[(Allow, "*", "*")]);
    let abroad = cast.define(other_account(), "abroad", everything.clone());
    let here = cast.define(account(), "here", everything);
    let owner = member(Owner);
    let caller = cast.caller(&personal(&owner, Scope::Member), &owner);
    let table = [
        (here.to_string(), "yes"),
        ("here".to_owned(), "yes"),
        (abroad.to_string(), "no such role"),
        ("abroad".to_owned(), "no such role"),
        ("HERE".to_owned(), "no such role"),
        (String::new(), "no such role"),
    ];
    for (name, expected) in table {
        let request = ScopeRequest::Roles(vec!["here".to_owned(), name.clone()]);
        let result = cast.issue(&caller, &a_personal(&caller, request));
        assert_eq!(answer(&result), expected, "{name}");
        if expected == "no such role" {
            assert_eq!(result.unwrap_err(), Refusal::NoSuchRole { name });
        }
    }
    // Nor does one count that a token names all the same.
    let token = personal(&owner, Scope::Roles(vec![abroad]));
    let caller = cast.caller(&token, &owner);
    assert_eq!(answer(&rule::revoke(&caller, &token, NOW)), "not allowed");
}

#[test]
fn a_member_of_another_account_does_not_exist() {
    let cast = Cast::default();
    let (stranger, _) = abroad();
    let reader = member(Reader);
    let owner = member(Owner);
    // who asks, about whom, what is answered
    let table = [
        (&owner, Some(&owner), "yes"),
        (&owner, Some(&reader), "yes"),
        (&owner, Some(&stranger), "no such member"),
        (&owner, None, "no such member"),
        (&reader, Some(&reader), "yes"),
        // To who is no administrator all others are alike, those that don't exist among them.
        (&reader, Some(&owner), "administrators only"),
        (&reader, Some(&stranger), "administrators only"),
        (&reader, None, "administrators only"),
    ];
    for (asker, about, expected) in table {
        let caller = cast.caller(&personal(asker, Scope::Member), asker);
        let result = rule::tokens_of(&caller, about.map(|member| Arc::new(member.clone())));
        assert_eq!(answer(&result), expected, "{} about {about:?}", asker.role.as_str());
    }
    // A service token has no tokens of its own to turn to.
    let caller = cast.caller(&service(&reader, Scope::Member), &reader);
    assert_eq!(answer(&rule::tokens_of(&caller, Some(Arc::new(reader)))), "administrators only");
}
