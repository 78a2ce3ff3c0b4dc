//! What the public clients of Canvus do, call by call, with the real curl: the suites of the Python and the older Go
//! client, the integration tests of the newer Go and TypeScript clients, and the vendor's own curl lines.
//!
//! Each client has its ways, and each insists on something. The older Go client sends headers twice, compares what it
//! sent with what came back, and decodes the body of a logout. The TypeScript client parses whatever has a JSON type,
//! an empty body too. The Python client looks for words in errors. The newer Go client follows no redirect on a write.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Reply, Server, curl, owner_token, serve};
use tempfile::{TempDir, tempdir};

const ADMIN: &str = "admin@example.com";
const ADMIN_PASSWORD: &str = "AdminPassword123!";
const PASSWORD: &str = "TestPassword123!";

/// A server as the vendor's container is set up: the administrator's address and password are in its environment.
struct Canvus {
    server: Server,
    admin: String,
    _place: TempDir,
}

/// How a client of the vendor's API asks.
#[derive(Clone, Copy)]
enum Manner {
    /// A type for what has a body, and nothing else.
    Python,
    /// The type twice on writes, once on reads without a body.
    OldGo,
    /// The type on every write, with a body or not, and no redirects.
    NewGo,
    /// Header names in small letters.
    TypeScript,
}

use Manner::{NewGo, OldGo, Python, TypeScript};

/// A client: a way of asking, and the tokens that it presents.
struct Client<'a> {
    canvus: &'a Canvus,
    manner: Manner,
    tokens: Vec<String>,
}

impl Canvus {
    fn new() -> Self {
        let place = tempdir().unwrap();
        let mut command = serve(place.path());
        command.env("CANVUS_ADMIN_EMAIL", ADMIN).env("CANVUS_ADMIN_PASSWORD", ADMIN_PASSWORD);
        let server = Server::start_with(&mut command);
        let admin = owner_token(place.path());
        Self { server, admin, _place: place }
    }

    fn client<'a>(&'a self, manner: Manner, token: &str) -> Client<'a> {
        Client { canvus: self, manner, tokens: vec![token.to_owned()] }
    }

    fn stranger(&self, manner: Manner) -> Client<'_> {
        Client { canvus: self, manner, tokens: Vec::new() }
    }
}

