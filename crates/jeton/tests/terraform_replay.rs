//! What the LaunchDarkly provider of Terraform does, call by call and in its order, over TLS with the real curl.
//!
//! The provider speaks HTTPS only. Its client is generated for Go and insists on the members that the API's description
//! requires. After every create and update it reads the resource again, and Terraform fails if that is not what was
//! planned; so each story here ends its steps with a read, and compares. Bodies are as the provider writes them: with
//! every text that a resource has, empty ones too.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use support::{Reply, Server, curl, owner_token, serve};
use tempfile::{TempDir, tempdir};

/// The provider: an address, a certificate to trust, and a token.
struct Provider {
    server: Server,
    place: TempDir,
    token: String,
}

/// A token as Terraform keeps it: what is not there is null.
#[derive(Debug, PartialEq)]
struct TokenState {
    name: Value,
    role: Value,
    /// Keys, as a set.
    custom_roles: BTreeSet<String>,
    inline_roles: Value,
    service_token: Value,
    default_api_version: Value,
}

impl TokenState {
    /// A personal token of the newest version, without any role yet.
    fn named(name: &str) -> Self {
        Self {
            name: json!(name),
            role: Value::Null,
            custom_roles: BTreeSet::new(),
            inline_roles: Value::Null,
            service_token: json!(false),
            default_api_version: json!(20_240_415),
        }
    }
}

impl Provider {
    fn new() -> Self {
        let place = tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let cert = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        std::fs::write(place.path().join("cert.pem"), cert.pem()).unwrap();
        std::fs::write(place.path().join("key.pem"), key.serialize_pem()).unwrap();
        let data = place.path().join("data");
        let mut command = serve(&data);
        command.arg("--tls-cert").arg(place.path().join("cert.pem"));
        command.arg("--tls-key").arg(place.path().join("key.pem"));
        let server = Server::start_with(&mut command);
        let token = owner_token(&data);
        Self { server, place, token }
    }

    /// Asks as the provider's client does. It sends the version twice: its own, and its configuration's.
    fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> Reply {
        let url = format!("https://{}/api/v2{path}", self.server.address());
        let (cert, authorization, text) =
            (self.place.path().join("cert.pem"), format!("Authorization: {token}"), body.to_string());
        let mut arguments = vec!["--cacert", cert.to_str().unwrap(), "-X", method, "-H", &authorization];
        for header in [
            "Accept: application/json",
            "LD-API-Version: 20240415",
            "LD-API-Version: 20240415",
            "User-Agent: launchdarkly-terraform-provider/3.1.3",
        ] {
            arguments.extend(["-H", header]);
        }
        if !body.is_null() {
            arguments.extend(["-H", "Content-Type: application/json", "--data-binary", &text]);
        }
        arguments.push(&url);
        let reply = curl(&arguments);
        if reply.status != 204 {
            assert_eq!(reply.content_type, "application/json", "the client decodes nothing else: {reply:?}");
        }
        reply
    }

    /// A call that has to succeed, with the members that the client insists on.
    fn done(&self, method: &str, path: &str, body: &Value, required: &[&str]) -> Value {
        let reply = self.ask(&self.token, method, path, body);
        let expected = if method == "POST" { 201 } else { 200 };
        assert_eq!(reply.status, expected, "{method} {path} {body}: {reply:?}");
        let answer = reply.json();
        without_null(&answer);
        for name in required {
            assert!(answer.get(name).is_some(), "{method} {path} without {name}: {answer}");
        }
        answer
    }

    fn create_token(&self, body: &Value) -> (String, String) {
        let made = self.done("POST", "/tokens", body, &TOKEN);
        (text(&made, "_id"), text(&made, "token"))
    }

    fn patch_token(&self, id: &str, patch: &Value) {
        assert_eq!(patch[0]["op"], "replace");
        assert_eq!(patch[0]["path"], "/name");
        self.done("PATCH", &format!("/tokens/{id}"), patch, &TOKEN);
    }

