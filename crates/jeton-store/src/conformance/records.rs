//! Cases about the records themselves: what goes in comes out, by id, from the snapshot and from the log.

use jeton_core::change::Event;
use jeton_core::credential::Credential;
use jeton_core::member::Member;
use jeton_core::role::CustomRole;
use jeton_core::token::Token;

use super::bench::Bench;
use super::fold::State;
use super::sample;
use crate::Store;

const MANY: usize = 150;

pub(super) async fn every_field_of_a_token_survives(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 40).await;
    let mut issued = Vec::new();
    for _ in 0..MANY {
        let token = sample::odd_token(&mut bench.draw, bench.account, bench.owner.id);
        issued.push(bench.issue(token).await);
    }
    let snapshot = State::of_snapshot(store).await;
    let log = bench.log().await;
    for (token, change) in issued.into_iter().zip(&log[2..]) {
        assert_eq!(bench.stored(token.id).await.unwrap().token, token);
        assert_eq!(snapshot.credentials[&token.id], Credential::from(&token));
        assert_eq!(change.event, Event::TokenIssued { token });
    }
}

pub(super) async fn every_field_of_a_member_survives(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 41).await;
    let mut added = Vec::new();
    for number in (2000..).step_by(7).take(MANY).chain([0, u32::MAX]) {
        let member = sample::odd_member(&mut bench.draw, bench.account, number);
        let revision = bench.write(Event::MemberAdded { member: member.clone() }).await.revision;
        added.push(Member { revision, ..member });
    }
    let snapshot = State::of_snapshot(store).await;
    let log = bench.log().await;
    for (member, change) in added.into_iter().zip(&log[2..]) {
        assert_eq!(store.member(bench.account, member.id).await.unwrap().as_ref(), Some(&member));
        assert_eq!(store.members_by_email(&member.email).await.unwrap(), std::slice::from_ref(&member));
        assert_eq!(snapshot.members[&member.id], member);
        assert_eq!(change.event, Event::MemberAdded { member });
    }
}

pub(super) async fn every_field_of_a_role_survives(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 42).await;
    let mut defined = Vec::new();
    for _ in 0..MANY {
        let plain = bench.new_role("");
        let role = sample::changed_role(&mut bench.draw, &plain);
        let revision = bench.write(Event::RoleDefined { role: role.clone() }).await.revision;
        defined.push(CustomRole { revision, ..role });
    }
    let snapshot = State::of_snapshot(store).await;
    let log = bench.log().await;
    for (role, change) in defined.into_iter().zip(&log[2..]) {
        assert_eq!(snapshot.roles[&role.id], role);
        assert_eq!(change.event, Event::RoleDefined { role });
    }
}

pub(super) async fn a_change_replaces_what_may_change(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 43).await;
    let (mut token, mut member, mut role) =
        (bench.token().await, bench.member().await, bench.role("ops").await);
    for round in 0..MANY {
        let after = sample::changed_token(&mut bench.draw, &token);
        let (before, changed) = (token, after.clone());
        let event = if round % 2 == 0 {
            Event::TokenChanged { before, after: changed }
        } else {
            Event::TokenRotated { before, after: changed }
        };
        token = Token { revision: bench.write(event).await.revision, ..after };
        assert_eq!(bench.stored(token.id).await.unwrap().token, token);

        let after = sample::changed_member(&mut bench.draw, &member);
        let event = Event::MemberChanged { before: member, after: after.clone() };
        member = Member { revision: bench.write(event).await.revision, ..after };
        assert_eq!(store.member(bench.account, member.id).await.unwrap().as_ref(), Some(&member));

        let after = sample::changed_role(&mut bench.draw, &role);
        let event = Event::RoleChanged { before: role, after: after.clone() };
        role = CustomRole { revision: bench.write(event).await.revision, ..after };
    }
    let snapshot = State::of_snapshot(store).await;
    assert_eq!(snapshot.credentials[&token.id], Credential::from(&token));
    assert_eq!(snapshot.members[&member.id], member);
    assert_eq!(snapshot.roles[&role.id], role);
}