impl Client<'_> {
    fn ask(&self, method: &str, path: &str, body: &Value) -> Reply {
        let url = self.canvus.server.url(&format!("/api/v1{path}"));
        let text = body.to_string();
        let mut headers: Vec<String> = Vec::new();
        let (private_token, json) = match self.manner {
            TypeScript => ("private-token", "content-type: application/json"),
            Python | OldGo | NewGo => ("Private-Token", "Content-Type: application/json"),
        };
        headers.extend(self.tokens.iter().map(|token| format!("{private_token}: {token}")));
        let types = match self.manner {
            Python | TypeScript => usize::from(!body.is_null()),
            OldGo => 1 + usize::from(!body.is_null()),
            NewGo => usize::from(method != "GET"),
        };
        headers.extend(vec![json.to_owned(); types]);
        let mut arguments = vec!["-X", method, "--http1.1"];
        for header in &headers {
            arguments.extend(["-H", header]);
        }
        if !body.is_null() {
            arguments.extend(["--data-binary", &text]);
        }
        arguments.push(&url);
        let reply = curl(&arguments);
        // What has a JSON type is parsed, and what has none is not.
        assert_eq!(reply.content_type == "application/json", !reply.body.is_empty(), "{reply:?}");
        if !reply.body.is_empty() {
            reply.json();
        }
        reply
    }

    /// A call that succeeds: 200, whatever it does.
    fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let reply = self.ask(method, path, body);
        assert_eq!(reply.status, 200, "{method} {path} {body}: {reply:?}");
        if reply.body.is_empty() { Value::Null } else { reply.json() }
    }

    /// A call that is refused with this status, and with these words in its message.
    fn refused(&self, method: &str, path: &str, body: &Value, status: u16, words: &str) {
        let reply = self.ask(method, path, body);
        assert_eq!(reply.status, status, "{method} {path} {body}: {reply:?}");
        let said = reply.json()["msg"].as_str().unwrap_or_else(|| panic!("no msg: {reply:?}")).to_owned();
        assert!(said.contains(words), "{method} {path} {body}: {reply:?}");
    }

    fn get(&self, path: &str) -> Value {
        self.done("GET", path, &Value::Null)
    }

    fn delete(&self, path: &str) {
        assert_eq!(self.done("DELETE", path, &Value::Null), Value::Null);
    }

    /// Creates a user; whatever was sent has to come back, but for the password.
    fn create_user(&self, body: &Value) -> i64 {
        let user = self.done("POST", "/users", body);
        is_user(&user);
        echoes(&user, body);
        assert!(user.get("password").is_none(), "{user}");
        user["id"].as_i64().unwrap()
    }

    /// The life of a token from its list to its end. Gives back nothing of it: it is over.
    fn token_lifecycle(&self, user: i64) {
        let path = format!("/users/{user}/access-tokens");
        let before = self.get(&path).as_array().unwrap().len();
        let made = self.done("POST", &path, &json!({ "description": "Test token" }));
        echoes(&made, &json!({ "description": "Test token" }));
        let plain = made["plain_token"].as_str().unwrap();
        let single = format!("{path}/{}", made["id"].as_str().unwrap());
        self.canvus.client(self.manner, plain).get(&path);

        let got = self.get(&single);
        is_token(&got);
        assert_eq!((&got["id"], &got["created_at"]), (&made["id"], &made["created_at"]));
        let listed = self.get(&path);
        assert_eq!(
            (listed.as_array().unwrap().len(), listed.as_array().unwrap().last()),
            (before + 1, Some(&got))
        );
        let updated = self.done("PATCH", &single, &json!({ "description": " Updated\ttest token ✓ " }));
        is_token(&updated);
        let expected = json!({ "created_at": got["created_at"], "description": " Updated\ttest token ✓ ", "id": got["id"] });
        assert_eq!(updated, expected, "byte for byte");
        assert_eq!(self.get(&single), expected);

        self.delete(&single);
        let words = "There is no such access token";
        self.refused("GET", &single, &Value::Null, 404, words);
        self.refused("DELETE", &single, &Value::Null, 404, words);
        self.refused("PATCH", &single, &json!({ "description": "d" }), 404, words);
        self.canvus.client(self.manner, plain).refused("GET", &path, &Value::Null, 401, "Invalid token");
        assert_eq!(self.get(&path).as_array().unwrap().len(), before);
    }
}

/// A token as every answer but a create's shows it: three members, in alphabetical order.
fn is_token(token: &Value) {
    let names: Vec<_> = token.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["created_at", "description", "id"], "{token}");
    let created_at = token["created_at"].as_str().unwrap();
    // 2021-07-02T06:38:36.025, and no zone.
    assert!(created_at.len() == 23 && created_at.as_bytes()[19] == b'.', "{token}");
}

fn is_user(user: &Value) {
    let names: Vec<_> = user.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["admin", "approved", "blocked", "created_at", "email", "id", "last_login", "name", "state"];
    assert_eq!(names, expected, "{user}");
    assert!(user["id"].is_i64() && user["created_at"].as_str().unwrap().ends_with('Z'), "{user}");
    for name in ["admin", "approved", "blocked"] {
        assert!(user[name].is_boolean(), "{user}");
    }
}

/// Whatever was sent came back, as one client checks; it does not look at ids, and no password comes back.
fn echoes(answer: &Value, sent: &Value) {
    for (name, value) in sent.as_object().unwrap() {
        if name != "id" && name != "password" {
            assert_eq!(&answer[name], value, "{name}: {answer}");
        }
    }
}

/// A member of an object that has to be a text.
fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no text {name}: {answer}")).to_owned()
}