    /// What a read makes of a token: roles are shown by id, and kept by key.
    fn token(&self, id: &str) -> TokenState {
        let token = self.done("GET", &format!("/tokens/{id}"), &Value::Null, &TOKEN);
        for name in ["creationDate", "lastModified"] {
            assert!(token[name].is_i64(), "{token}");
        }
        for name in ["_links", "_id", "role", "email"] {
            assert!(token["_member"].get(name).is_some(), "{token}");
        }
        TokenState {
            name: token["name"].clone(),
            role: token["role"].clone(),
            custom_roles: self.keys_of(&token["customRoleIds"]),
            inline_roles: token["inlineRole"].clone(),
            service_token: token["serviceToken"].clone(),
            default_api_version: token["defaultApiVersion"].clone(),
        }
    }

    fn keys_of(&self, ids: &Value) -> BTreeSet<String> {
        let ids = ids.as_array().into_iter().flatten().map(|id| id.as_str().unwrap());
        ids.map(|id| text(&self.done("GET", &format!("/roles/{id}"), &Value::Null, &ROLE), "key")).collect()
    }

    fn ids_of(&self, keys: &[&str]) -> Vec<String> {
        let role = |key: &&str| self.done("GET", &format!("/roles/{key}"), &Value::Null, &ROLE);
        keys.iter().map(|key| text(&role(key), "_id")).collect()
    }

    /// Creates a custom role, reads it, and checks that it is what was planned.
    fn create_role(&self, key: &str) {
        let body = json!({
            "key": key, "name": format!("Custom role - {key}"), "basePermissions": "reader",
            "description": "Deny all actions on production environments", "policy": deny_production(),
        });
        self.done("POST", "/roles", &body, &ROLE);
        let read = self.done("GET", &format!("/roles/{key}"), &Value::Null, &ROLE);
        for name in ["key", "name", "basePermissions", "description", "policy"] {
            assert_eq!(read[name], body[name], "{name}");
        }
    }

    /// Destroys a resource, and finds it gone: 404, and nothing else counts as gone.
    fn destroy(&self, path: &str) {
        let reply = self.ask(&self.token, "DELETE", path, &Value::Null);
        assert_eq!((reply.status, reply.body.as_str()), (204, ""), "{reply:?}");
        let gone = self.ask(&self.token, "GET", path, &Value::Null);
        assert_eq!((gone.status, &gone.json()["code"]), (404, &json!("not_found")), "{gone:?}");
    }

    /// Whether a secret is of use.
    fn works(&self, secret: &str) -> bool {
        match self.ask(secret, "GET", "/caller-identity", &Value::Null).status {
            200 => true,
            401 => false,
            other => panic!("{other}"),
        }
    }
}

/// What the client refuses to decode without, by its description of the API.
const TOKEN: [&str; 6] = ["_id", "ownerId", "memberId", "creationDate", "lastModified", "_links"];
const ROLE: [&str; 5] = ["_id", "_links", "key", "name", "policy"];
const MEMBER: [&str; 10] = [
    "_links",
    "_id",
    "role",
    "email",
    "_pendingInvite",
    "_verified",
    "customRoles",
    "mfa",
    "_lastSeen",
    "creationDate",
];

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no text {name}: {answer}")).to_owned()
}

/// Older clients fail on any null.
fn without_null(value: &Value) {
    match value {
        Value::Null => panic!("a null"),
        Value::Array(items) => items.iter().for_each(without_null),
        Value::Object(members) => members.values().for_each(without_null),
        _ => {}
    }
}

fn deny_production() -> Value {
    json!([{ "actions": ["*"], "effect": "deny", "resources": ["proj/*:env/production"] }])
}

fn replace(path: &str, value: impl Into<Value>) -> Value {
    json!({ "op": "replace", "path": path, "value": value.into() })
}

fn remove(path: &str) -> Value {
    json!({ "op": "remove", "path": path })
}

fn keys<const N: usize>(keys: [&str; N]) -> BTreeSet<String> {
    keys.map(str::to_owned).into()
}

#[test]
fn a_token_with_a_role_is_created_read_and_destroyed() {
    let provider = Provider::new();
    let (id, secret) =
        provider.create_token(&json!({ "name": "Access token", "serviceToken": false, "role": "reader" }));
    assert_eq!(secret.len(), 54, "the whole secret");
    let planned = TokenState { role: json!("reader"), ..TokenState::named("Access token") };
    assert_eq!(provider.token(&id), planned);
    assert_eq!(provider.token(&id), planned, "a second plan is empty");
    assert!(provider.works(&secret));
    provider.destroy(&format!("/tokens/{id}"));
    assert!(!provider.works(&secret));
}

