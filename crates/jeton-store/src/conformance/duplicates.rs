//! Cases about what must be unique: a second record with the same is left out, and the rest of its group goes on.

use jeton_core::account::Account;
use jeton_core::change::{Actor, Event, Proposal};
use jeton_core::member::{Member, Standing};
use jeton_core::role::CustomRole;
use jeton_core::token::Token;

use super::bench::Bench;
use super::fold::State;
use super::sample::{self, NOW};
use crate::{Outcome, Store};

/// Commits the event between two good ones, and sees that it alone left no trace.
async fn refuse(bench: &mut Bench<'_>, event: Event) {
    let name = event.name();
    let (first, last) = (bench.new_token(), bench.new_token());
    let before = State::of_snapshot(bench.store).await;
    let group = [
        Event::TokenIssued { token: first.clone() },
        event.clone(),
        Event::TokenIssued { token: last.clone() },
        event,
    ];
    let group = group.map(|event| bench.proposal(event)).to_vec();
    let outcomes = bench.commit(group).await.unwrap();
    let seen: Vec<bool> = outcomes.iter().map(|outcome| *outcome == Outcome::Duplicate).collect();
    assert_eq!(seen, [false, true, false, true], "{name}: {outcomes:?}");

    let mut after = State::of_snapshot(bench.store).await;
    assert_eq!(after.revision.number(), before.revision.number() + 2);
    assert!(after.credentials.remove(&first.id).is_some() && after.credentials.remove(&last.id).is_some());
    assert_eq!(State { revision: before.revision, ..after }, before, "{name}");
    assert_eq!(bench.last().await.number(), before.revision.number() + 2, "{name}");
}

pub(super) async fn an_id_is_used_once(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 30).await;
    let (member, role, token) = (bench.member().await, bench.role("ops").await, bench.token().await);
    let account = Account { id: bench.account, ..sample::account(&mut bench.draw) };
    let member = Member { id: member.id, ..bench.new_member() };
    let role = CustomRole { id: role.id, ..bench.new_role("dev") };
    let token = Token { id: token.id, name: "another".to_owned(), ..bench.new_token() };
    refuse(&mut bench, Event::AccountFounded { account }).await;
    refuse(&mut bench, Event::MemberAdded { member }).await;
    refuse(&mut bench, Event::RoleDefined { role }).await;
    refuse(&mut bench, Event::TokenIssued { token }).await;
}

pub(super) async fn what_is_unique_in_an_account_is_used_once(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 31).await;
    let (there, role) = (bench.member().await, bench.role("ops").await);
    let same_number = Member { number: there.number, ..bench.new_member() };
    let same_address = Member { email: there.email.clone(), ..bench.new_member() };
    let other_case = Member { email: there.email.to_uppercase(), ..bench.new_member() };
    let same_key = bench.new_role(&role.key);
    refuse(&mut bench, Event::MemberAdded { member: same_number }).await;
    refuse(&mut bench, Event::MemberAdded { member: same_address }).await;
    refuse(&mut bench, Event::MemberAdded { member: other_case }).await;
    refuse(&mut bench, Event::RoleDefined { role: same_key }).await;
    // A key is a name for machines: its case counts.
    bench.role("OPS").await;
}

pub(super) async fn a_change_into_a_duplicate_is_refused(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 32).await;
    let (there, before) = (bench.member().await, bench.member().await);
    let after = Member { email: there.email.to_uppercase(), ..before.clone() };
    refuse(&mut bench, Event::MemberChanged { before: before.clone(), after }).await;
    let (ops, before_role) = (bench.role("ops").await, bench.role("dev").await);
    let after = CustomRole { key: ops.key, ..before_role.clone() };
    refuse(&mut bench, Event::RoleChanged { before: before_role, after }).await;
    // One's own address in another case is no duplicate.
    let after = Member { email: before.email.to_uppercase(), ..before.clone() };
    bench.write(Event::MemberChanged { before, after }).await;
}

pub(super) async fn another_account_may_use_the_same(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 33).await;
    let (here, role) = (bench.member().await, bench.role("ops").await);
    let other = bench.another_account().await;
    let twin = Member { id: bench.draw.member(), account: other.id, ..here.clone() };
    let twin_role = CustomRole { id: bench.draw.role(), account: other.id, ..role };
    for event in [Event::MemberAdded { member: twin.clone() }, Event::RoleDefined { role: twin_role }] {
        let proposal =
            Proposal { at: NOW, account: other.id, actor: Actor::System, event, expects: Vec::new() };
        let outcome = bench.one(proposal).await;
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    }
    let found = store.members_by_email(&here.email).await.unwrap();
    assert_eq!(found.len(), 2, "an address is looked up in every account");
}

pub(super) async fn what_a_removed_record_had_may_be_used_again(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 34).await;
    let gone = bench.member().await;
    let removed = Member { standing: Standing::Removed, ..gone.clone() };
    bench.write(Event::MemberChanged { before: gone.clone(), after: removed }).await;

    // The number is not free: Canvus numbers name one person for ever.
    let same_number = Member { number: gone.number, ..bench.new_member() };
    refuse(&mut bench, Event::MemberAdded { member: same_number }).await;
    let successor = Member { email: gone.email.clone(), ..bench.new_member() };
    let revision = bench.write(Event::MemberAdded { member: successor.clone() }).await.revision;
    let successor = Member { revision, ..successor };
    assert_eq!(store.members_by_email(&gone.email).await.unwrap(), [successor]);

    let role = bench.role("ops").await;
    bench.write(Event::RoleRemoved { role }).await;
    bench.role("ops").await;

    // An id that was revoked may come back as far as the store is concerned; ids are random, so it never does.
    let token = bench.token().await;
    bench.write(Event::TokenRevoked { token: token.clone() }).await;
    bench.issue(token).await;
}