#[test]
fn the_server_is_known_before_anybody_is() {
    let canvus = Canvus::new();
    for manner in [Python, OldGo, NewGo, TypeScript] {
        for client in
            [canvus.stranger(manner), canvus.client(manner, "bad"), canvus.client(manner, &canvus.admin)]
        {
            let info = client.get("/server-info");
            assert!(info["api"].as_array().unwrap().iter().all(Value::is_string), "{info}");
            for name in ["go", "server_id", "version"] {
                text(&info, name);
            }
            assert!(!text(&client.get("/server-config"), "server_name").is_empty());
        }
        for path in ["/users", "/users/1000", "/users/1000/access-tokens"] {
            canvus.stranger(manner).refused("GET", path, &Value::Null, 401, "Invalid token");
            canvus.client(manner, "bad").refused("GET", path, &Value::Null, 401, "Invalid token");
        }
    }
    let refused = canvus.stranger(Python).ask("GET", "/users", &Value::Null);
    assert_eq!(refused.json()["message"], "401 Unauthorized", "the older documentation's word");
}

#[test]
fn people_log_in_by_address_by_name_and_by_token_and_log_out() {
    let canvus = Canvus::new();
    for manner in [Python, OldGo, NewGo, TypeScript] {
        // A token that was good once comes along, and does not matter.
        let client = canvus.client(manner, "stale");
        let login = |body: Value| client.done("POST", "/users/login", &body);
        let by_address = login(json!({ "email": ADMIN, "password": ADMIN_PASSWORD }));
        is_user(&by_address["user"]);
        assert_eq!((&by_address["user"]["id"], &by_address["user"]["email"]), (&json!(1000), &json!(ADMIN)));
        let mut by_name = login(json!({ "username": ADMIN, "password": ADMIN_PASSWORD, "remember": true }));
        // The same person, who logged in once more.
        let [before, after] = [&by_address, &by_name].map(|reply| text(&reply["user"], "last_login"));
        assert!(!before.is_empty() && before <= after, "{before}, then {after}");
        by_name["user"]["last_login"] = json!(before);
        assert_eq!(by_name["user"], by_address["user"]);
        // The token may be one of a login, or one that a script lives on; it stays good.
        let by_login = login(json!({ "token": by_address["token"] }));
        let by_token = login(json!({ "token": canvus.admin, "remember": false }));
        assert!(by_token["user"]["id"].as_i64().unwrap() > 0);
        let secrets = [&by_address, &by_name, &by_login, &by_token].map(|reply| text(reply, "token"));
        for secret in &secrets {
            canvus.client(manner, secret).get("/users");
        }
        canvus.client(manner, &canvus.admin).get("/users");

        // With nothing, with an empty object, and with the token in the body.
        let [first, second, third, fourth] = &secrets;
        let out = |token: &str, body: &Value| {
            assert_eq!(canvus.client(manner, token).done("POST", "/users/logout", body), json!({}));
        };
        out(first, &Value::Null);
        out(second, &json!({}));
        out(fourth, &json!({ "token": third }));
        for secret in [first, second, third] {
            canvus.client(manner, secret).refused("GET", "/users", &Value::Null, 401, "Invalid token");
        }
        canvus.client(manner, first).refused("POST", "/users/logout", &json!({}), 401, "Invalid token");
        out(fourth, &json!({ "token": fourth }));
        // Logins are in no list of tokens.
        let admin = canvus.client(manner, &canvus.admin);
        let listed = admin.get("/users/1000/access-tokens");
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    }
}

#[test]
fn a_login_that_is_wrong_says_so() {
    let canvus = Canvus::new();
    let client = canvus.stranger(OldGo);
    let refused = |body: Value, status, words| client.refused("POST", "/users/login", &body, status, words);
    let wrong = "Invalid username or password.";
    refused(json!({ "username": "nonexistent@example.com", "password": "wrongpassword" }), 401, wrong);
    refused(json!({ "email": ADMIN, "password": "wrongpassword" }), 401, wrong);
    refused(json!({ "token": "nonsense" }), 401, "Invalid");
    let either = "Login request must have either email and password or token";
    for body in [
        json!({}),
        json!({ "email": ADMIN }),
        json!({ "email": ADMIN, "username": ADMIN, "password": ADMIN_PASSWORD }),
        json!({ "email": ADMIN, "password": ADMIN_PASSWORD, "token": canvus.admin }),
    ] {
        refused(body, 400, either);
    }
}

