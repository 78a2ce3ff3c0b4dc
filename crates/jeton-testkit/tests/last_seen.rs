//! When members were last here, through the outer door: what each dialect shows, what lists are sorted and filtered by,
//! and what is left of it after a restart.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use std::sync::Arc;
use std::time::Duration;

use jeton_core::digest::ServerKey;
use jeton_core::limits::Limits;
use jeton_core::role::BaseRole;
use jeton_core::rule::Mint;
use jeton_core::secret::SecretFormat;
use jeton_core::timestamp::Timestamp;
use jeton_server::Settings;
use jeton_service::{Presence, Service};
use jeton_store::{Sqlite, Store};
use jeton_testkit::{Jeton, SeededEntropy, Unreliable};
use serde_json::{Value, json};

/// The instant at which the test kit's clock begins.
const START: i64 = 1_767_323_045_678;
const MEMBERS: &str = "/api/v2/members";
const LOGIN: &str = "/api/v1/users/login";

fn seconds(jeton: &Jeton, count: u64) {
    jeton.clock.advance(Duration::from_secs(count));
}

/// Ada with a password, as Canvus makes her: her number.
async fn ada(jeton: &Jeton) -> u64 {
    let ada = json!({ "email": "ada@example.com", "name": "Ada", "password": "correct horse" }).to_string();
    let owner = [("private-token", jeton.owner.secret.as_str())];
    let made = jeton.send("POST", "/api/v1/users", &owner, ada).await.expect(200).json();
    made["id"].as_u64().unwrap()
}

async fn login(jeton: &Jeton, credentials: Value, status: u16) -> Value {
    jeton.send("POST", LOGIN, &[], credentials.to_string()).await.expect(status).json()
}

fn password(word: &str) -> Value {
    json!({ "email": "ada@example.com", "password": word })
}

/// What the two dialects say of the member with this address: `last_login` and `_lastSeen`.
async fn said(jeton: &Jeton, email: &str) -> (String, i64) {
    let owner = [("private-token", jeton.owner.secret.as_str())];
    let users = jeton.send("GET", "/api/v1/users", &owner, "").await.expect(200).json();
    let members = jeton.call(&jeton.owner.secret, "GET", MEMBERS, None).await.expect(200).json();
    let of = |list: &Value| {
        let found = list.as_array().unwrap().iter().find(|member| member["email"] == email);
        found.unwrap().clone()
    };
    let (user, member) = (of(&users), of(&members["items"]));
    (user["last_login"].as_str().unwrap().to_owned(), member["_lastSeen"].as_i64().unwrap())
}

/// The addresses in the answer to a query, as far as they are of the test's own members.
async fn listed(jeton: &Jeton, query: &str) -> Vec<String> {
    let path = format!("{MEMBERS}?{query}");
    let page = jeton.call(&jeton.owner.secret, "GET", &path, None).await.expect(200).json();
    let emails = page["items"].as_array().unwrap().iter().map(|member| member["email"].as_str().unwrap());
    emails.filter(|email| *email != "owner@example.com").map(str::to_owned).collect()
}

