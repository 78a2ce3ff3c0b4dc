//! The first start, and the way back in for whoever is locked out.

use jeton_core::change::{Actor, Event, Expectation, Revision};
use jeton_core::command::ScopeRequest;
use jeton_core::member::{FIRST_NUMBER, PasswordHash, Standing};
use jeton_core::role::BaseRole;
use jeton_core::rule::{Founding, found, recover};
use jeton_core::secret::Secret;
use jeton_core::token::{Scope, TokenKind};

use crate::cast::{Cast, NOW, a_personal, answer, fresh, member, mint};

#[test]
fn a_founding_makes_an_account_an_owner_and_a_token_that_may_everything() {
    let fresh = [fresh(1), fresh(2), fresh(3)];
    let password = PasswordHash::new("$argon2id$…".to_owned());
    let founding = Founding {
        owner_email: "ada@example.com".to_owned(),
        owner_password: Some(password.clone()),
        owner_secret: None,
    };
    let (proposals, secret) = found(founding, &mint(), NOW, fresh.each_ref());
    let [Event::AccountFounded { account }, Event::MemberAdded { member }, Event::TokenIssued { token }] =
        [0, 1, 2].map(|at| &proposals[at].event)
    else {
        panic!("an account, a member, a token: {proposals:?}")
    };
    assert_eq!((member.account, token.account, token.owner), (account.id, account.id, member.id));
    assert_eq!((member.role, member.standing), (BaseRole::Owner, Standing::Active));
    assert_eq!((member.number, member.email.as_str()), (FIRST_NUMBER, "ada@example.com"));
    assert_eq!(member.password, Some(password));
    assert_eq!((token.kind, &token.scope, token.expires_at), (TokenKind::Personal, &Scope::Member, None));
    assert_eq!(token.secret, mint().record(&secret));
    for (number, proposal) in (0..).zip(&proposals) {
        assert_eq!((proposal.actor, proposal.account), (Actor::System, account.id));
        assert_eq!(proposal.expects, [Expectation::Head(Revision::new(number))], "all three or none");
    }
    let cast = Cast::default();
    let caller = cast.caller(token, member);
    let command = a_personal(&caller, ScopeRequest::Base(BaseRole::Owner));
    assert_eq!(answer(&cast.issue(&caller, &command)), "yes");
}

#[test]
fn a_secret_from_outside_is_taken_as_it_is() {
    let given = "x".repeat(40);
    let secret = Secret::from_outside(given.clone(), &mint().format).unwrap();
    let founding = Founding { owner_secret: Some(secret), ..Founding::default() };
    let fresh = [fresh(1), fresh(2), fresh(3)];
    let (proposals, shown) = found(founding, &mint(), NOW, fresh.each_ref());
    assert_eq!(shown.expose(), given);
    let Event::TokenIssued { token } = &proposals[2].event else { panic!("a token") };
    assert_eq!(token.secret.digest, mint().key.digest(&given));
    assert_eq!(token.secret.last_four.as_str(), "xxxx");
}

#[test]
fn a_recovered_token_has_the_members_rights_and_no_more() {
    let cast = Cast::default();
    for role in BaseRole::ALL {
        let owner = member(role);
        let issued = recover(&owner, &mint(), NOW, &fresh(5));
        assert_eq!(issued.proposal.actor, Actor::System);
        let standing = Expectation::Member { id: owner.id, revision: owner.revision };
        assert_eq!(issued.proposal.expects, [standing], "unless the member changes meanwhile");
        let caller = cast.caller(&crate::cast::after(&issued.proposal), &owner);
        assert_eq!(caller.authority().highest_base_role(), role);
    }
}
