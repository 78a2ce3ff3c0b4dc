//! Ceilings: what a narrow token makes or changes stays as narrow as itself, for ever.

use jeton_core::authority::{Authority, Grant, MAX_GRANTS, MAX_WEIGHT, PolicyGrant};
use jeton_core::command::{Issue, ScopeRequest};
use jeton_core::id::TokenId;
use jeton_core::member::Member;
use jeton_core::policy::Effect::{Allow, Deny};
use jeton_core::policy::Policy;
use jeton_core::refusal::Refusal;
use jeton_core::role::BasePermissions;
use jeton_core::role::BaseRole::{Admin, Owner, Reader, Writer};
use jeton_core::rule;
use jeton_core::token::{Scope, Token};

use crate::cast::{
    Cast, NOW, a_personal, a_service, after, answer, inline, member, personal, policy, rescope, service,
};

/// May create and rescope personal tokens, and nothing else.
fn narrow() -> Policy {
    policy(&[
        (Allow, "createAccessToken", "member/*:token/*"),
        (Allow, "updateAccessTokenPolicy", "member/*:token/*"),
        (Allow, "resetAccessToken", "member/*:token/*"),
    ])
}

fn bound(policy: Policy) -> Grant {
    Grant::AnyOf(vec![PolicyGrant { base_permissions: BasePermissions::Reader, policy }])
}

/// A narrow token of an owner.
fn narrow_token() -> (Token, Member) {
    let owner = member(Owner);
    (personal(&owner, Scope::Inline(narrow())), owner)
}

#[test]
fn a_narrow_token_cannot_make_a_wide_one() {
    let cast = Cast::default();
    let (token, owner) = narrow_token();
    let caller = cast.caller(&token, &owner);
    let wide =
        [ScopeRequest::Member, ScopeRequest::Base(Owner), ScopeRequest::Inline(policy(&[(Allow, "*", "*")]))];
    for request in wide {
        let made = after(&cast.issue(&caller, &a_personal(&caller, request.clone())).unwrap().proposal);
        assert_eq!(made.ceiling, Authority::all_of([bound(narrow())]), "{request:?}");
        let caller = cast.caller(&made, &owner);
        assert!(!caller.is_administrator());
        assert_eq!(answer(&rule::revoke(&caller, &token, NOW)), "not allowed", "{request:?}");
        assert_eq!(answer(&cast.issue(&caller, &a_service(&caller, request.clone()))), "not allowed");
        // Nor can what it made, however often that goes on.
        let again = after(&cast.issue(&caller, &a_personal(&caller, request.clone())).unwrap().proposal);
        let caller = cast.caller(&again, &owner);
        assert_eq!(answer(&rule::revoke(&caller, &token, NOW)), "not allowed", "{request:?}");
    }
}

#[test]
fn a_narrow_token_cannot_widen_itself() {
    let cast = Cast::default();
    let (token, owner) = narrow_token();
    let caller = cast.caller(&token, &owner);
    let widened = cast.amend(&caller, &token, &rescope(ScopeRequest::Base(Owner))).unwrap().unwrap();
    let widened = after(&widened);
    assert_eq!(widened.scope, Scope::Base(Owner));
    assert_eq!(widened.ceiling, Authority::all_of([bound(narrow())]));
    let caller = cast.caller(&widened, &owner);
    assert_eq!(answer(&rule::revoke(&caller, &token, NOW)), "not allowed");
    assert!(!rule::may_list_all(&caller));
}

/// The other token was wide before, and whoever holds it sees that it is not any more. But nobody gained anything.
#[test]
fn a_narrow_token_takes_others_down_to_its_own_bound() {
    let cast = Cast::default();
    let (token, owner) = narrow_token();
    let caller = cast.caller(&token, &owner);
    let other = Token { id: TokenId::from_bytes([0xdd; 12]), ..personal(&owner, Scope::Base(Reader)) };
    let changed = cast.amend(&caller, &other, &rescope(ScopeRequest::Base(Owner))).unwrap().unwrap();
    let changed = after(&changed);
    assert_eq!(changed.ceiling, Authority::all_of([bound(narrow())]));
    assert_eq!(answer(&rule::revoke(&cast.caller(&changed, &owner), &token, NOW)), "not allowed");
}

