//! Whole requests, caller by caller: the table of who is answered what.

use jeton_core::caller::Caller;
use jeton_core::command::ScopeRequest;
use jeton_core::member::Member;
use jeton_core::policy::Effect::Allow;
use jeton_core::refusal::Refusal;
use jeton_core::role::BaseRole::{self, Admin, Owner, Reader, Writer};
use jeton_core::rule;
use jeton_core::token::{Scope, Token};

use crate::cast::{
    Cast, NOW, a_personal, a_service, another, answer, inline, member, personal, rename, rescope, service,
};

/// Who asks: a token, and the member it belongs to.
fn caller(who: &str) -> (Token, Member) {
    let of = |role: BaseRole, scope| (personal(&member(role), scope), member(role));
    let minting = || inline(&[(Allow, "createAccessToken", "member/*:token/*")]);
    let managing = || inline(&[(Allow, "*", "service-token/*")]);
    match who {
        "reader's reader" => of(Reader, Scope::Base(Reader)),
        "admin's reader" => of(Admin, Scope::Base(Reader)),
        "writer's writer" => of(Writer, Scope::Base(Writer)),
        "admin's admin" => of(Admin, Scope::Base(Admin)),
        "owner's admin" => of(Owner, Scope::Base(Admin)),
        "owner's all" => of(Owner, Scope::Member),
        "reader's admin" => of(Reader, Scope::Base(Admin)), // an admin, demoted
        "reader's all" => of(Reader, Scope::Member),
        "writer's all" => of(Writer, Scope::Member),
        "admin's minting" => of(Admin, minting()),
        "admin's managing" => of(Admin, managing()),
        "admin service" => (service(&member(Admin), Scope::Base(Admin)), member(Admin)),
        "reader service" => (service(&member(Admin), Scope::Base(Reader)), member(Admin)),
        other => panic!("nobody is called {other}"),
    }
}

fn see(caller: &Caller, token: &Token) -> Result<(), Refusal> {
    if rule::may_see(caller, token) { Ok(()) } else { Err(Refusal::NoSuchToken) }
}

/// One request. The caller's own token is another than the one that is presented.
fn ask(who: &str, request: &str) -> Result<(), Refusal> {
    let cast = Cast::default();
    let (token, owner) = caller(who);
    let caller = cast.caller(&token, &owner);
    let second = Token {
        id: jeton_core::id::TokenId::from_bytes([0xdd; 12]),
        ..personal(&owner, token.scope.clone())
    };
    let anothers = personal(&another(), Scope::Base(Reader));
    let machine = service(&another(), Scope::Base(Reader));
    let base = ScopeRequest::Base;
    match request {
        "get own" => see(&caller, &second),
        "get itself" => see(&caller, &token),
        "get service" => see(&caller, &machine),
        "get another's" => see(&caller, &anothers),
        "list all" if rule::may_list_all(&caller) => Ok(()),
        "list all" => Err(Refusal::AdministratorsOnly),
        "create reader" => cast.issue(&caller, &a_personal(&caller, base(Reader))).map(drop),
        "create admin" => cast.issue(&caller, &a_personal(&caller, base(Admin))).map(drop),
        "create service" => cast.issue(&caller, &a_service(&caller, base(Reader))).map(drop),
        "rename own" => cast.amend(&caller, &second, &rename()).map(drop),
        "rename itself" => cast.amend(&caller, &token, &rename()).map(drop),
        "rename service" => cast.amend(&caller, &machine, &rename()).map(drop),
        "rename another's" => cast.amend(&caller, &anothers, &rename()).map(drop),
        "rescope own" => cast.amend(&caller, &second, &rescope(base(Reader))).map(drop),
        "rescope another's" => cast.amend(&caller, &anothers, &rescope(base(Reader))).map(drop),
        "rescope service" => cast.amend(&caller, &machine, &rescope(base(Reader))).map(drop),
        "reset own" => cast.rotate(&caller, &second, &owner).map(drop),
        "reset itself" => cast.rotate(&caller, &token, &owner).map(drop),
        "reset another's" => cast.rotate(&caller, &anothers, &another()).map(drop),
        "reset service" => cast.rotate(&caller, &machine, &another()).map(drop),
        "delete own" => rule::revoke(&caller, &second, NOW).map(drop),
        "delete itself" => rule::revoke(&caller, &token, NOW).map(drop),
        "delete another's" => rule::revoke(&caller, &anothers, NOW).map(drop),
        "delete service" => rule::revoke(&caller, &machine, NOW).map(drop),
        other => panic!("nobody asks for {other}"),
    }
}

fn check(table: &[(&str, &str, &str)]) {
    for (who, requests, expected) in table {
        for request in requests.split(", ") {
            assert_eq!(answer(&ask(who, request)), *expected, "{who}: {request}");
        }
    }
}