#[tokio::test]
async fn a_login_is_shown_and_so_is_a_use() {
    let jeton = Jeton::start().await;
    let number = ada(&jeton).await;
    assert_eq!(said(&jeton, "ada@example.com").await, (String::new(), 0), "never");
    login(&jeton, password("wrong horse"), 401).await;
    assert_eq!(said(&jeton, "ada@example.com").await, (String::new(), 0), "who fails was not here");

    seconds(&jeton, 1);
    let first = login(&jeton, password("correct horse"), 200).await;
    assert_eq!(first["user"]["last_login"], "2026-01-02T03:04:06.678Z");
    assert_eq!(said(&jeton, "ada@example.com").await, ("2026-01-02T03:04:06.678Z".to_owned(), START + 1000));

    // A use of the login, and one of a personal token: seen, and no login.
    let secret = first["token"].as_str().unwrap();
    seconds(&jeton, 1);
    let tokens = format!("/api/v1/users/{number}/access-tokens");
    let header = [("private-token", secret)];
    let made = jeton.send("POST", &tokens, &header, r#"{"description":"d"}"#).await.expect(200).json();
    let used = ("2026-01-02T03:04:06.678Z".to_owned(), START + 2000);
    assert_eq!(said(&jeton, "ada@example.com").await, used);
    seconds(&jeton, 1);
    let personal = made["plain_token"].as_str().unwrap();
    jeton.call(personal, "GET", "/api/v2/caller-identity", None).await.expect(200);
    let used = ("2026-01-02T03:04:06.678Z".to_owned(), START + 3000);
    assert_eq!(said(&jeton, "ada@example.com").await, used);

    seconds(&jeton, 1);
    login(&jeton, json!({ "token": personal }), 200).await;
    assert_eq!(said(&jeton, "ada@example.com").await, ("2026-01-02T03:04:09.678Z".to_owned(), START + 4000));
}

/// A machine that uses a service token is not the member who made it.
#[tokio::test]
async fn a_service_token_is_nobody() {
    let jeton = Jeton::start().await;
    let maker = jeton.add_member(1500, BaseRole::Writer).await;
    let body = json!({ "role": "reader", "serviceToken": true }).to_string();
    let service =
        jeton.call(&maker.secret, "POST", "/api/v2/tokens", Some(&body)).await.expect(201).string("token");
    seconds(&jeton, 1);
    jeton.call(&service, "GET", "/api/v2/caller-identity", None).await.expect(200);
    assert_eq!(said(&jeton, "member1500@example.com").await, (String::new(), START));
}

#[tokio::test]
async fn an_instant_never_goes_backwards() {
    let jeton = Jeton::start().await;
    ada(&jeton).await;
    seconds(&jeton, 60);
    login(&jeton, password("correct horse"), 200).await;
    let before = said(&jeton, "ada@example.com").await;
    jeton.clock.set(Timestamp::from_millis(START));
    login(&jeton, password("correct horse"), 200).await;
    // Who asked before the step back would wait for their rate.
    jeton.clock.set(Timestamp::from_millis(START + 60_000));
    assert_eq!(said(&jeton, "ada@example.com").await, before);
    jeton.service.flush_last_used().await.unwrap();
    assert_eq!(said(&jeton, "ada@example.com").await, before);
}

#[tokio::test]
async fn members_are_sorted_and_found_by_when_they_were_last_seen() {
    let jeton = Jeton::start().await;
    let [early, never, late] = [1501, 1502, 1503].map(|number| format!("member{number}@example.com"));
    let mut secrets = Vec::new();
    for number in [1501, 1502, 1503] {
        secrets.push(jeton.add_member(number, BaseRole::Reader).await.secret);
    }
    for secret in [&secrets[0], &secrets[2]] {
        seconds(&jeton, 10);
        jeton.call(secret, "GET", "/api/v2/caller-identity", None).await.expect(200);
    }
    // Half of it is written and half is not: no reader can tell.
    jeton.service.flush_last_used().await.unwrap();
    seconds(&jeton, 10);
    jeton.call(&secrets[2], "GET", "/api/v2/caller-identity", None).await.expect(200);

    assert_eq!(listed(&jeton, "sort=lastSeen").await, [&never, &early, &late].map(Clone::clone));
    assert_eq!(listed(&jeton, "sort=-lastSeen").await, [&late, &early, &never].map(Clone::clone));
    let before = |millis: i64| format!("filter=lastSeen:%7B%22before%22:{millis}%7D");
    let early_at = START + 10_000;
    for (query, expected) in [
        ("filter=lastSeen:%7B%22never%22:true%7D".to_owned(), vec![&never]),
        ("filter=lastSeen:%7B%22never%22:false%7D".to_owned(), vec![&early, &late]),
        ("filter=lastSeen:%7B%22noData%22:true%7D".to_owned(), vec![&never]),
        ("filter=lastSeen:%20%7B%20%22never%22%20:%20true%7D,role:reader".to_owned(), vec![&never]),
        ("filter=lastSeen:%7B%22never%22:true%7D,role:admin".to_owned(), vec![]),
        // As Terraform encodes a value: once more than the query does.
        ("filter=lastSeen:%257B%2522never%2522%253Atrue%257D".to_owned(), vec![&never]),
        (before(early_at), vec![&never]),
        (before(early_at + 1), vec![&early, &never]),
        (before(START + 30_001), vec![&early, &never, &late]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(listed(&jeton, &query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn another_form_of_the_filter_is_refused_with_those_that_there_are() {
    let jeton = Jeton::start().await;
    for value in [
        "yesterday",
        "",
        "true",
        "%7B%7D",
        "%7B%22never%22:1%7D",
        "%7B%22after%22:1%7D",
        "%7B%22before%22:%221%22%7D",
        "%7B%22before%22:1.5%7D",
        "%7B%22never%22:true,%22before%22:1%7D",
    ] {
        let path = format!("{MEMBERS}?filter=lastSeen:{value}");
        let refused = jeton.call(&jeton.owner.secret, "GET", &path, None).await.expect(400);
        let message = refused.string("message");
        assert!(
            message.contains(r#"{"never":true}, {"noData":true} or {"before":MILLISECONDS}"#),
            "{message}"
        );
    }
}

/// A service that starts on what another one has left knows what that one wrote down.
#[tokio::test]
async fn what_was_flushed_is_there_after_a_restart() {
    let store = Arc::new(Unreliable::new(Arc::new(Sqlite::in_memory().unwrap())));
    let jeton = Jeton::on(Arc::clone(&store) as Arc<dyn Store>, Settings::default(), Limits::default()).await;
    let number = u32::try_from(ada(&jeton).await).unwrap();
    login(&jeton, password("correct horse"), 200).await;
    let member = jeton.service.members_of(jeton.account, number).unwrap();
    let now = jeton.service.presence(&member);
    assert!(now.last_login_at.is_some() && now.last_seen_at == now.last_login_at, "{now:?}");

    store.set_broken(true);
    assert!(jeton.service.flush_last_used().await.is_err());
    store.set_broken(false);
    assert_eq!(jeton.service.presence(&member), now, "what could not be written is kept");
    assert_eq!(restarted(&jeton).await.presence(&member), Presence::default(), "nothing is written yet");

    jeton.service.flush_last_used().await.unwrap();
    assert_eq!(jeton.service.presence(&member), now);
    assert_eq!(restarted(&jeton).await.presence(&member), now);
}

async fn restarted(jeton: &Jeton) -> Service {
    let mint = Mint { format: SecretFormat::new("jtn").unwrap(), key: ServerKey::new([7; 32].into()) };
    let (clock, entropy) = (Arc::clone(&jeton.clock), Arc::new(SeededEntropy::new(2)));
    Service::start(Arc::clone(&jeton.store), mint, Limits::default(), clock, entropy, &mut |_, _| {})
        .await
        .unwrap()
}
