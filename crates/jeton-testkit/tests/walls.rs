//! Accounts are walls: nothing done with a credential of one reads, changes or reveals anything of another, not even that
//! it is there.
//!
//! The yardstick throughout: what is behind the wall is answered exactly like what is nowhere, to the byte.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use jeton_core::limits::Limits;
use jeton_core::role::BaseRole;
use jeton_server::Settings;
use jeton_testkit::{Jeton, Person, Reply};
use serde_json::{Value, json};

const TOKENS: &str = "/api/v2/tokens";
const NOBODY: &str = "0123456789abcdef01234567";
/// A user of no account.
const NO_USER: u32 = 4242;

/// Two accounts with the same people in them: an owner, a writer, a service token.
struct Two {
    jeton: Jeton,
    here: Side,
    there: Side,
}

struct Side {
    owner: Person,
    writer: Person,
    machine: String,
    /// A personal token of the writer, and the service token.
    tokens: [String; 2],
}

impl Two {
    async fn accounts() -> Self {
        let jeton = Jeton::with(Settings::default(), Limits { tokens: 8, ..Limits::default() }).await;
        let (account, other_owner) = jeton.add_account().await;
        let writer = jeton.add_member(1001, BaseRole::Writer).await;
        let other_writer = jeton.add_member_to(account, 2001, BaseRole::Writer).await;
        let here = Side::of(&jeton, jeton.owner.clone(), writer).await;
        let there = Side::of(&jeton, other_owner, other_writer).await;
        Self { jeton, here, there }
    }
}

impl Side {
    async fn of(jeton: &Jeton, owner: Person, writer: Person) -> Self {
        let personal = json!({ "name": "personal", "role": "reader" }).to_string();
        let personal = jeton.call(&writer.secret, "POST", TOKENS, Some(&personal)).await.expect(201);
        let machine = json!({ "name": "machine", "role": "admin", "serviceToken": true }).to_string();
        let machine = jeton.call(&owner.secret, "POST", TOKENS, Some(&machine)).await.expect(201);
        let tokens = [personal.string("_id"), machine.string("_id")];
        Self { owner, writer, machine: machine.string("token"), tokens }
    }

    /// Everybody who can ask on this side, the mightiest first.
    fn askers(&self) -> [&str; 3] {
        [&self.owner.secret, &self.machine, &self.writer.secret]
    }
}

/// Everything that a reply tells, but for what is left of the asker's rate.
fn told(reply: &Reply) -> (u16, Vec<(String, String)>, String) {
    let headers = reply.headers.iter().filter(|(name, _)| !name.as_str().starts_with("x-ratelimit"));
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    (reply.status.as_u16(), headers, reply.text().to_owned())
}

async fn ask(jeton: &Jeton, secret: &str, method: &str, path: &str, body: &str) -> Reply {
    jeton.send(method, path, &[("authorization", secret), ("x-request-id", "r1")], body).await
}

/// Every call about one token, by its id, under one user's path.
fn calls(user: u32, id: &str) -> Vec<(&'static str, String, &'static str)> {
    let canvus = format!("/api/v1/users/{user}/access-tokens");
    let launchdarkly = format!("{TOKENS}/{id}");
    let rename = r#"[{"op":"replace","path":"/name","value":"x"}]"#;
    let untestable = r#"[{"op":"test","path":"/name","value":"x"}]"#;
    let described = r#"{"description":"x"}"#;
    vec![
        ("GET", canvus.clone(), ""),
        ("POST", canvus.clone(), described),
        ("POST", canvus.clone(), "{}"),
        ("GET", format!("{canvus}/{id}"), ""),
        ("PATCH", format!("{canvus}/{id}"), described),
        ("PATCH", format!("{canvus}/{id}"), "{}"),
        ("DELETE", format!("{canvus}/{id}"), ""),
        ("GET", launchdarkly.clone(), ""),
        ("PATCH", launchdarkly.clone(), "[]"),
        ("PATCH", launchdarkly.clone(), rename),
        ("PATCH", launchdarkly.clone(), untestable),
        ("PATCH", launchdarkly.clone(), "{"),
        ("POST", format!("{launchdarkly}/reset"), ""),
        ("POST", format!("{launchdarkly}/reset?expiry=x"), ""),
        ("DELETE", launchdarkly, ""),
    ]
}