/// Of the Python client's suites: users from their creation to their end.
#[test]
fn an_administrator_manages_users() {
    let canvus = Canvus::new();
    for (number, manner) in (1001..).zip([Python, OldGo, NewGo, TypeScript]) {
        let admin = canvus.client(manner, &canvus.admin);
        let email = format!("testuser_{number}@test.local");
        let body = json!({ "id": null, "email": email, "name": "Test User", "password": PASSWORD });
        let id = admin.create_user(&body);
        assert_eq!(id, number, "users are counted");
        let path = format!("/users/{id}");
        let user = admin.get(&path);
        echoes(&user, &json!({ "email": email, "name": "Test User", "admin": false, "approved": true }));
        let all = admin.get("/users");
        all.as_array().unwrap().iter().for_each(is_user);
        assert!(all.as_array().unwrap().contains(&user));

        let patched = |body: Value| {
            let user = admin.done("PATCH", &path, &body);
            is_user(&user);
            echoes(&user, &body);
        };
        patched(json!({ "name": "Updated User" }));
        patched(json!({ "admin": true }));
        patched(json!({ "admin": false }));
        let does = |what: &str| {
            let user = admin.done("POST", &format!("{path}/{what}"), &Value::Null);
            is_user(&user);
            (user["approved"].as_bool().unwrap(), user["blocked"].as_bool().unwrap())
        };
        assert_eq!(does("approve"), (true, false));
        assert_eq!(does("block"), (true, true));
        assert_eq!(does("unblock"), (true, false));

        let passwords = json!({ "current_password": PASSWORD, "new_password": "NewPassword123!" });
        let changed = admin.done("POST", &format!("{path}/password"), &passwords);
        assert_eq!(changed["id"], id);
        let new = json!({ "email": email, "password": "NewPassword123!" });
        let login = canvus.stranger(manner).done("POST", "/users/login", &new);
        let myself = canvus.client(manner, &text(&login, "token"));
        let passwords = json!({ "current_password": "NewPassword123!", "new_password": PASSWORD });
        assert_eq!(myself.done("POST", &format!("{path}/password"), &passwords)["id"], id);

        let again = json!({ "email": email, "name": "Again", "password": PASSWORD });
        admin.refused("POST", "/users", &again, 400, "already in use");
        admin.delete(&path);
        admin.refused("GET", &path, &Value::Null, 404, "");
        admin.refused("DELETE", &path, &Value::Null, 404, "");
        myself.refused("GET", "/users", &Value::Null, 401, "Invalid token");
    }
}

#[test]
fn a_user_that_waits_for_approval_waits() {
    let canvus = Canvus::new();
    let admin = canvus.client(Python, &canvus.admin);
    let body = json!({ "email": "wait@test.local", "name": "Wait", "password": PASSWORD, "approved": false });
    let id = admin.create_user(&body);
    let credentials = json!({ "email": "wait@test.local", "password": PASSWORD });
    let refused = canvus.stranger(Python).ask("POST", "/users/login", &credentials);
    assert_eq!(refused.status, 403, "{refused:?}");
    let approved = admin.done("POST", &format!("/users/{id}/approve"), &Value::Null);
    assert_eq!(approved["approved"], true);
    canvus.stranger(Python).done("POST", "/users/login", &credentials);
}

