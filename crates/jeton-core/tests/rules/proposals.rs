//! What a rule proposes: who does it, when, and what must still be true when it is written.

use jeton_core::change::{Actor, Event, Expectation, Proposal, Revision};
use jeton_core::command::{Amend, Issue, ScopeRequest};
use jeton_core::role::BaseRole::Owner;
use jeton_core::rule;
use jeton_core::token::{ApiVersion, Scope, Token, TokenKind};

use crate::cast::{
    Cast, LATER, NOW, a_personal, account, after, fresh, member, mint, personal, policy, service, with_roles,
};
use jeton_core::policy::Effect::Allow;

/// The account, the actor and the instant of every proposal are the caller's and the rule's own.
fn check(proposal: &Proposal, caller: &jeton_core::caller::Caller) {
    assert_eq!((proposal.at, proposal.account), (NOW, account()));
    assert_eq!(proposal.actor, Actor::Token { token: caller.token, member: caller.member.id });
}

#[test]
fn a_proposal_holds_while_everything_that_it_was_decided_on_stands() {
    let mut cast = Cast::default();
    let everything = || policy(&[(Allow, "*", "*")]);
    let on_token = cast.define(account(), "on token", everything());
    let on_member = cast.define(account(), "on member", everything());
    let owner = with_roles(&[on_member]);
    let token = personal(&owner, Scope::Roles(vec![on_token]));
    let caller = cast.caller(&token, &owner);
    let role = |id| Expectation::Role { id, revision: Revision::new(7) };
    let mut basis = vec![
        Expectation::Token { id: token.id, revision: Revision::new(9) },
        role(on_token),
        Expectation::Member { id: owner.id, revision: Revision::new(3) },
        role(on_member),
    ];
    assert_eq!(caller.basis(), basis);

    let issued = cast.issue(&caller, &a_personal(&caller, ScopeRequest::Member)).unwrap();
    assert_eq!(issued.proposal.expects, basis);

    let target = Token { id: jeton_core::id::TokenId::from_bytes([0xdd; 12]), ..token.clone() };
    basis.push(Expectation::Token { id: target.id, revision: Revision::new(9) });
    let rename = crate::cast::rename();
    let proposals = [
        issued.proposal,
        cast.amend(&caller, &target, &rename).unwrap().unwrap(),
        cast.rotate(&caller, &target, &owner).unwrap().proposal,
        rule::revoke(&caller, &target, NOW).unwrap(),
    ];
    for proposal in &proposals {
        check(proposal, &caller);
    }
    assert!(proposals[1..].iter().all(|proposal| proposal.expects == basis));
}

/// A service token's authority comes from its own record alone: what becomes of its maker makes nothing stale.
#[test]
fn a_service_token_does_not_depend_on_its_maker() {
    let cast = Cast::default();
    let maker = member(Owner);
    let token = service(&maker, Scope::Member);
    let caller = cast.caller(&token, &maker);
    assert_eq!(caller.basis(), [Expectation::Token { id: token.id, revision: token.revision }]);
}

#[test]
fn a_new_token_is_what_was_asked_for() {
    let cast = Cast::default();
    let owner = member(Owner);
    let caller = cast.caller(&personal(&owner, Scope::Member), &owner);
    for (kind, prefix) in [(TokenKind::Personal, "jtn_pat_"), (TokenKind::Service, "jtn_svc_")] {
        for (asked, version) in [(None, ApiVersion::LATEST), (Some(ApiVersion::ALL[1]), ApiVersion::ALL[1])] {
            let command = Issue {
                kind,
                name: " kept as it is \n".to_owned(),
                description: "too".to_owned(),
                scope: ScopeRequest::Base(Owner),
                api_version: asked,
                expires_at: Some(LATER),
                ..a_personal(&caller, ScopeRequest::Member)
            };
            let issued = cast.issue(&caller, &command).unwrap();
            let token = after(&issued.proposal);
            let expected = Token {
                id: jeton_core::id::TokenId::new(NOW, fresh(0x77).id),
                account: account(),
                owner: owner.id,
                kind,
                name: command.name,
                description: command.description,
                scope: Scope::Base(Owner),
                ceiling: jeton_core::authority::Authority::default(),
                api_version: version,
                issued_at: NOW,
                modified_at: NOW,
                expires_at: Some(LATER),
                secret: mint().record(&issued.secret),
                retiring: None,
                revision: Revision::ZERO,
            };
            assert_eq!(token, expected);
            assert!(issued.secret.expose().starts_with(prefix));
            check(&issued.proposal, &caller);
        }
    }
}

#[test]
fn an_amendment_changes_what_is_given_and_nothing_else() {
    let cast = Cast::default();
    let owner = member(Owner);
    let before = Token { expires_at: Some(LATER), ..personal(&owner, Scope::Base(Owner)) };
    let caller = cast.caller(&personal(&owner, Scope::Member), &owner);
    let text = || Some("after".to_owned());
    let version = ApiVersion::ALL[0];
    let table: [(Amend, Token); 6] = [
        (Amend { name: text(), ..Amend::default() }, Token { name: text().unwrap(), ..before.clone() }),
        (
            Amend { description: text(), ..Amend::default() },
            Token { description: text().unwrap(), ..before.clone() },
        ),
        (
            Amend { scope: Some(ScopeRequest::Member), ..Amend::default() },
            Token { scope: Scope::Member, ..before.clone() },
        ),
        (Amend { expires_at: Some(None), ..Amend::default() }, Token { expires_at: None, ..before.clone() }),
        (
            Amend { api_version: Some(version), ..Amend::default() },
            Token { api_version: version, ..before.clone() },
        ),
        (
            Amend { name: Some(String::new()), description: Some(String::new()), ..Amend::default() },
            Token { name: String::new(), description: String::new(), ..before.clone() },
        ),
    ];
    for (command, expected) in table {
        let proposal = cast.amend(&caller, &before, &command).unwrap().unwrap();
        let Event::TokenChanged { before: was, after } = &proposal.event else { panic!("a change") };
        assert_eq!(*was, before);
        assert_eq!(*after, Token { modified_at: NOW, ..expected.clone() }, "{command:?}");
        check(&proposal, &caller);
        // Once more, it is no change.
        let again = Token { modified_at: before.modified_at, ..expected };
        assert_eq!(cast.amend(&caller, &again, &command), Ok(None), "{command:?}");
    }
}

#[test]
fn a_revocation_says_what_is_gone() {
    let cast = Cast::default();
    let owner = member(Owner);
    let token = personal(&owner, Scope::Member);
    let caller = cast.caller(&token, &owner);
    let proposal = rule::revoke(&caller, &token, NOW).unwrap();
    assert_eq!(proposal.event, Event::TokenRevoked { token });
}