#[test]
fn a_narrow_token_cannot_reset_a_stronger_one() {
    let cast = Cast::default();
    let (token, owner) = narrow_token();
    let caller = cast.caller(&token, &owner);
    let other = |scope, ceiling| Token {
        id: TokenId::from_bytes([0xdd; 12]),
        ceiling: Authority::all_of(ceiling),
        ..personal(&owner, scope)
    };
    let wider = policy(&[(Allow, "*", "member/*:token/*")]);
    let table = [
        ("itself", token.clone(), "yes"),
        ("as narrow", other(Scope::Inline(narrow()), vec![]), "yes"),
        ("bounded by the same", other(Scope::Member, vec![bound(narrow())]), "yes"),
        ("bounded by more", other(Scope::Base(Reader), vec![bound(narrow()), bound(wider.clone())]), "yes"),
        ("wide", other(Scope::Member, vec![]), "stronger"),
        ("admin", other(Scope::Base(Admin), vec![]), "stronger"),
        ("another policy", other(Scope::Inline(wider.clone()), vec![]), "stronger"),
        ("bounded by another", other(Scope::Member, vec![bound(wider)]), "stronger"),
        // Whether one policy contains another is never worked out: what is not the same is refused.
        ("narrower, but not the same", other(inline(&[(Deny, "*", "*")]), vec![]), "stronger"),
    ];
    for (what, token, expected) in table {
        assert_eq!(answer(&cast.rotate(&caller, &token, &owner)), expected, "{what}");
    }
}

/// A base role as a bound is compared as a policy is: only what has the very same bound is covered by it.
#[test]
fn a_bound_by_a_base_role_is_a_bound_too() {
    let cast = Cast::default();
    let owner = member(Owner);
    for role in [Reader, Writer] {
        let bound = Grant::Member { id: owner.id, role };
        let bounded = |byte| Token {
            id: TokenId::from_bytes([byte; 12]),
            ceiling: Authority::all_of([bound.clone()]),
            ..personal(&owner, Scope::Member)
        };
        let caller = cast.caller(&bounded(0xd1), &owner);
        let unbounded = personal(&owner, Scope::Member);
        assert_eq!(answer(&cast.rotate(&caller, &bounded(0xd2), &owner)), "yes", "{role:?}");
        assert_eq!(answer(&cast.rotate(&caller, &unbounded, &owner)), "stronger", "{role:?}");
        let admins = personal(&owner, Scope::Base(Admin));
        assert_eq!(answer(&cast.rotate(&caller, &admins, &owner)), "stronger", "{role:?}");
    }
}

#[test]
fn an_administrator_cannot_reset_what_only_an_owner_could_make() {
    let cast = Cast::default();
    let (admin, owner) = (member(Admin), member(Owner));
    let caller = cast.caller(&personal(&admin, Scope::Base(Admin)), &admin);
    let table = [
        (service(&owner, Scope::Base(Admin)), "yes"),
        (service(&owner, Scope::Base(Reader)), "yes"),
        (service(&owner, inline(&[(Allow, "*", "*")])), "yes"),
        (service(&admin, Scope::Member), "yes"),
        (service(&owner, Scope::Base(Owner)), "stronger"),
        (service(&owner, Scope::Member), "stronger"),
    ];
    for (token, expected) in table {
        let result = cast.rotate(&caller, &token, &owner_of(&token));
        assert_eq!(answer(&result), expected, "{:?}", token.scope);
    }
}

fn owner_of(token: &Token) -> Member {
    [Admin, Owner].map(member).into_iter().find(|member| member.id == token.owner).unwrap()
}

/// Canvus lets an administrator make a token for anybody. One made for the owner is not an owner's.
#[test]
fn a_token_that_an_administrator_makes_for_the_owner_stays_an_administrators() {
    let cast = Cast::default();
    let (admin, owner) = (member(Admin), member(Owner));
    let caller = cast.caller(&personal(&admin, Scope::Member), &admin);
    let command = Issue { owner: owner.id, ..a_personal(&caller, ScopeRequest::Member) };
    let made = after(&cast.issue(&caller, &command).unwrap().proposal);
    assert_eq!(made.owner, owner.id);
    assert_eq!(made.ceiling, Authority::all_of([Grant::Member { id: admin.id, role: Admin }]));

    let holder = cast.caller(&made, &owner);
    assert!(holder.is_administrator());
    for (asked, expected) in [(Admin, "yes"), (Owner, "role above")] {
        let command = a_personal(&holder, ScopeRequest::Base(asked));
        assert_eq!(answer(&cast.issue(&holder, &command)), expected, "{asked:?}");
    }
    // What comes of it is bounded alike, and so it can't reset the owner's own token.
    let made = after(&cast.issue(&holder, &a_personal(&holder, ScopeRequest::Member)).unwrap().proposal);
    assert_eq!(made.ceiling, Authority::all_of([Grant::Member { id: admin.id, role: Admin }]));
    let owners = Token { id: TokenId::from_bytes([0xdd; 12]), ..personal(&owner, Scope::Member) };
    assert_eq!(answer(&cast.rotate(&holder, &owners, &owner)), "stronger");
}