#[test]
fn what_nobody_is_and_what_is_no_user_is_told_apart() {
    let canvus = Canvus::new();
    for manner in [Python, OldGo, NewGo, TypeScript] {
        let admin = canvus.client(manner, &canvus.admin);
        admin.refused("GET", "/users/99999", &Value::Null, 404, "");
        admin.refused("PATCH", "/users/99999", &json!({ "name": "test" }), 404, "");
        admin.refused("GET", "/users/999999/access-tokens/nonexistent-token-id", &Value::Null, 404, "");
        admin.refused("GET", "/users/1000/access-tokens/nonexistent-token-id", &Value::Null, 404, "");
        for name in ["me", "current"] {
            let words = format!("User ID {name} is not an integer");
            admin.refused("GET", &format!("/users/{name}"), &Value::Null, 400, &words);
            admin.refused("GET", &format!("/users/{name}/access-tokens"), &Value::Null, 400, &words);
        }
        admin.refused("POST", "/users", &json!({}), 400, "parameter is missing");
        let body = json!({ "email": "invalid-email", "name": "Test User", "password": PASSWORD });
        admin.refused("POST", "/users", &body, 400, "e-mail");
        for body in [json!({}), json!({ "description": "" }), json!({ "name": "Test" })] {
            let path = "/users/1000/access-tokens";
            admin.refused("POST", path, &body, 400, "description parameter is missing");
        }
        admin.refused("GET", "/colorpresets", &Value::Null, 404, "Unknown object type colorpresets");
        admin.refused("PUT", "/users", &json!({}), 405, "");
    }
}

#[test]
fn tokens_live_and_die_for_an_administrator_and_for_everybody_else() {
    let canvus = Canvus::new();
    for (number, manner) in [Python, OldGo, NewGo, TypeScript].into_iter().enumerate() {
        let admin = canvus.client(manner, &canvus.admin);
        admin.token_lifecycle(1000);

        // A regular user, found by address, gets a token from the administrator and goes on with that alone.
        let email = format!("regular_{number}@test.local");
        let body = json!({ "email": email, "name": "Regular", "password": PASSWORD, "admin": false });
        admin.create_user(&body);
        let users = admin.get("/users");
        let user = users.as_array().unwrap().iter().find(|user| user["email"] == email.as_str()).unwrap();
        let id = user["id"].as_i64().unwrap();
        admin.token_lifecycle(id);
        let path = format!("/users/{id}/access-tokens");
        let made = admin.done("POST", &path, &json!({ "description": "Automated test token" }));
        let regular = canvus.client(manner, &text(&made, "plain_token"));
        regular.token_lifecycle(id);
        assert_eq!(regular.get("/users"), admin.get("/users"), "everybody may know who the others are");
        assert_eq!(regular.get(&format!("/users/{id}"))["admin"], false);

        // What is another's is refused before anything is said of it, and so is what only administrators do.
        let denied = |method: &str, path: &str, body: &Value| {
            regular.refused(method, path, body, 403, "Permission denied");
        };
        for other in ["1000", "99999"] {
            let path = format!("/users/{other}/access-tokens");
            denied("GET", &path, &Value::Null);
            denied("GET", &format!("{path}/any"), &Value::Null);
            denied("POST", &path, &json!({ "description": "mine" }));
            denied("PATCH", &format!("{path}/any"), &json!({ "description": "mine" }));
            denied("DELETE", &format!("{path}/any"), &Value::Null);
        }
        denied("POST", "/users", &json!({ "email": "x@test.local", "name": "X" }));
        denied("DELETE", "/users/1000", &Value::Null);
        for what in ["block", "unblock", "approve"] {
            denied("POST", &format!("/users/1000/{what}"), &Value::Null);
        }
        denied("PATCH", &format!("/users/{id}"), &json!({ "admin": true }));

        // The token ends itself, and with the user everything of the user's.
        regular.delete(&format!("{path}/{}", text(&made, "id")));
        regular.refused("GET", &path, &Value::Null, 401, "Invalid token");
        let last = admin.done("POST", &path, &json!({ "description": "last" }));
        let last = canvus.client(manner, &text(&last, "plain_token"));
        last.get(&path);
        admin.done("POST", &format!("/users/{id}/block"), &Value::Null);
        last.refused("GET", &path, &Value::Null, 401, "Invalid token");
        admin.done("POST", &format!("/users/{id}/unblock"), &Value::Null);
        last.get(&path);
        admin.delete(&format!("/users/{id}"));
        last.refused("GET", &path, &Value::Null, 401, "Invalid token");
        admin.refused("GET", &path, &Value::Null, 404, "");
    }
}