#[test]
fn what_can_not_be_changed_is_given_at_creation() {
    let provider = Provider::new();
    let body = json!({
        "name": "Access token", "serviceToken": true, "role": "reader", "defaultApiVersion": 20_191_212,
    });
    let (id, _) = provider.create_token(&body);
    let planned = TokenState {
        role: json!("reader"),
        service_token: json!(true),
        default_api_version: json!(20_191_212),
        ..TokenState::named("Access token")
    };
    assert_eq!(provider.token(&id), planned);
    // A resource without a name is sent with an empty one, and must come back with none.
    let (nameless, _) =
        provider.create_token(&json!({ "name": "", "serviceToken": false, "role": "reader" }));
    assert_eq!(provider.token(&nameless).name, Value::Null);
    provider.destroy(&format!("/tokens/{id}"));
    provider.destroy(&format!("/tokens/{nameless}"));
}

#[test]
fn a_token_with_custom_roles_is_created_by_keys_and_changed_by_ids() {
    let provider = Provider::new();
    provider.create_role("first");
    let body = json!({ "name": "Access token", "serviceToken": false, "customRoleIds": ["first"] });
    let (id, secret) = provider.create_token(&body);
    let planned = TokenState { custom_roles: keys(["first"]), ..TokenState::named("Access token") };
    assert_eq!(provider.token(&id), planned);

    provider.create_role("second");
    let ids = provider.ids_of(&["first", "second"]);
    provider.patch_token(&id, &json!([replace("/name", "Updated"), replace("/customRoleIds", ids)]));
    let planned = TokenState { custom_roles: keys(["first", "second"]), ..TokenState::named("Updated") };
    assert_eq!(provider.token(&id), planned);
    assert!(provider.works(&secret), "an update keeps the secret");

    // From custom roles to a role, in the provider's order.
    provider.patch_token(
        &id,
        &json!([replace("/name", "Updated"), replace("/role", "reader"), remove("/customRoleIds")]),
    );
    let planned = TokenState { role: json!("reader"), ..TokenState::named("Updated") };
    assert_eq!(provider.token(&id), planned);
    for path in [format!("/tokens/{id}"), "/roles/first".to_owned(), "/roles/second".to_owned()] {
        provider.destroy(&path);
    }
}

#[test]
fn a_token_with_inline_roles_is_created_and_comes_from_a_role() {
    let provider = Provider::new();
    let staging = json!([{ "actions": ["*"], "effect": "allow", "resources": ["proj/*:env/staging"] }]);
    let (id, _) =
        provider.create_token(&json!({ "name": "Inline", "serviceToken": false, "inlineRole": staging }));
    let planned = TokenState { inline_roles: staging, ..TokenState::named("Inline") };
    assert_eq!(provider.token(&id), planned);

    let (from, _) =
        provider.create_token(&json!({ "name": "Access token", "serviceToken": false, "role": "reader" }));
    provider.patch_token(
        &from,
        &json!([replace("/name", "Updated"), remove("/role"), replace("/inlineRole", deny_production())]),
    );
    let planned = TokenState { inline_roles: deny_production(), ..TokenState::named("Updated") };
    assert_eq!(provider.token(&from), planned);

    // And back: the role is given before the policy is taken away.
    provider.patch_token(
        &from,
        &json!([replace("/name", "Updated"), replace("/role", "writer"), remove("/inlineRole")]),
    );
    let planned = TokenState { role: json!("writer"), ..TokenState::named("Updated") };
    assert_eq!(provider.token(&from), planned);
    // The provider never takes away a policy that a token has not, because this is what it is told.
    let absent = json!([replace("/name", "Other"), remove("/inlineRole")]);
    let refused = provider.ask(&provider.token, "PATCH", &format!("/tokens/{from}"), &absent);
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("patch_failed")), "{refused:?}");
    assert_eq!(provider.token(&from), planned, "all or nothing");
    for id in [id, from] {
        provider.destroy(&format!("/tokens/{id}"));
    }
}

