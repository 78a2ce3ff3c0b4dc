//! One token, two dialects: the same story told in either leaves the same change log, and a token that was made in one is
//! seen, renamed, rotated and revoked in the other.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use jeton_core::change::{Change, Event};
use jeton_core::role::BaseRole;
use jeton_core::token::{Scope, Token};
use jeton_testkit::{Jeton, Reply};
use serde_json::{Value, json};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dialect {
    Canvus,
    LaunchDarkly,
}

use Dialect::{Canvus, LaunchDarkly};

/// What both can say, each in its own words. `user` is whose token it is, which only Canvus says.
impl Dialect {
    async fn ask(self, jeton: &Jeton, secret: &str, method: &str, user: u32, id: &str, body: &str) -> Reply {
        let slash = if id.is_empty() { "" } else { "/" };
        match self {
            Canvus => {
                let path = format!("/api/v1/users/{user}/access-tokens{slash}{id}");
                jeton.send(method, &path, &[("private-token", secret)], body).await
            }
            LaunchDarkly => {
                let path = format!("/api/v2/tokens{slash}{id}");
                jeton.send(method, &path, &[("authorization", secret)], body).await
            }
        }
    }

    /// Makes a token for the asker, and gives its id and its secret.
    async fn create(self, jeton: &Jeton, secret: &str, user: u32, name: &str) -> (String, String) {
        let (body, id, token) = match self {
            Canvus => (json!({ "description": name }), "id", "plain_token"),
            LaunchDarkly => (json!({ "name": name, "role": "admin" }), "_id", "token"),
        };
        let made = self.ask(jeton, secret, "POST", user, "", &body.to_string()).await;
        assert!(made.status.is_success(), "{made:?}");
        (made.string(id), made.string(token))
    }

    async fn rename(self, jeton: &Jeton, secret: &str, user: u32, id: &str, name: &str) -> u16 {
        let body = match self {
            Canvus => json!({ "description": name }),
            LaunchDarkly => json!([{ "op": "replace", "path": "/name", "value": name }]),
        };
        self.ask(jeton, secret, "PATCH", user, id, &body.to_string()).await.status.as_u16()
    }

    async fn revoke(self, jeton: &Jeton, secret: &str, user: u32, id: &str) -> u16 {
        let status = self.ask(jeton, secret, "DELETE", user, id, "").await.status.as_u16();
        if status == 204 { 200 } else { status }
    }

    /// The name of a token, if it is seen.
    async fn name(self, jeton: &Jeton, secret: &str, user: u32, id: &str) -> Option<String> {
        let reply = self.ask(jeton, secret, "GET", user, id, "").await;
        (reply.status == 200).then(|| named(&reply.json()))
    }

    /// The ids and names of the user's own tokens.
    async fn list(self, jeton: &Jeton, secret: &str, user: u32) -> Vec<(String, String)> {
        let list = self.ask(jeton, secret, "GET", user, "", "").await.expect(200).json();
        let tokens = list.get("items").unwrap_or(&list).as_array().unwrap();
        let id = |token: &Value| token.get("_id").or(token.get("id")).unwrap().as_str().unwrap().to_owned();
        tokens.iter().map(|token| (id(token), named(token))).collect()
    }
}

