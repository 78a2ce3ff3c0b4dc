//! The order of base roles: nobody hands on more than they have.

use jeton_core::command::ScopeRequest;
use jeton_core::policy::Effect::Allow;
use jeton_core::role::BaseRole::{self, Admin, NoAccess, Owner, Reader, Writer};
use jeton_core::token::{Scope, TokenKind};

use crate::cast::{
    Cast, a_personal, account, after, answer, inline, member, personal, policy, rescope, with_roles,
};

/// The highest base role that each caller can give, to a new token and to one that is there.
#[test]
fn a_base_role_above_the_callers_is_refused() {
    let everything = || inline(&[(Allow, "*", "*")]);
    // member, scope of the token that asks, the highest role it can give
    let table = [
        (Reader, Scope::Member, Reader),
        (Writer, Scope::Member, Writer),
        (Admin, Scope::Member, Admin),
        (Owner, Scope::Member, Owner),
        (Owner, Scope::Base(Admin), Admin),
        (Admin, Scope::Base(Owner), Admin),
        // A policy has no place in the order: the member counts, and the ceiling does the rest.
        (Reader, everything(), Reader),
        (Writer, everything(), Writer),
        (Owner, everything(), Owner),
    ];
    let cast = Cast::default();
    for (role, scope, highest) in table {
        let owner = member(role);
        let token = personal(&owner, scope.clone());
        let caller = cast.caller(&token, &owner);
        for asked in BaseRole::ALL {
            let expected = if asked <= highest { "yes" } else { "role above" };
            let what = format!("{asked:?} by {role:?} with {scope:?}");
            let request = ScopeRequest::Base(asked);
            for kind in [TokenKind::Personal, TokenKind::Service] {
                let command = jeton_core::command::Issue { kind, ..a_personal(&caller, request.clone()) };
                assert_eq!(answer(&cast.issue(&caller, &command)), expected, "{kind:?} {what}");
            }
            assert_eq!(answer(&cast.amend(&caller, &token, &rescope(request))), expected, "itself {what}");
        }
    }
}

/// The permission is asked first: who may not create at all learns nothing about ranks.
#[test]
fn without_the_permission_the_rank_does_not_matter() {
    let cast = Cast::default();
    for (role, scope) in [(Reader, Reader), (Writer, Writer), (Owner, Writer), (NoAccess, Admin)] {
        let owner = member(role);
        let caller = cast.caller(&personal(&owner, Scope::Base(scope)), &owner);
        for asked in BaseRole::ALL {
            let command = a_personal(&caller, ScopeRequest::Base(asked));
            assert_eq!(answer(&cast.issue(&caller, &command)), "not allowed", "{role:?} {scope:?} {asked:?}");
        }
    }
}

/// A member of custom roles has no base role to compare with. What they hand on is bounded by the roles themselves.
#[test]
fn a_member_of_custom_roles_hands_on_no_more_than_the_roles() {
    let mut cast = Cast::default();
    let minting = policy(&[(Allow, "createAccessToken", "member/*:token/*")]);
    let role = cast.define(account(), "minting", minting);
    let owner = with_roles(&[role]);
    let caller = cast.caller(&personal(&owner, Scope::Member), &owner);
    let made = cast.issue(&caller, &a_personal(&caller, ScopeRequest::Base(Owner))).unwrap();
    let made = cast.caller(&after(&made.proposal), &owner);
    assert!(!made.is_administrator());
    let command = crate::cast::a_service(&made, ScopeRequest::Base(Reader));
    assert_eq!(answer(&cast.issue(&made, &command)), "not allowed");
    assert_eq!(answer(&cast.issue(&made, &a_personal(&made, ScopeRequest::Base(Reader)))), "yes");
}