/// What is there is answered like what is nowhere, whoever asks, and stays as it was.
#[tokio::test]
async fn law_10_what_is_behind_the_wall_is_nowhere() {
    let two = Two::accounts().await;
    let length = two.jeton.log().await.len();
    for (asking, asked) in [(&two.here, &two.there), (&two.there, &two.here)] {
        for asker in asking.askers() {
            for (user, id) in [
                (asked.writer.number, &asked.tokens[0]),
                (asked.writer.number, &asked.tokens[1]),
                (asked.owner.number, &two.jeton.token_of(&asked.owner.secret).to_string()),
            ] {
                let nowhere = calls(NO_USER, NOBODY);
                for ((method, path, body), (_, no_path, _)) in calls(user, id).into_iter().zip(nowhere) {
                    let there = ask(&two.jeton, asker, method, &path, body).await;
                    let nowhere = ask(&two.jeton, asker, method, &no_path, body).await;
                    assert!(there.status.is_client_error(), "{method} {path}: {there:?}");
                    assert_eq!(told(&there), told(&nowhere), "{method} {path}");
                }
            }
            // The right token under a user of one's own is as far away.
            let own = asking.writer.number;
            for (id, path) in [(&asked.tokens[0], "personal"), (&asked.tokens[1], "service")] {
                let path_to = |id: &str| format!("/api/v1/users/{own}/access-tokens/{id}");
                let there = ask(&two.jeton, asker, "GET", &path_to(id), "").await;
                let nowhere = ask(&two.jeton, asker, "GET", &path_to(NOBODY), "").await;
                assert_eq!(told(&there), told(&nowhere), "{path}");
            }
        }
    }
    assert_eq!(two.jeton.log().await.len(), length, "nothing was changed");
}

/// A list holds one's own account and counts it, whatever there is next door.
/// Whoever asks whether a secret is good, with what may ask, hears of theirs what they hear of one that nobody has.
#[tokio::test]
async fn law_10_a_secret_of_theirs_is_none() {
    let Two { jeton, here, there } = Two::accounts().await;
    let body = json!({ "name": "short-lived", "role": "reader" }).to_string();
    let gone = jeton.call(&here.owner.secret, "POST", TOKENS, Some(&body)).await.expect(201);
    let path = format!("{TOKENS}/{}", gone.string("_id"));
    jeton.call(&here.owner.secret, "DELETE", &path, None).await.expect(204);
    let gone = gone.string("token");
    let form = ("content-type", "application/x-www-form-urlencoded");
    for (side, other) in [(&here, &there), (&there, &here)] {
        for asker in side.askers() {
            for theirs in other.askers() {
                for need in [json!({}), json!({ "action": "viewProject", "resource": "proj/a" })] {
                    let verify = async |secret: &str| {
                        let mut question = need.clone();
                        question["secret"] = json!(secret);
                        told(&ask(&jeton, asker, "POST", "/verify", &question.to_string()).await)
                    };
                    assert_eq!(verify(theirs).await, verify(&gone).await);
                }
                let introspect = async |secret: &str| {
                    let headers = [("authorization", asker), form, ("x-request-id", "r1")];
                    let reply = jeton.send("POST", "/oauth2/introspect", &headers, format!("token={secret}"));
                    told(&reply.await)
                };
                assert_eq!(introspect(theirs).await, introspect(&gone).await);
            }
        }
    }
}

