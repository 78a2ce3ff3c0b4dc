//! The effective permission: what the scope allows, and the member now, and the ceiling.
//!
//! As a token's scope, reader and writer manage no tokens, admin and owner all. As a member's right, everybody but
//! `no_access` manages their own personal tokens and creates service tokens, admin and owner manage all.

use jeton_core::authority::{Authority, Grant};
use jeton_core::caller::Caller;
use jeton_core::member::Member;
use jeton_core::policy::Effect::{Allow, Deny};
use jeton_core::policy::{Resource, action};
use jeton_core::role::BaseRole::{self, Admin, NoAccess, Owner, Reader, Writer};
use jeton_core::token::{Scope, Token};

use crate::cast::{Cast, another, inline, member, personal, policy, service, with_roles};

/// What a caller may, as a line: create, rename and delete on their own tokens, on service tokens, on another's; then
/// look at and change a flag.
fn line(caller: &Caller) -> String {
    let own = caller.member.id.hex();
    let another = another().id.hex();
    let may = |action: &str, resource| if caller.may(action, resource) { 'y' } else { '-' };
    let actions =
        [action::CREATE_ACCESS_TOKEN, action::UPDATE_ACCESS_TOKEN_NAME, action::DELETE_ACCESS_TOKEN];
    let of = |resource| actions.map(|action| may(action, resource)).iter().collect::<String>();
    let flag = Resource::parse("proj/p:env/e:flag/f").unwrap();
    format!(
        "{} {} {} {}{}",
        of(Resource::token(own.as_str(), "t")),
        of(Resource::service_token("t")),
        of(Resource::token(another.as_str(), "t")),
        may("viewProject", flag),
        may("updateOn", flag),
    )
}

/// The scope of a row.
fn scope(name: &str) -> Scope {
    match name {
        "the member's" => Scope::Member,
        "all by policy" => inline(&[(Allow, "*", "*")]),
        "service tokens" => inline(&[(Allow, "*", "service-token/*")]),
        "none by policy" => inline(&[(Deny, "*", "*")]),
        "nothing said" => inline(&[]),
        role => Scope::Base(BaseRole::parse(role).unwrap()),
    }
}

#[test]
fn a_personal_token_may_what_its_scope_and_its_member_may() {
    // member, scope               own service another's flag
    let table = [
        (NoAccess, "the member's", "--- --- --- --"),
        (Reader, "the member's", "yyy y-- --- y-"),
        (Writer, "the member's", "yyy y-- --- yy"),
        (Admin, "the member's", "yyy yyy yyy yy"),
        (Owner, "the member's", "yyy yyy yyy yy"),
        // A scope of reader or writer manages no tokens, whoever has it.
        (Reader, "reader", "--- --- --- y-"),
        (Admin, "reader", "--- --- --- y-"),
        (Reader, "writer", "--- --- --- y-"),
        (Writer, "writer", "--- --- --- yy"),
        (Owner, "writer", "--- --- --- yy"),
        // Admin on the token of somebody who is none: the writer of a member demoted to reader behaves as a reader.
        (NoAccess, "admin", "--- --- --- --"),
        (Reader, "admin", "yyy y-- --- y-"),
        (Writer, "admin", "yyy y-- --- yy"),
        (Admin, "admin", "yyy yyy yyy yy"),
        (Admin, "owner", "yyy yyy yyy yy"),
        (Owner, "owner", "yyy yyy yyy yy"),
        (Owner, "no_access", "--- --- --- --"),
        (NoAccess, "all by policy", "--- --- --- --"),
        (Reader, "all by policy", "yyy y-- --- y-"),
        (Writer, "all by policy", "yyy y-- --- yy"),
        (Owner, "all by policy", "yyy yyy yyy yy"),
        (Reader, "service tokens", "--- y-- --- y-"),
        (Owner, "service tokens", "--- yyy --- y-"),
        (Owner, "none by policy", "--- --- --- --"),
        // A policy on a token hides nothing that readers see, unless it denies it.
        (Owner, "nothing said", "--- --- --- y-"),
        (NoAccess, "nothing said", "--- --- --- --"),
    ];
    let cast = Cast::default();
    for (role, name, expected) in table {
        let member = member(role);
        let token = personal(&member, scope(name));
        assert_eq!(line(&cast.caller(&token, &member)), expected, "{role:?} with {name}");
    }
}