/// The clients take a no to these calls if it has the right status, and none of them takes 405 or 501.
#[test]
fn what_is_done_by_mail_and_who_registers_is_answered_no() {
    let canvus = Canvus::new();
    let body = json!({ "email": "register@test.local", "name": "Register", "password": PASSWORD });
    for client in [canvus.client(Python, &canvus.admin), canvus.stranger(Python), canvus.stranger(TypeScript)]
    {
        client.refused("POST", "/users/register", &body, 403, "Permission denied");
        let no = |method, path, body: Value| client.refused(method, path, &body, 400, "Invalid token");
        no("POST", "/users/password/create-reset-token", json!({ "email": "test@example.com" }));
        no("GET", "/users/password/validate-reset-token?token=invalid-token", Value::Null);
        no(
            "POST",
            "/users/password/reset",
            json!({ "token": "invalid-token", "password": "NewPassword123!" }),
        );
        no("POST", "/users/confirm-email", json!({ "token": "invalid-token" }));
        client.refused("POST", "/users/login/saml", &json!({}), 404, "");
    }
}

/// The older Go client logs in and then presents two tokens: the login's, and the key that it was configured with.
#[test]
fn of_two_tokens_the_first_counts() {
    let canvus = Canvus::new();
    let admin = canvus.client(OldGo, &canvus.admin);
    let body = json!({ "name": "Two", "email": "two@test.local", "password": PASSWORD });
    let id = admin.create_user(&body);
    let login = json!({ "username": "two@test.local", "password": PASSWORD });
    let login = text(&canvus.stranger(OldGo).done("POST", "/users/login", &login), "token");
    let both = Client { canvus: &canvus, manner: OldGo, tokens: vec![login, canvus.admin.clone()] };
    both.get(&format!("/users/{id}/access-tokens"));
    both.refused("GET", "/users/1000/access-tokens", &Value::Null, 403, "Permission denied");
    assert_eq!(both.done("POST", "/users/logout", &json!({})), json!({}));
    both.refused("GET", "/users", &Value::Null, 401, "Invalid token");
    admin.delete(&format!("/users/{id}"));
}

/// The vendor's lines name no type, so that curl names that of a form; some clients name none at all, and some put a
/// slash at the end.
#[test]
fn bodies_are_json_whatever_they_are_called_and_slashes_are_no_matter() {
    let canvus = Canvus::new();
    let header = format!("Private-Token: {}", canvus.admin);
    for path in ["/users/1000/access-tokens", "/users/1000/access-tokens/"] {
        let url = canvus.server.url(&format!("/api/v1{path}"));
        for kind in [None, Some("Content-Type:"), Some("Content-Type: text/plain; charset=utf-8")] {
            let mut arguments = vec!["-X", "POST", "-H", &header, "-d", r#"{"description":"by hand"}"#, &url];
            if let Some(kind) = kind {
                arguments.extend(["-H", kind]);
            }
            let made = curl(&arguments);
            assert_eq!(made.status, 200, "{made:?}");
            let single = format!("{}/{}", url.trim_end_matches('/'), text(&made.json(), "id"));
            let single = if path.ends_with('/') { single + "/" } else { single };
            let patched =
                curl(&["-X", "PATCH", "-H", &header, "-d", r#"{"description":"still by hand"}"#, &single]);
            assert_eq!(patched.json()["description"], "still by hand", "{patched:?}");
            let gone = curl(&["-X", "DELETE", "-H", &header, &single]);
            assert_eq!((gone.status, gone.body.as_str(), gone.content_type.as_str()), (200, "", ""));
        }
    }
}