#[tokio::test]
async fn law_10_a_list_counts_one_side_only() {
    let two = Two::accounts().await;
    let lists = async |side: &Side| {
        let mut lists: Vec<Value> = Vec::new();
        for asker in side.askers() {
            for query in ["", "?showAll=true", "?showAll=true&limit=1", "?showAll=true&offset=100"] {
                lists.push(
                    ask(&two.jeton, asker, "GET", &format!("{TOKENS}{query}"), "").await.expect(200).json(),
                );
            }
            let path = format!("/api/v1/users/{}/access-tokens", side.writer.number);
            lists.push(ask(&two.jeton, asker, "GET", &path, "").await.json());
        }
        Value::from(lists)
    };
    // When a token was last used is told, and these requests are uses.
    let aside = |lists: Value| {
        let mut text = lists.to_string();
        while let Some(at) = text.find(r#""lastUsed":1"#) {
            let end = at + text[at..].find([',', '}']).unwrap();
            text.replace_range(at..end, r#""lastUsed":0"#);
        }
        text
    };
    let before = aside(lists(&two.here).await);
    for id in
        two.there.tokens.iter().chain([&two.there.owner.id.to_string(), &two.there.writer.id.to_string()])
    {
        assert!(!before.contains(id.as_str()), "{id}");
    }
    assert!(!before.contains("member2000@example.com") && !before.contains("member2001@example.com"));

    // Whatever happens there.
    let body = Some(r#"{"name":"more","role":"reader","serviceToken":true}"#);
    let made = two.jeton.call(&two.there.owner.secret, "POST", TOKENS, body).await.expect(201);
    assert_eq!(aside(lists(&two.here).await), before);
    let path = format!("{TOKENS}/{}", made.string("_id"));
    two.jeton.call(&two.there.owner.secret, "DELETE", &path, None).await.expect(204);
    assert_eq!(aside(lists(&two.here).await), before);
}

/// A role of theirs is no role, by id or by key; and one's own of the same key is one's own.
#[tokio::test]
async fn law_10_roles_of_theirs_are_none() {
    let two = Two::accounts().await;
    let statement = jeton_core::policy::Statement {
        effect: jeton_core::policy::Effect::Allow,
        resources: vec!["*".to_owned()],
        not_resources: Vec::new(),
        actions: vec!["*".to_owned()],
        not_actions: Vec::new(),
    };
    let role = two.jeton.define_role("deploy", vec![statement]).await.to_string();
    let create = async |secret: &str, role: &str| {
        let body = json!({ "customRoleIds": [role], "serviceToken": true }).to_string();
        ask(&two.jeton, secret, "POST", TOKENS, &body).await
    };
    for name in [role.as_str(), "deploy"] {
        create(&two.here.owner.secret, name).await.expect(201);
        let there = create(&two.there.owner.secret, name).await.expect(400);
        let nowhere = create(&two.there.owner.secret, NOBODY).await.expect(400);
        assert_eq!(told(&there).2.replace(name, NOBODY), told(&nowhere).2, "{name}");
        let patch = json!([
            { "op": "remove", "path": "/role" },
            { "op": "add", "path": "/customRoleIds", "value": [name] },
        ]);
        let path = format!("{TOKENS}/{}", two.there.tokens[0]);
        ask(&two.jeton, &two.there.owner.secret, "PATCH", &path, &patch.to_string()).await.expect(400);
    }
}

/// A user's number is a number of the asker's account, also where both have it.
#[tokio::test]
async fn law_10_numbers_are_the_accounts_own() {
    let two = Two::accounts().await;
    let account = two.jeton.service.authenticate(&two.there.owner.secret).await.unwrap().caller().account;
    let twin = two.jeton.add_member_to(account, 1000, BaseRole::Writer).await;
    let path = "/api/v1/users/1000/access-tokens";
    let ours = ask(&two.jeton, &two.here.owner.secret, "GET", path, "").await.expect(200).json();
    let theirs = ask(&two.jeton, &two.there.owner.secret, "GET", path, "").await.expect(200).json();
    let twins = ask(&two.jeton, &twin.secret, "GET", path, "").await.expect(200).json();
    assert_eq!(ours[0]["id"], two.jeton.token_of(&two.here.owner.secret).to_string());
    assert_eq!(theirs[0]["id"], two.jeton.token_of(&twin.secret).to_string());
    assert_eq!(theirs, twins);
    let made =
        ask(&two.jeton, &two.there.owner.secret, "POST", path, r#"{"description":"x"}"#).await.expect(200);
    let identity =
        ask(&two.jeton, &made.string("plain_token"), "GET", "/api/v2/caller-identity", "").await.expect(200);
    assert_eq!(identity.string("memberId"), twin.id.to_string());
    assert_eq!(identity.string("accountId"), account.to_string());
}

/// A full account is full, and the other is not; a policy about everything is about everything on its side.
#[tokio::test]
async fn law_10_neither_limits_nor_policies_reach_across() {
    let two = Two::accounts().await;
    let everything = json!({
        "inlineRole": [{ "effect": "allow", "resources": ["*"], "actions": ["*"] }],
    });
    let mighty = two.jeton.call(&two.there.owner.secret, "POST", TOKENS, Some(&everything.to_string())).await;
    let mighty = mighty.expect(201).string("token");
    for id in &two.here.tokens {
        for (method, path, body) in
            calls(1001, id).into_iter().filter(|(_, path, _)| path.starts_with(TOKENS))
        {
            assert!(
                ask(&two.jeton, &mighty, method, &path, body).await.status.is_client_error(),
                "{method} {path}"
            );
        }
    }
    // Five tokens there by now, and room for eight.
    let body = Some(r#"{"role":"reader"}"#);
    for _ in 5..8 {
        two.jeton.call(&two.there.owner.secret, "POST", TOKENS, body).await.expect(201);
    }
    two.jeton.call(&two.there.owner.secret, "POST", TOKENS, body).await.expect(400);
    two.jeton.call(&two.here.owner.secret, "POST", TOKENS, body).await.expect(201);
}