/// Versions of the provider before 3 reset a token when its `expire` changes: a negative one means at once.
#[test]
fn a_change_of_expire_resets_the_secret() {
    let provider = Provider::new();
    let (id, secret) =
        provider.create_token(&json!({ "name": "Access token", "serviceToken": false, "role": "reader" }));
    let reset = |expiry: i64| {
        let path = format!("/tokens/{id}/reset");
        let reply = provider.ask(&provider.token, "POST", &path, &json!({ "expiry": expiry }));
        assert_eq!(reply.status, 200, "{reply:?}");
        text(&reply.json(), "token")
    };
    let second = reset(-1);
    assert!(second != secret && provider.works(&second) && !provider.works(&secret));
    let third = reset(4_102_444_800_000);
    assert!(provider.works(&third) && provider.works(&second), "a grace until the year 2100");
    let planned = TokenState { role: json!("reader"), ..TokenState::named("Access token") };
    assert_eq!(provider.token(&id), planned);
    provider.destroy(&format!("/tokens/{id}"));
    assert!(!provider.works(&third) && !provider.works(&second));
}

#[test]
fn a_custom_role_is_changed_in_one_patch_without_a_comment() {
    let provider = Provider::new();
    provider.create_role("role");
    let policy = json!([{ "actions": ["*"], "effect": "allow", "notResources": ["proj/*:env/production"] }]);
    let patch = json!({ "patch": [
        replace("/name", "Updated"), replace("/description", ""), replace("/policy", policy.clone()),
        replace("/basePermissions", "no_access"),
    ] });
    provider.done("PATCH", "/roles/role", &patch, &ROLE);
    let read = provider.done("GET", "/roles/role", &Value::Null, &ROLE);
    assert_eq!((&read["name"], &read["policy"]), (&json!("Updated"), &policy));
    assert_eq!((&read["basePermissions"], read.get("description")), (&json!("no_access"), None));
    // The description was empty, and so is no member any more: it has to come back all the same.
    let patch = json!({ "patch": [replace("/name", "Updated"), replace("/description", "told again")] });
    let patched = provider.done("PATCH", "/roles/role", &patch, &ROLE);
    assert_eq!(patched["description"], "told again");
    provider.destroy("/roles/role");
}

#[test]
fn a_team_member_is_created_found_changed_and_destroyed() {
    let provider = Provider::new();
    provider.create_role("first");
    provider.create_role("second");
    let email = "first.last+terraform@example.com";
    let body = json!([{
        "email": email, "firstName": "first", "lastName": "last", "role": "", "customRoles": ["first"],
    }]);
    let made = provider.done("POST", "/members", &body, &["items", "_links", "totalCount"]);
    let path = format!("/members/{}", text(&made["items"][0], "_id"));
    let read = || provider.done("GET", &format!("{path}?expand=roleAttributes"), &Value::Null, &MEMBER);
    let member = read();
    assert_eq!((&member["email"], &member["firstName"]), (&json!(email), &json!("first")));
    assert_eq!(provider.keys_of(&member["customRoles"]), keys(["first"]));

    // The data source escapes the address for the filter, and its client escapes the filter for the query.
    let filter = escaped(&format!("query:{}", escaped(email)));
    let found =
        provider.done("GET", &format!("/members?filter={filter}"), &Value::Null, &["items", "totalCount"]);
    assert_eq!((&found["totalCount"], &found["items"][0]), (&json!(1), &member));

    // Role and custom roles go together, and the role is what was read.
    let ids = provider.ids_of(&["second"]);
    let patch = json!([replace("/role", member["role"].clone()), replace("/customRoles", ids)]);
    provider.done("PATCH", &path, &patch, &MEMBER);
    assert_eq!(provider.keys_of(&read()["customRoles"]), keys(["second"]));
    let patch = json!([replace("/role", "admin"), replace("/customRoles", json!([]))]);
    provider.done("PATCH", &path, &patch, &MEMBER);
    assert_eq!((&read()["role"], &read()["customRoles"]), (&json!("admin"), &json!([])));

    for path in [&path, "/roles/first", "/roles/second"] {
        provider.destroy(path);
    }
}

/// As Go escapes a value of a query.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(byte.into());
        } else {
            write!(escaped, "%{byte:02X}").unwrap();
        }
        escaped
    })
}