#[test]
fn who_sees_what() {
    check(&[
        ("reader's reader", "get own, get itself, get service", "yes"),
        ("writer's writer", "get own, get itself, get service", "yes"),
        ("reader's reader", "get another's", "no such token"),
        ("writer's all", "get another's", "no such token"),
        ("reader's reader", "list all", "administrators only"),
        ("admin's admin", "list all, get another's", "yes"),
        ("owner's all", "list all, get another's", "yes"),
        // Both have to be administrators: the token and the member.
        ("admin's reader", "list all", "administrators only"),
        ("reader's admin", "list all", "administrators only"),
        ("admin's reader", "get another's", "no such token"),
        ("reader's admin", "get another's", "no such token"),
        // A policy, however wide, makes nobody an administrator.
        ("admin's managing", "get another's", "no such token"),
        ("reader service", "get service, get itself", "yes"),
        ("admin service", "get service, get another's, get own, list all", "yes"),
        // A service token is nobody: what its maker has is not its own.
        ("reader service", "get own, get another's", "no such token"),
    ]);
}

#[test]
fn who_manages_what() {
    const ALL_OWN: &str = "rename own, rename itself, rescope own, reset itself, delete own, delete itself";
    const ANOTHERS: &str = "rename another's, rescope another's, reset another's, delete another's";
    const SERVICE: &str = "rename service, reset service, delete service";
    const CREATE: &str = "create reader, create service";
    check(&[
        // As a scope, reader and writer manage nothing, themselves included.
        ("reader's reader", CREATE, "not allowed"),
        ("reader's reader", ALL_OWN, "not allowed"),
        ("reader's reader", "reset own", "not allowed"),
        ("reader's reader", SERVICE, "not allowed"),
        ("writer's writer", CREATE, "not allowed"),
        ("writer's writer", ALL_OWN, "not allowed"),
        ("writer's writer", SERVICE, "not allowed"),
        ("writer's writer", ANOTHERS, "no such token"),
        // As a member's right they manage what is their own, and create service tokens.
        ("reader's all", CREATE, "yes"),
        ("reader's all", ALL_OWN, "yes"),
        ("reader's all", "reset own", "yes"),
        ("reader's all", SERVICE, "not allowed"),
        ("reader's all", ANOTHERS, "no such token"),
        ("reader's all", "create admin", "role above"),
        // Administrators manage everybody's, but get nobody's secret.
        ("admin's admin", "create reader, create admin, create service", "yes"),
        ("admin's admin", ALL_OWN, "yes"),
        ("admin's admin", "reset own", "yes"),
        ("admin's admin", SERVICE, "yes"),
        ("admin's admin", "rename another's, rescope another's, delete another's", "yes"),
        ("admin's admin", "reset another's", "secret of another"),
        ("owner's all", "reset another's", "secret of another"),
        ("owner's admin", "create admin, rename another's, delete another's", "yes"),
        ("admin's admin", "rescope service", "fixed"),
        ("owner's all", "rescope service", "fixed"),
        // Demoted: the token still says admin, the member says reader.
        ("reader's admin", "create admin", "role above"),
        ("reader's admin", ANOTHERS, "no such token"),
        ("reader's admin", SERVICE, "not allowed"),
    ]);
}

#[test]
fn who_has_one_permission_has_no_other() {
    check(&[
        ("admin's minting", "create reader", "yes"),
        ("admin's minting", "create service", "not allowed"),
        (
            "admin's minting",
            "rename own, rename itself, rescope own, reset itself, delete own",
            "not allowed",
        ),
        ("admin's minting", "rename another's, delete another's", "no such token"),
        ("admin's managing", "create service, rename service, delete service", "yes"),
        ("admin's managing", "create reader", "not allowed"),
        ("admin's managing", "rename own, delete itself", "not allowed"),
        // It may reset service tokens, but this one was made by somebody else and is not bounded as it is itself.
        ("admin's managing", "reset service", "stronger"),
    ]);
}

#[test]
fn what_a_service_token_may() {
    check(&[
        ("admin service", "create reader, create admin", "no personal by service"),
        ("reader service", "create reader", "no personal by service"),
        ("admin service", "create service", "yes"),
        ("reader service", "create service", "not allowed"),
        (
            "admin service",
            "rename service, delete service, reset service, rename itself, reset itself",
            "yes",
        ),
        ("admin service", "rename own, rename another's, delete own, delete another's", "yes"),
        // Nor does it get at a person's secret, not even its maker's.
        ("admin service", "reset another's, reset own", "secret of another"),
        ("reader service", "reset own", "no such token"),
    ]);
}

/// The service tokens that a managing policy made are bounded by it, so it may reset those.
#[test]
fn a_narrow_token_resets_what_it_made() {
    let cast = Cast::default();
    let (token, owner) = caller("admin's managing");
    let caller = cast.caller(&token, &owner);
    let made = cast.issue(&caller, &a_service(&caller, ScopeRequest::Base(Reader))).unwrap();
    let made = crate::cast::after(&made.proposal);
    assert_eq!(answer(&cast.rotate(&caller, &made, &owner)), "yes");
}
