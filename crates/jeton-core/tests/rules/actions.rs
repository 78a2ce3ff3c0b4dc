//! Which permission each request needs: the action, and the resource it is asked for on.
//!
//! Each row is tried twice, by a token whose policy allows that one action on that one kind of resource and nothing else,
//! and by one whose policy allows everything but that.

use jeton_core::caller::Caller;
use jeton_core::command::{Amend, ScopeRequest};
use jeton_core::id::TokenId;
use jeton_core::member::Member;
use jeton_core::policy::Effect::{Allow, Deny};
use jeton_core::refusal::Refusal;
use jeton_core::role::BaseRole;
use jeton_core::rule;
use jeton_core::token::{ApiVersion, Scope, Token};

use crate::cast::{
    Cast, LATER, NOW, a_personal, a_service, another, answer, inline, member, personal, rename, rescope,
    service,
};

const OWN: &str = "member/000000000000000000000014:token/*";
const ANOTHERS: &str = "member/00000000000000000000001f:token/*";
const SERVICE: &str = "service-token/*";

/// What is asked for, and of which token.
#[derive(Clone, Copy, Debug)]
enum Ask {
    IssuePersonal,
    IssueService,
    Amend(What, Of),
    Revoke(Of),
    Reset(Of),
}

#[derive(Clone, Copy, Debug)]
enum What {
    Name,
    Description,
    Scope,
    Expiry,
    ApiVersion,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Of {
    Own,
    Another,
    Service,
}

fn owner() -> Member {
    member(BaseRole::Owner)
}

/// The token that a request is about: another than the one that is presented.
fn target(of: Of) -> (Token, Member) {
    let second = TokenId::from_bytes([0xdd; 12]);
    match of {
        Of::Own => (Token { id: second, ..personal(&owner(), Scope::Base(BaseRole::NoAccess)) }, owner()),
        Of::Another => (personal(&another(), Scope::Base(BaseRole::NoAccess)), another()),
        Of::Service => (service(&owner(), Scope::Base(BaseRole::NoAccess)), owner()),
    }
}

fn amend_of(what: What) -> Amend {
    match what {
        What::Name => rename(),
        What::Description => Amend { description: Some("after".to_owned()), ..Amend::default() },
        What::Scope => rescope(ScopeRequest::Base(BaseRole::Reader)),
        What::Expiry => Amend { expires_at: Some(Some(LATER)), ..Amend::default() },
        What::ApiVersion => Amend { api_version: Some(ApiVersion::ALL[0]), ..Amend::default() },
    }
}

fn ask(caller: &Caller, ask: Ask) -> Result<(), Refusal> {
    let cast = Cast::default();
    let reader = ScopeRequest::Base(BaseRole::Reader);
    match ask {
        Ask::IssuePersonal => cast.issue(caller, &a_personal(caller, reader)).map(drop),
        Ask::IssueService => cast.issue(caller, &a_service(caller, reader)).map(drop),
        Ask::Amend(what, of) => cast.amend(caller, &target(of).0, &amend_of(what)).map(drop),
        Ask::Revoke(of) => rule::revoke(caller, &target(of).0, NOW).map(drop),
        Ask::Reset(of) => {
            let (token, owner) = target(of);
            cast.rotate(caller, &token, &owner).map(drop)
        }
    }
}

#[test]
fn each_request_needs_its_own_permission() {
    use Ask::{Amend, IssuePersonal, IssueService, Reset, Revoke};
    // The request, the action it needs, on what, the answer with it, the answer without it.
    let table = [
        (IssuePersonal, "createAccessToken", OWN, "yes", "not allowed"),
        (IssueService, "createAccessToken", SERVICE, "yes", "not allowed"),
        (Amend(What::Name, Of::Own), "updateAccessTokenName", OWN, "yes", "not allowed"),
        (Amend(What::Name, Of::Service), "updateAccessTokenName", SERVICE, "yes", "not allowed"),
        (Amend(What::Description, Of::Own), "updateAccessTokenDescription", OWN, "yes", "not allowed"),
        (
            Amend(What::Description, Of::Service),
            "updateAccessTokenDescription",
            SERVICE,
            "yes",
            "not allowed",
        ),
        (Amend(What::Scope, Of::Own), "updateAccessTokenPolicy", OWN, "yes", "not allowed"),
        // What a service token may do is fixed, for everybody.
        (Amend(What::Scope, Of::Service), "updateAccessTokenPolicy", SERVICE, "fixed", "not allowed"),
        (Amend(What::Expiry, Of::Own), "updateAccessTokenExpiry", OWN, "yes", "not allowed"),
        (Amend(What::Expiry, Of::Service), "updateAccessTokenExpiry", SERVICE, "yes", "not allowed"),
        // No published action: only a glob, or this pseudo action, grants it.
        (Amend(What::ApiVersion, Of::Own), "updateAccessTokenDefaultApiVersion", OWN, "yes", "not allowed"),
        (
            Amend(What::ApiVersion, Of::Service),
            "updateAccessTokenDefaultApiVersion",
            SERVICE,
            "yes",
            "not allowed",
        ),
        (Revoke(Of::Own), "deleteAccessToken", OWN, "yes", "not allowed"),
        (Revoke(Of::Service), "deleteAccessToken", SERVICE, "yes", "not allowed"),
        // The answer holds a secret, and a policy is narrower than the tokens here.
        (Reset(Of::Own), "resetAccessToken", OWN, "stronger", "not allowed"),
        (Reset(Of::Service), "resetAccessToken", SERVICE, "stronger", "not allowed"),
        // Whose token is invisible, and may not be touched, does not exist.
        (Amend(What::Name, Of::Another), "updateAccessTokenName", ANOTHERS, "yes", "no such token"),
        (Amend(What::Scope, Of::Another), "updateAccessTokenPolicy", ANOTHERS, "yes", "no such token"),
        (Revoke(Of::Another), "deleteAccessToken", ANOTHERS, "yes", "no such token"),
        (Reset(Of::Another), "resetAccessToken", ANOTHERS, "secret of another", "no such token"),
    ];
    let cast = Cast::default();
    for (request, action, resource, with, without) in table {
        let only = personal(&owner(), inline(&[(Allow, action, resource)]));
        let everything_else =
            [(Allow, "*", "member/*:token/*"), (Allow, "*", SERVICE), (Deny, action, resource)];
        let everything_else = personal(&owner(), inline(&everything_else));
        assert_eq!(answer(&ask(&cast.caller(&only, &owner()), request)), with, "{request:?} with {action}");
        let refused = ask(&cast.caller(&everything_else, &owner()), request);
        assert_eq!(answer(&refused), without, "{request:?} without {action}");
        if let Err(Refusal::NotAllowed { action: named, resource: on, denied_by }) = refused {
            assert_eq!(named, action, "{request:?} names what is missing");
            let denied_by = denied_by.expect("a statement denies it");
            assert_eq!(
                (denied_by.actions, denied_by.resources),
                (vec![action.to_owned()], vec![resource.to_owned()])
            );
            let kind = resource.trim_end_matches('*');
            assert!(on.starts_with(kind) && on.len() == kind.len() + 24, "{request:?}: {on}");
        }
    }
}

#[test]
fn a_patch_of_several_fields_needs_the_permission_for_each() {
    let fields = [
        ("updateAccessTokenName", What::Name),
        ("updateAccessTokenDescription", What::Description),
        ("updateAccessTokenPolicy", What::Scope),
        ("updateAccessTokenExpiry", What::Expiry),
        ("updateAccessTokenDefaultApiVersion", What::ApiVersion),
    ];
    let everything = fields.iter().fold(Amend::default(), |all, (_, what)| {
        let one = amend_of(*what);
        Amend {
            name: all.name.or(one.name),
            description: all.description.or(one.description),
            scope: all.scope.or(one.scope),
            expires_at: all.expires_at.or(one.expires_at),
            api_version: all.api_version.or(one.api_version),
        }
    });
    let cast = Cast::default();
    let (target, _) = target(Of::Own);
    for missing in 0..=fields.len() {
        let granted: Vec<_> = fields
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != missing)
            .map(|(_, (action, _))| (Allow, *action, OWN))
            .collect();
        let token = personal(&owner(), inline(&granted));
        let result = cast.amend(&cast.caller(&token, &owner()), &target, &everything);
        match fields.get(missing) {
            None => assert_eq!(answer(&result), "yes"),
            Some((action, _)) => match result {
                Err(Refusal::NotAllowed { action: named, .. }) => assert_eq!(named, *action),
                other => panic!("without {action}: {other:?}"),
            },
        }
    }
}

/// A patch that changes nothing still needs the permission for the fields it names; one that names none needs nothing
/// but sight of the token.
#[test]
fn a_patch_of_nothing_tells_nothing_about_a_hidden_token() {
    let cast = Cast::default();
    let reader = member(BaseRole::Reader);
    let token = personal(&reader, Scope::Base(BaseRole::Reader));
    let caller = cast.caller(&token, &reader);
    let same_name = Amend { name: Some(token.name.clone()), ..Amend::default() };
    let anothers = target(Of::Another).0;
    assert_eq!(answer(&cast.amend(&caller, &token, &same_name)), "not allowed");
    assert_eq!(answer(&cast.amend(&caller, &token, &Amend::default())), "yes");
    assert_eq!(answer(&cast.amend(&caller, &anothers, &same_name)), "no such token");
    assert_eq!(answer(&cast.amend(&caller, &anothers, &Amend::default())), "no such token");
}