/// A member's own unbounded token makes unbounded ones: they follow the member anyway. A service token does not, so it
/// keeps what its maker may at this moment.
#[test]
fn only_what_does_not_follow_its_owner_keeps_the_owners_rights() {
    let cast = Cast::default();
    for role in [Reader, Writer, Admin, Owner] {
        let owner = member(role);
        let caller = cast.caller(&personal(&owner, Scope::Member), &owner);
        let made = cast.issue(&caller, &a_personal(&caller, ScopeRequest::Member)).unwrap();
        assert_eq!(after(&made.proposal).ceiling, Authority::default(), "{role:?}");
        let made = cast.issue(&caller, &a_service(&caller, ScopeRequest::Base(Reader))).unwrap();
        let bound = (role != Owner).then_some(Grant::Member { id: owner.id, role });
        assert_eq!(after(&made.proposal).ceiling, Authority::all_of(bound), "{role:?}");
    }
}

/// An administrator changes the name of a narrow token: nothing happens to its bounds. A scope that is set to what it
/// was is no change either.
#[test]
fn only_a_new_scope_adds_to_a_ceiling() {
    let cast = Cast::default();
    let (token, owner) = narrow_token();
    let caller = cast.caller(&token, &owner);
    let same = cast.amend(&caller, &token, &rescope(ScopeRequest::Inline(narrow()))).unwrap();
    assert_eq!(same, None);

    let wide = Token { id: TokenId::from_bytes([0xdd; 12]), ..personal(&owner, Scope::Member) };
    let wide = cast.caller(&wide, &owner);
    let renamed = after(&cast.amend(&wide, &token, &crate::cast::rename()).unwrap().unwrap());
    assert_eq!(renamed.ceiling, token.ceiling);
    let widened = after(&cast.amend(&wide, &token, &rescope(ScopeRequest::Base(Writer))).unwrap().unwrap());
    assert_eq!(widened.ceiling, Authority::default(), "who is not bounded may lift a token to anything");
    // But a ceiling that is there stays, whoever changes the scope.
    let bounded = Token { ceiling: Authority::all_of([bound(narrow())]), ..token };
    let widened = after(&cast.amend(&wide, &bounded, &rescope(ScopeRequest::Member)).unwrap().unwrap());
    assert_eq!(widened.ceiling, bounded.ceiling);
}

#[test]
fn a_chain_of_ever_narrower_tokens_comes_to_an_end() {
    let cast = Cast::default();
    let owner = member(Owner);
    let mut token = personal(&owner, Scope::Member);
    for link in 0.. {
        let caller = cast.caller(&token, &owner);
        let except = format!("service-token/{link}");
        let request = ScopeRequest::Inline(policy(&[(Allow, "*", "*"), (Deny, "*", except.as_str())]));
        match cast.issue(&caller, &a_personal(&caller, request)) {
            Ok(issued) => token = after(&issued.proposal),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::CeilingTooDeep);
                assert_eq!(token.ceiling.grants().len(), MAX_GRANTS);
                assert_eq!(link, MAX_GRANTS + 1);
                break;
            }
        }
    }
    // The last one lives on, and may do all else that it could.
    let caller = cast.caller(&token, &owner);
    assert_eq!(answer(&cast.amend(&caller, &token, &crate::cast::rename())), "yes");
    assert_eq!(answer(&rule::revoke(&caller, &token, NOW)), "yes");
}

/// A ceiling is read with every use of its token: it must not grow heavy either, however few its policies are.
#[test]
fn a_ceiling_of_heavy_policies_comes_to_an_end_sooner() {
    let cast = Cast::default();
    let owner = member(Owner);
    let heavy = |link: usize| {
        let resources: Vec<String> = (0..200).map(|at| format!("service-token/{link:03}{at:097}")).collect();
        let denied = resources.iter().map(|resource| (Deny, "*", resource.as_str()));
        policy(&denied.chain([(Allow, "*", "*")]).collect::<Vec<_>>())
    };
    let mut token = personal(&owner, Scope::Member);
    for link in 0.. {
        let caller = cast.caller(&token, &owner);
        match cast.issue(&caller, &a_personal(&caller, ScopeRequest::Inline(heavy(link)))) {
            Ok(issued) => token = after(&issued.proposal),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::CeilingTooDeep);
                break;
            }
        }
        assert!(token.ceiling.weight() <= MAX_WEIGHT, "{}", token.ceiling.weight());
    }
    assert!(token.ceiling.weight() > MAX_WEIGHT / 2, "it was the weight: {}", token.ceiling.weight());
    assert!(token.ceiling.grants().len() < 4, "{} grants", token.ceiling.grants().len());
}
