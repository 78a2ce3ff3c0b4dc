//! Limits: what is just allowed, and what is one too many.

use jeton_core::command::{Amend, Issue, ScopeRequest};
use jeton_core::limits::Limits;
use jeton_core::refusal::Refusal;
use jeton_core::role::BaseRole::{Owner, Reader};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{Scope, Token};

use crate::cast::{Cast, NOW, a_personal, account, after, answer, member, personal, policy, rescope};

fn cast() -> Cast {
    Cast { limits: Limits { tokens: 5, text_bytes: 8, roles: 2, ..Limits::default() }, ..Cast::default() }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + millis)
}

#[test]
fn an_account_holds_so_many_tokens() {
    let owner = member(Owner);
    for (tokens, expected) in [(0, "yes"), (4, "yes"), (5, "account full"), (6, "account full")] {
        let cast = Cast { tokens, ..cast() };
        let caller = cast.caller(&personal(&owner, Scope::Member), &owner);
        let result = cast.issue(&caller, &a_personal(&caller, ScopeRequest::Member));
        assert_eq!(answer(&result), expected, "{tokens}");
    }
}

#[test]
fn texts_are_counted_in_bytes_and_kept_as_they_are() {
    let cast = cast();
    let owner = member(Owner);
    let token = personal(&owner, Scope::Member);
    let caller = cast.caller(&token, &owner);
    for (text, fits) in
        [("", true), ("12345678", true), ("123456789", false), ("äöüß", true), ("äöüß!", false)]
    {
        let named = Issue { name: text.to_owned(), ..a_personal(&caller, ScopeRequest::Member) };
        let described = Issue {
            description: text.to_owned(),
            name: String::new(),
            ..a_personal(&caller, ScopeRequest::Member)
        };
        let rename = Amend { name: Some(text.to_owned()), ..Amend::default() };
        let redescribe = Amend { description: Some(text.to_owned()), ..Amend::default() };
        let results = [
            ("name", cast.issue(&caller, &named).map(|issued| after(&issued.proposal).name)),
            (
                "description",
                cast.issue(&caller, &described).map(|issued| after(&issued.proposal).description),
            ),
            ("name", cast.amend(&caller, &token, &rename).map(|proposal| after(&proposal.unwrap()).name)),
            (
                "description",
                cast.amend(&caller, &token, &redescribe).map(|it| after(&it.unwrap()).description),
            ),
        ];
        for (field, result) in results {
            let expected =
                if fits { Ok(text.to_owned()) } else { Err(Refusal::TextTooLong { field, limit: 8 }) };
            assert_eq!(result, expected, "{field} {text:?}");
        }
    }
}

#[test]
fn a_token_holds_so_many_roles() {
    let mut cast = cast();
    for key in ["a", "b", "c"] {
        cast.define(account(), key, policy(&[]));
    }
    let owner = member(Owner);
    let token = personal(&owner, Scope::Member);
    let caller = cast.caller(&token, &owner);
    let ids = |keys: &[usize]| Scope::Roles(keys.iter().map(|at| cast.roles[*at].id).collect());
    let by_id = cast.roles[0].id.to_string();
    let table = [
        (vec![], Ok(ids(&[]))),
        (vec!["b", "a"], Ok(ids(&[1, 0]))),
        // Once by key and once by id is once.
        (vec!["a", by_id.as_str()], Ok(ids(&[0]))),
        (vec!["a", "b", "c"], Err("too many roles")),
        (vec!["a", "x"], Err("no such role")),
    ];
    for (names, expected) in table {
        let request = ScopeRequest::Roles(names.iter().map(ToString::to_string).collect());
        let issued = cast.issue(&caller, &a_personal(&caller, request.clone()));
        let amended = cast.amend(&caller, &token, &rescope(request));
        match expected {
            Ok(scope) => {
                assert_eq!(after(&issued.unwrap().proposal).scope, scope, "{names:?}");
                assert_eq!(after(&amended.unwrap().unwrap()).scope, scope, "{names:?}");
            }
            Err(expected) => {
                assert_eq!((answer(&issued), answer(&amended)), (expected, expected), "{names:?}");
            }
        }
    }
}

#[test]
fn an_end_lies_in_the_future() {
    let cast = cast();
    let owner = member(Owner);
    let token = personal(&owner, Scope::Member);
    let caller = cast.caller(&token, &owner);
    let table = [
        (None, "yes"),
        (Some(at(1)), "yes"),
        (Some(Timestamp::from_millis(i64::MAX)), "yes"),
        (Some(at(0)), "past"),
        (Some(at(-1)), "past"),
        (Some(Timestamp::from_millis(0)), "past"),
        (Some(Timestamp::from_millis(i64::MIN)), "past"),
    ];
    for (expires_at, expected) in table {
        let issue = Issue { expires_at, ..a_personal(&caller, ScopeRequest::Member) };
        assert_eq!(answer(&cast.issue(&caller, &issue)), expected, "{expires_at:?}");
        let amend = Amend { expires_at: Some(expires_at), ..Amend::default() };
        assert_eq!(answer(&cast.amend(&caller, &token, &amend)), expected, "{expires_at:?}");
    }
    // An end that is past already may be left as it is, moved, or taken away.
    let ended = Token { expires_at: Some(at(-5)), ..token };
    for (expires_at, expected) in
        [(Some(at(-5)), "yes"), (Some(at(-4)), "past"), (Some(at(9)), "yes"), (None, "yes")]
    {
        let amend = Amend { expires_at: Some(expires_at), name: Some("n".to_owned()), ..Amend::default() };
        assert_eq!(answer(&cast.amend(&caller, &ended, &amend)), expected, "{expires_at:?}");
    }
}

/// Who may not ask at all learns nothing of what was wrong with the question.
#[test]
fn permission_is_asked_before_anything_else() {
    let cast = Cast { tokens: 99, ..cast() };
    let owner = member(Owner);
    let token = personal(&owner, Scope::Base(Reader));
    let caller = cast.caller(&token, &owner);
    let issue = Issue {
        name: "far too long".to_owned(),
        expires_at: Some(at(-1)),
        ..a_personal(&caller, ScopeRequest::Roles(vec!["nobody's".to_owned(); 9]))
    };
    assert_eq!(answer(&cast.issue(&caller, &issue)), "not allowed");
    let amend = Amend {
        name: Some("far too long".to_owned()),
        scope: Some(ScopeRequest::Roles(vec!["nobody's".to_owned(); 9])),
        expires_at: Some(Some(at(-1))),
        ..Amend::default()
    };
    assert_eq!(answer(&cast.amend(&caller, &token, &amend)), "not allowed");
}
