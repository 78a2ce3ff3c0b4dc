//! Cases about members and roles: what goes with them, and what stays.

use jeton_core::change::{Event, Expectation};
use jeton_core::member::{Member, Standing};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{Scope, Token, TokenKind};

use super::bench::Bench;
use super::fold::State;
use super::sample::{self, NOW};
use crate::{Outcome, Presence, Store};

/// A member with two personal tokens and a service token, and somebody else's token beside them.
async fn with_tokens(bench: &mut Bench<'_>) -> (Member, [Token; 2], Token, Token) {
    let member = bench.member().await;
    let mut tokens = Vec::new();
    for kind in [TokenKind::Personal, TokenKind::Personal, TokenKind::Service] {
        let token = sample::token(&mut bench.draw, bench.account, member.id, kind);
        tokens.push(bench.issue(token).await);
    }
    let others = bench.token().await;
    let [one, two, service] = tokens.try_into().unwrap();
    (member, [one, two], service, others)
}

pub(super) async fn a_removed_member_loses_personal_tokens_only(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 60).await;
    let (member, personal, service, others) = with_tokens(&mut bench).await;
    let after = Member { standing: Standing::Removed, ..member.clone() };
    let event = Event::MemberChanged { before: member.clone(), after: after.clone() };
    let revision = bench.write(event).await.revision;

    for token in &personal {
        assert_eq!(bench.stored(token.id).await, None);
    }
    assert_eq!(bench.stored(service.id).await.unwrap().token, service);
    assert_eq!(bench.stored(others.id).await.unwrap().token, others);
    let removed = Member { revision, ..after };
    assert_eq!(store.member(bench.account, member.id).await.unwrap(), Some(removed), "the record stays");
    assert_eq!(store.members_by_email(&member.email).await.unwrap(), [], "but has no address any more");
    assert_eq!(bench.last().await, revision, "the tokens go in the same change");

    // What was decided about one of the tokens before is stale now.
    let renamed = Token { name: "too late".to_owned(), ..personal[0].clone() };
    let event = Event::TokenChanged { before: personal[0].clone(), after: renamed };
    let expectation = Expectation::Token { id: personal[0].id, revision: personal[0].revision };
    assert_eq!(bench.one(bench.expecting(event, &[expectation])).await, Outcome::Stale(expectation));
}

pub(super) async fn any_other_standing_leaves_the_tokens(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 61).await;
    let (mut member, personal, service, _) = with_tokens(&mut bench).await;
    for standing in [Standing::Blocked, Standing::Pending, Standing::Active] {
        let after = Member { standing, ..member.clone() };
        let event = Event::MemberChanged { before: member, after: after.clone() };
        member = Member { revision: bench.write(event).await.revision, ..after };
        for token in personal.iter().chain([&service]) {
            assert_eq!(bench.stored(token.id).await.unwrap().token, *token, "{standing:?}");
        }
        assert_eq!(store.members_by_email(&member.email).await.unwrap(), [member.clone()]);
    }
}

pub(super) async fn an_address_is_found_without_regard_to_case(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 62).await;
    let member = Member { email: "Ada.Lovelace+x_y%z@Example.Com".to_owned(), ..bench.new_member() };
    let revision = bench.write(Event::MemberAdded { member: member.clone() }).await.revision;
    let member = Member { revision, ..member };
    for spelling in [member.email.clone(), member.email.to_lowercase(), member.email.to_uppercase()] {
        assert_eq!(
            store.members_by_email(&spelling).await.unwrap(),
            std::slice::from_ref(&member),
            "{spelling}"
        );
    }
    // Nothing in an address is a pattern, and no part of one is an address.
    for stranger in
        ["", "%", "Ada.Lovelace", "AdaXLovelace+x_y%z@Example.Com", "ada.lovelace+xQy%z@example.com"]
    {
        assert_eq!(store.members_by_email(stranger).await.unwrap(), [], "{stranger}");
    }
}

pub(super) async fn a_removed_role_leaves_the_tokens_that_held_it(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 63).await;
    let (gone, stays) = (bench.role("gone").await, bench.role("stays").await);
    let scope = Scope::Roles(vec![gone.id, stays.id]);
    let token = Token { scope: scope.clone(), ..bench.new_token() };
    let token = bench.issue(token).await;
    bench.write(Event::RoleRemoved { role: gone }).await;
    assert_eq!(bench.stored(token.id).await.unwrap().token, token, "the token is not touched");
    let snapshot = State::of_snapshot(store).await;
    assert_eq!(snapshot.roles.into_keys().collect::<Vec<_>>(), [stays.id]);
    assert_eq!(snapshot.credentials[&token.id].rights.scope, scope);
}

/// A presence from instants in milliseconds.
fn presence(seen: Option<i64>, login: Option<i64>) -> Presence {
    let [last_seen_at, last_login_at] = [seen, login].map(|at| at.map(Timestamp::from_millis));
    Presence { last_seen_at, last_login_at }
}

pub(super) async fn a_presence_never_goes_backwards(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 64).await;
    let (here, never) = (bench.member().await, bench.draw.member());
    let known = async |store: &dyn Store| store.presences(None).await.unwrap();
    assert_eq!(known(store).await, [], "nobody was ever here");
    let steps = [
        ((None, None), None),
        ((Some(10), None), Some((Some(10), None))),
        ((None, None), Some((Some(10), None))),
        ((Some(30), Some(30)), Some((Some(30), Some(30)))),
        ((Some(20), Some(20)), Some((Some(30), Some(30)))),
        ((Some(31), None), Some((Some(31), Some(30)))),
        ((None, Some(32)), Some((Some(31), Some(32)))),
    ];
    for ((seen, login), expected) in steps {
        store.touch(&[], &[(here.id, presence(seen, login))]).await.unwrap();
        let expected: Vec<_> =
            expected.map(|(seen, login)| (here.id, presence(seen, login))).into_iter().collect();
        assert_eq!(known(store).await, expected, "after {seen:?} and {login:?}");
    }
    let batch = [(here.id, 50), (never, 60), (here.id, 40)];
    store.touch(&[], &batch.map(|(id, at)| (id, presence(Some(at), None)))).await.unwrap();
    assert_eq!(known(store).await, [(here.id, presence(Some(50), Some(32)))]);
    let since = async |at| store.presences(Some(Timestamp::from_millis(at))).await.unwrap();
    assert_eq!(since(50).await, known(store).await);
    assert_eq!(since(51).await, [], "nobody was here since");
}

pub(super) async fn a_presence_is_no_change(store: &dyn Store) {
    let mut bench = Bench::set_up(store, 65).await;
    let (member, token) = (bench.member().await, bench.token().await);
    let before = (State::of_snapshot(store).await, bench.log().await);
    let here = presence(Some(NOW.as_millis()), Some(NOW.as_millis()));
    store.touch(&[(token.id, NOW)], &[(member.id, here)]).await.unwrap();
    assert_eq!((State::of_snapshot(store).await, bench.log().await), before);
    assert_eq!(bench.stored(token.id).await.unwrap().last_used_at, Some(NOW), "both are noted");

    let after = Member { name: "Renamed".to_owned(), ..member.clone() };
    let revision = bench.write(Event::MemberChanged { before: member.clone(), after }).await.revision;
    assert_eq!(revision, before.0.revision.next(), "being here takes no revision");
    assert_eq!(
        store.presences(None).await.unwrap(),
        [(member.id, here)],
        "and a change of the member leaves it"
    );
}