fn named(token: &Value) -> String {
    token.get("name").or(token.get("description")).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A story that both can tell, with what goes wrong in it. Gives what was seen on the way.
async fn story(jeton: &Jeton, dialect: Dialect) -> Vec<String> {
    let mut seen = Vec::new();
    let person = jeton.add_member(1001, BaseRole::Writer).await;
    let (owner, owners) = (jeton.owner.secret.clone(), 1000);

    let (first, first_secret) = dialect.create(jeton, &owner, owners, "first").await;
    jeton.clock.advance(std::time::Duration::from_secs(1));
    let (second, _) = dialect.create(jeton, &owner, owners, "second").await;
    seen.push(format!("{:?}", dialect.list(jeton, &owner, owners).await));
    seen.push(format!("{:?}", dialect.name(jeton, &owner, owners, &second).await));

    jeton.clock.advance(std::time::Duration::from_secs(1));
    seen.push(dialect.rename(jeton, &first_secret, owners, &second, "renamed ü").await.to_string());
    seen.push(dialect.rename(jeton, &owner, owners, &second, "renamed ü").await.to_string());
    seen.push(dialect.rename(jeton, &owner, owners, "0123456789abcdef01234567", "nobody").await.to_string());
    seen.push(dialect.rename(jeton, "nonsense", owners, &second, "stranger").await.to_string());
    seen.push(format!("{:?}", dialect.name(jeton, &first_secret, owners, &second).await));

    // An administrator and somebody else's token.
    let theirs = jeton.token_of(&person.secret).to_string();
    seen.push(format!("{:?}", dialect.name(jeton, &owner, 1001, &theirs).await));
    seen.push(dialect.rename(jeton, &owner, 1001, &theirs, "by the owner").await.to_string());
    seen.push(dialect.revoke(jeton, &owner, 1001, &theirs).await.to_string());
    seen.push(format!("{:?}", dialect.name(jeton, &person.secret, 1001, &theirs).await));

    jeton.clock.advance(std::time::Duration::from_secs(1));
    seen.push(dialect.revoke(jeton, &first_secret, owners, &first).await.to_string());
    seen.push(dialect.revoke(jeton, &first_secret, owners, &first).await.to_string());
    seen.push(dialect.revoke(jeton, &owner, owners, &first).await.to_string());
    seen.push(dialect.revoke(jeton, &owner, owners, &second).await.to_string());
    seen.push(format!("{:?}", dialect.list(jeton, &owner, owners).await));
    seen
}

/// A log with the one thing left out that the two can't say alike: a token of Canvus may do what its owner may, a token
/// of LaunchDarkly has to say what.
fn scopes_aside(mut log: Vec<Change>) -> Vec<Change> {
    let clear = |token: &mut Token| token.scope = Scope::Member;
    for change in &mut log {
        match &mut change.event {
            Event::TokenIssued { token } | Event::TokenRevoked { token } => clear(token),
            Event::TokenChanged { before, after } | Event::TokenRotated { before, after } => {
                clear(before);
                clear(after);
            }
            Event::AccountFounded { .. }
            | Event::MemberAdded { .. }
            | Event::MemberChanged { .. }
            | Event::RoleDefined { .. }
            | Event::RoleChanged { .. }
            | Event::RoleRemoved { .. } => {}
        }
    }
    log
}

/// Time and randomness being the same, so is everything that is written down: order, instants, actors, images before and
/// after, even ids and digests.
#[tokio::test]
async fn the_same_story_leaves_the_same_log() {
    let (canvus, launchdarkly) = (Jeton::start().await, Jeton::start().await);
    let seen = story(&canvus, Canvus).await;
    assert_eq!(seen, story(&launchdarkly, LaunchDarkly).await);
    let log = scopes_aside(canvus.log().await);
    assert_eq!(log, scopes_aside(launchdarkly.log().await));

    // It is this story, and not the empty one.
    let names: Vec<_> = log.iter().map(|change| change.event.name()).collect();
    assert_eq!(
        names,
        [
            "account.founded",
            "member.added",
            "token.issued",
            "member.added",
            "token.issued",
            "token.issued",
            "token.issued",
            "token.changed",
            "token.changed",
            "token.revoked",
            "token.revoked",
            "token.revoked",
        ]
    );
    assert!(seen.contains(&r#"Some("renamed ü")"#.to_owned()), "{seen:?}");
}

/// Made in one, it is there in the other: with its name, its secret, its end.
#[tokio::test]
async fn a_token_of_one_is_a_token_of_the_other() {
    for (here, there) in [(Canvus, LaunchDarkly), (LaunchDarkly, Canvus)] {
        let jeton = Jeton::start().await;
        let owner = jeton.owner.secret.clone();
        let (id, secret) = here.create(&jeton, &owner, 1000, "made here").await;

        assert_eq!(there.name(&jeton, &secret, 1000, &id).await.as_deref(), Some("made here"));
        assert_eq!(there.list(&jeton, &owner, 1000).await, here.list(&jeton, &secret, 1000).await);
        assert_eq!(there.list(&jeton, &owner, 1000).await[1], (id.clone(), "made here".to_owned()));

        assert_eq!(there.rename(&jeton, &secret, 1000, &id, "renamed there").await, 200);
        assert_eq!(here.name(&jeton, &secret, 1000, &id).await.as_deref(), Some("renamed there"));

        // Rotated where that can be said: the new secret is good in both, the old one in neither.
        let reset = format!("/api/v2/tokens/{id}/reset");
        let next = jeton.call(&owner, "POST", &reset, None).await.expect(200).string("token");
        for dialect in [here, there] {
            assert_eq!(dialect.name(&jeton, &secret, 1000, &id).await, None);
            assert_eq!(dialect.name(&jeton, &next, 1000, &id).await.as_deref(), Some("renamed there"));
        }

        assert_eq!(there.revoke(&jeton, &next, 1000, &id).await, 200);
        for dialect in [here, there] {
            assert_eq!(dialect.name(&jeton, &next, 1000, &id).await, None);
            assert_eq!(dialect.ask(&jeton, &next, "GET", 1000, &id, "").await.status, 401);
            assert_eq!(dialect.ask(&jeton, &owner, "GET", 1000, &id, "").await.status, 404);
        }
    }
}

/// What only LaunchDarkly can say of a token holds in Canvus: its end, its bounds. What only Canvus can say of one, that it
/// follows its owner, shows in LaunchDarkly.
#[tokio::test]
async fn what_only_one_can_say_holds_in_the_other() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let (id, secret) = Canvus.create(&jeton, &owner, 1000, "made in Canvus").await;
    let path = format!("/api/v2/tokens/{id}");
    let soon = jeton.service.now().as_millis() + 1000;
    let ends = json!([{ "op": "replace", "path": "/expiry", "value": soon }]).to_string();
    let shown = jeton.call(&owner, "PATCH", &path, Some(&ends)).await.expect(200);
    assert_eq!(shown.json()["description"], Value::Null, "Canvus's description is the name");
    assert_eq!(Canvus.ask(&jeton, &secret, "GET", 1000, &id, "").await.status, 200);
    jeton.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(Canvus.ask(&jeton, &secret, "GET", 1000, &id, "").await.status, 401);

    // A description in LaunchDarkly is nothing that Canvus shows, and outlives a change there.
    let body = json!({ "name": "ci", "description": "of the pipeline", "role": "reader" }).to_string();
    let made = jeton.call(&owner, "POST", "/api/v2/tokens", Some(&body)).await.expect(201);
    let (id, reader) = (made.string("_id"), made.string("token"));
    assert_eq!(Canvus.rename(&jeton, &owner, 1000, &id, "cd").await, 200);
    let shown = jeton.call(&owner, "GET", &format!("/api/v2/tokens/{id}"), None).await.expect(200).json();
    assert_eq!(
        (&shown["name"], &shown["description"], &shown["role"]),
        (&json!("cd"), &json!("of the pipeline"), &json!("reader"))
    );
    // A reader reads, in both.
    assert_eq!(Canvus.ask(&jeton, &reader, "GET", 1000, "", "").await.status, 200);
    assert_eq!(Canvus.rename(&jeton, &reader, 1000, &id, "x").await, 403);
    assert_eq!(Canvus.revoke(&jeton, &reader, 1000, &id).await, 403);

    // What a token of Canvus may do is what its owner may now.
    let person = jeton.add_member(1001, BaseRole::Admin).await;
    let (id, _) = Canvus.create(&jeton, &person.secret, 1001, "follows").await;
    for role in [BaseRole::Admin, BaseRole::Reader, BaseRole::NoAccess, BaseRole::Writer] {
        jeton.change_member(person.id, |member| member.role = role).await;
        let shown = jeton.call(&owner, "GET", &format!("/api/v2/tokens/{id}"), None).await.expect(200).json();
        assert_eq!(shown["role"], role.as_str());
    }
}