#[test]
fn a_service_token_may_what_its_scope_and_its_maker_might() {
    // maker then, scope           own service another's flag
    let table = [
        (Reader, "the member's", "yyy y-- --- y-"),
        (Writer, "writer", "--- --- --- yy"),
        (Writer, "all by policy", "yyy y-- --- yy"),
        (Admin, "admin", "yyy yyy yyy yy"),
        (Owner, "reader", "--- --- --- y-"),
        (Owner, "the member's", "yyy yyy yyy yy"),
        (Owner, "service tokens", "--- yyy --- y-"),
    ];
    let cast = Cast::default();
    for (role, name, expected) in table {
        let token = service(&member(role), scope(name));
        // What has become of the maker since changes nothing.
        for role_now in BaseRole::ALL {
            let maker_now = Member { role: role_now, ..member(role) };
            let caller = cast.caller(&token, &maker_now);
            assert_eq!(line(&caller), expected, "{name} made by {role:?}, who is {role_now:?} now");
        }
    }
}

#[test]
fn a_ceiling_takes_away_and_never_gives() {
    let owner = member(Owner);
    let all = "yyy yyy yyy yy";
    let table = [
        (Grant::Base(Owner), all),
        (Grant::Base(Admin), all),
        (Grant::Base(Writer), "--- --- --- yy"),
        (Grant::Base(NoAccess), "--- --- --- --"),
        (Grant::Member { id: owner.id, role: Writer }, "yyy y-- --- yy"),
        (Grant::Member { id: another().id, role: Writer }, "--- y-- yyy yy"),
        (Grant::AnyOf(Vec::new()), "--- --- --- --"),
    ];
    let cast = Cast::default();
    for (grant, expected) in table {
        let ceiling = Authority::all_of([grant.clone()]);
        let token = Token { ceiling: ceiling.clone(), ..personal(&owner, Scope::Member) };
        assert_eq!(line(&cast.caller(&token, &owner)), expected, "{grant:?}");
        let narrow = Token { ceiling, ..personal(&owner, Scope::Base(NoAccess)) };
        assert_eq!(line(&cast.caller(&narrow, &owner)), "--- --- --- --", "{grant:?}");
    }
}

#[test]
fn custom_roles_add_up_and_take_the_place_of_the_base_role() {
    let mut cast = Cast::default();
    let account = crate::cast::account();
    let services = cast.define(account, "services", policy(&[(Allow, "*", "service-token/*")]));
    let flags = cast.define(account, "flags", policy(&[(Allow, "*", "proj/*:env/*:flag/*")]));
    let denying = cast.define(
        account,
        "denying",
        policy(&[(Allow, "*", "proj/*:env/*:flag/*"), (Deny, "*", "service-token/*")]),
    );
    let gone = jeton_core::id::RoleId::from_bytes([0xee; 12]);
    // roles                        own service another's flag
    let table = [
        (vec![services], "--- yyy --- --"),
        (vec![flags], "--- --- --- yy"),
        (vec![services, flags], "--- yyy --- yy"),
        // A deny in one role does not hurt an allow in another: a role only ever adds.
        (vec![denying], "--- --- --- yy"),
        (vec![denying, services], "--- yyy --- yy"),
        // A role that was deleted grants nothing, and what is left still counts.
        (vec![gone], "--- --- --- --"),
        (vec![gone, services], "--- yyy --- --"),
        (vec![], "--- --- --- --"),
    ];
    for (roles, expected) in table {
        // On the token of an owner.
        let owner = member(Owner);
        let token = personal(&owner, Scope::Roles(roles.clone()));
        assert_eq!(line(&cast.caller(&token, &owner)), expected, "token with {roles:?}");
        // On the member, where an owner's scope leaves all of it. Without any role the base role counts.
        let member = with_roles(&roles);
        let expected = if roles.is_empty() { "yyy y-- --- y-" } else { expected };
        let token = personal(&member, Scope::Base(Owner));
        assert_eq!(line(&cast.caller(&token, &member)), expected, "member with {roles:?}");
    }
}

#[test]
fn a_changed_role_changes_the_tokens_that_hold_it() {
    let mut cast = Cast::default();
    let role = cast.define(crate::cast::account(), "ops", policy(&[(Allow, "*", "service-token/*")]));
    let owner = member(Owner);
    let token = personal(&owner, Scope::Roles(vec![role]));
    assert_eq!(line(&cast.caller(&token, &owner)), "--- yyy --- --");
    let mut changed = cast.roles[0].as_ref().clone();
    changed.policy = policy(&[(Allow, action::CREATE_ACCESS_TOKEN, "service-token/*")]);
    cast.roles[0] = changed.into();
    assert_eq!(line(&cast.caller(&token, &owner)), "--- y-- --- --");
    cast.roles.clear();
    assert_eq!(line(&cast.caller(&token, &owner)), "--- --- --- --");
}
