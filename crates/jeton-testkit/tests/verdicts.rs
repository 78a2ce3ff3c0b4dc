//! One table of verdicts, put through every surface that somebody asks on: the same decision everywhere.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jeton_core::limits::Limits;
use jeton_core::member::Standing;
use jeton_core::policy::Resource;
use jeton_core::role::BaseRole;
use jeton_core::rule::Mint;
use jeton_index::Dead;
use jeton_index::verdict::{Refused, Verifier};
use jeton_server::Settings;
use jeton_server::verify::{RouteMap, VerifySettings};
use jeton_service::Requirement;
use jeton_service::ports::Clock as _;
use jeton_testkit::envoy::{check_request, status_of};
use jeton_testkit::{Jeton, Person};
use jeton_tower::{Answer, JetonClient};
use serde_json::{Value, json};

/// What a surface decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Decision {
    Allowed,
    Forbidden,
    Inactive,
}

use Decision::{Allowed, Forbidden, Inactive};

/// What may be required, by the path that the route map knows it by.
const NEEDS: [(&str, &str, &str); 5] = [
    ("/view", "viewProject", "proj/a"),
    ("/update", "updateProject", "proj/a"),
    ("/other", "updateProject", "proj/b"),
    ("/people", "deleteMember", "member/ada"),
    ("/issue", "createAccessToken", "service-token/new"),
];

/// Secrets of every kind, and what becomes of each, without a need and with each of the needs in their order.
const CASES: &[(&str, [Decision; 6])] = &[
    ("owner", [Allowed; 6]),
    ("admin", [Allowed; 6]),
    ("writer", [Allowed, Allowed, Allowed, Allowed, Forbidden, Allowed]),
    ("reader", [Allowed, Allowed, Forbidden, Forbidden, Forbidden, Allowed]),
    ("no_access", [Allowed, Forbidden, Forbidden, Forbidden, Forbidden, Forbidden]),
    ("reader's token of an owner", [Allowed, Allowed, Forbidden, Forbidden, Forbidden, Forbidden]),
    ("writer's token of an owner", [Allowed, Allowed, Allowed, Allowed, Forbidden, Forbidden]),
    ("admin's token of a reader", [Allowed, Allowed, Forbidden, Forbidden, Forbidden, Allowed]),
    ("custom role", [Allowed, Forbidden, Allowed, Forbidden, Forbidden, Forbidden]),
    ("deleted role", [Allowed, Forbidden, Forbidden, Forbidden, Forbidden, Forbidden]),
    ("inline policy", [Allowed, Allowed, Allowed, Forbidden, Forbidden, Forbidden]),
    ("inline policy that denies", [Allowed, Forbidden, Forbidden, Allowed, Allowed, Allowed]),
    ("member with a role", [Allowed, Forbidden, Allowed, Forbidden, Forbidden, Forbidden]),
    ("service, reader", [Allowed, Allowed, Forbidden, Forbidden, Forbidden, Forbidden]),
    ("service, admin", [Allowed; 6]),
    ("service of a blocked maker", [Allowed, Allowed, Forbidden, Forbidden, Forbidden, Forbidden]),
    ("login", [Allowed; 6]),
    ("before its end", [Allowed; 6]),
    ("after a reset, in the grace", [Allowed; 6]),
    ("after a reset, the new one", [Allowed; 6]),
    ("unblocked again", [Allowed, Allowed, Allowed, Allowed, Forbidden, Allowed]),
    ("demoted", [Allowed, Allowed, Forbidden, Forbidden, Forbidden, Allowed]),
    ("at its end", [Inactive; 6]),
    ("after its end", [Inactive; 6]),
    ("revoked", [Inactive; 6]),
    ("reset", [Inactive; 6]),
    ("after its grace", [Inactive; 6]),
    ("blocked", [Inactive; 6]),
    ("pending", [Inactive; 6]),
    ("removed", [Inactive; 6]),
    ("logged out", [Inactive; 6]),
    ("unknown, well formed", [Inactive; 6]),
    ("unknown, from elsewhere", [Inactive; 6]),
    ("one character changed", [Inactive; 6]),
    ("one character short", [Inactive; 6]),
    ("one character long", [Inactive; 6]),
    ("in capitals", [Inactive; 6]),
    ("of another kind", [Inactive; 6]),
    ("of another prefix", [Inactive; 6]),
    ("no secret at all", [Inactive; 6]),
    ("very long", [Inactive; 6]),
];

struct World {
    jeton: Jeton,
    /// Asks over a connection, as services in Rust do.
    client: JetonClient,
    gateway: String,
    statements: Value,
}

impl World {
    async fn new() -> Self {
        let mut map = String::new();
        for (path, action, resource) in NEEDS {
            let needs = format!("action = \"{action}\"\nresource = \"{resource}\"");
            writeln!(map, "[[route]]\npath = \"{path}\"\n{needs}").unwrap();
        }
        map += "[[route]]\npath = \"/\"\n";
        let route_map = Some(Arc::new(RouteMap::parse(&map).unwrap()));
        let verify = VerifySettings { route_map, ..VerifySettings::default() };
        let jeton = Jeton::with(Settings { verify, ..Settings::default() }, Limits::default()).await;
        let body = json!({ "name": "gateway", "serviceToken": true, "role": "reader" });
        let statements =
            json!([{ "effect": "allow", "resources": ["proj/a"], "actions": ["updateProject"] }]);
        let owner = &jeton.owner.secret;
        let made = jeton.call(owner, "POST", "/api/v2/tokens", Some(&body.to_string())).await.expect(201);
        let gateway = made.string("token");
        // With more time than even a busy machine takes.
        let client =
            JetonClient::new(&jeton.serve().await, &gateway).unwrap().time_out(Duration::from_mins(1));
        Self { jeton, client, gateway, statements }
    }

    /// A token that somebody makes: its secret, and its id.
    async fn made(&self, secret: &str, body: &Value) -> (String, String) {
        let made =
            self.jeton.call(secret, "POST", "/api/v2/tokens", Some(&body.to_string())).await.expect(201);
        (made.string("token"), made.string("_id"))
    }

    async fn owners(&self, body: &Value) -> (String, String) {
        let owner = self.jeton.owner.secret.clone();
        self.made(&owner, body).await
    }

    async fn person(&self, role: BaseRole) -> Person {
        let number = 1001 + u32::try_from(self.jeton.log().await.len()).unwrap();
        self.jeton.add_member(number, role).await
    }

    async fn standing(&self, person: &Person, standing: Standing) {
        self.jeton.change_member(person.id, |member| member.standing = standing).await;
    }

    async fn role(&self, key: &str) {
        let body =
            json!({ "key": key, "name": key, "basePermissions": "no_access", "policy": self.statements });
        self.jeton
            .call(&self.jeton.owner.secret, "POST", "/api/v2/roles", Some(&body.to_string()))
            .await
            .expect(201);
    }

    async fn reset(&self, id: &str, grace: Option<i64>) -> String {
        let query = grace.map(|grace| format!("?expiry={}", self.jeton.service.now().as_millis() + grace));
        let path = format!("/api/v2/tokens/{id}/reset{}", query.unwrap_or_default());
        self.jeton.call(&self.jeton.owner.secret, "POST", &path, None).await.expect(200).string("token")
    }

    async fn login(&self) -> String {
        let user =
            json!({ "email": "a@example.com", "name": "Ada", "password": "correct horse", "admin": true });
        let owner = self.jeton.owner.secret.clone();
        self.jeton.call(&owner, "POST", "/api/v1/users", Some(&user.to_string())).await;
        let body = r#"{"email":"a@example.com","password":"correct horse"}"#;
        self.jeton.send("POST", "/api/v1/users/login", &[], body).await.expect(200).string("token")
    }

    /// The secret of a case, made when its turn comes.
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    async fn secret(&self, case: &str) -> String {
        let jeton = &self.jeton;
        let owner = jeton.owner.secret.clone();
        let plain = json!({ "role": "admin" });
        let in_a_second = json!({ "role": "admin", "expiry": jeton.service.now().as_millis() + 1000 });
        let policy = |effect: &str| {
            json!({ "inlineRole": [
                { "effect": "allow", "resources": ["*"], "actions": ["*"] },
                { "effect": effect, "resources": ["proj/a"], "actions": ["*"] },
            ] })
        };
        match case {
            "owner" => owner,
            "admin" => self.person(BaseRole::Admin).await.secret,
            "writer" => self.person(BaseRole::Writer).await.secret,
            "reader" => self.person(BaseRole::Reader).await.secret,
            "no_access" => self.person(BaseRole::NoAccess).await.secret,
            "reader's token of an owner" => self.owners(&json!({ "role": "reader" })).await.0,
            "writer's token of an owner" => self.owners(&json!({ "role": "writer" })).await.0,
            "admin's token of a reader" => {
                let person = self.person(BaseRole::Admin).await;
                jeton.change_member(person.id, |member| member.role = BaseRole::Reader).await;
                person.secret
            }
            "custom role" => {
                self.role("deploy").await;
                self.owners(&json!({ "customRoleIds": ["deploy"] })).await.0
            }
            "deleted role" => {
                self.role("gone").await;
                let (secret, _) = self.owners(&json!({ "customRoleIds": ["gone"] })).await;
                jeton.call(&owner, "DELETE", "/api/v2/roles/gone", None).await.expect(204);
                secret
            }
            "inline policy" => self.owners(&json!({ "inlineRole": self.statements })).await.0,
            "inline policy that denies" => self.owners(&policy("deny")).await.0,
            "member with a role" => {
                self.role("theirs").await;
                let person = self.person(BaseRole::Admin).await;
                let patch = r#"[{"op":"add","path":"/customRoles/0","value":"theirs"}]"#;
                let path = format!("/api/v2/members/{}", person.id);
                jeton.call(&owner, "PATCH", &path, Some(patch)).await.expect(200);
                person.secret
            }
            "service, reader" => self.owners(&json!({ "serviceToken": true, "role": "reader" })).await.0,
            "service, admin" => self.owners(&json!({ "serviceToken": true, "role": "admin" })).await.0,
            "service of a blocked maker" => {
                let person = self.person(BaseRole::Writer).await;
                let body = json!({ "serviceToken": true, "role": "reader" });
                let (secret, _) = self.made(&person.secret, &body).await;
                self.standing(&person, Standing::Blocked).await;
                secret
            }
            "login" => self.login().await,
            "before its end" => {
                let (secret, _) = self.owners(&in_a_second).await;
                jeton.clock.advance(Duration::from_millis(999));
                secret
            }
            "at its end" => {
                let (secret, _) = self.owners(&in_a_second).await;
                jeton.clock.advance(Duration::from_secs(1));
                secret
            }
            "after its end" => {
                let (secret, _) = self.owners(&in_a_second).await;
                jeton.clock.advance(Duration::from_hours(1));
                secret
            }
            "after a reset, in the grace" => {
                let (secret, id) = self.owners(&plain).await;
                self.reset(&id, Some(1000)).await;
                secret
            }
            "after a reset, the new one" => {
                let (_, id) = self.owners(&plain).await;
                self.reset(&id, None).await
            }
            "reset" => {
                let (secret, id) = self.owners(&plain).await;
                self.reset(&id, None).await;
                secret
            }
            "after its grace" => {
                let (secret, id) = self.owners(&plain).await;
                self.reset(&id, Some(1000)).await;
                jeton.clock.advance(Duration::from_secs(1));
                secret
            }
            "revoked" => {
                let (secret, id) = self.owners(&plain).await;
                jeton.call(&owner, "DELETE", &format!("/api/v2/tokens/{id}"), None).await.expect(204);
                secret
            }
            "blocked" | "pending" | "removed" | "unblocked again" => {
                let person = self.person(BaseRole::Writer).await;
                let standing = match case {
                    "pending" => Standing::Pending,
                    "removed" => Standing::Removed,
                    _ => Standing::Blocked,
                };
                self.standing(&person, standing).await;
                if case == "unblocked again" {
                    self.standing(&person, Standing::Active).await;
                }
                person.secret
            }
            "demoted" => {
                let person = self.person(BaseRole::Writer).await;
                jeton.change_member(person.id, |member| member.role = BaseRole::Reader).await;
                person.secret
            }
            "logged out" => {
                let secret = self.login().await;
                jeton.call(&secret, "POST", "/api/v1/users/logout", Some("{}")).await.expect(200);
                secret
            }
            "unknown, well formed" => {
                // Of another installation: the same form, another key.
                let other = Jeton::start().await;
                let body = r#"{"description":"x"}"#;
                for _ in 0..3 {
                    other
                        .call(&other.owner.secret, "POST", "/api/v1/users/1000/access-tokens", Some(body))
                        .await;
                }
                let made =
                    other.call(&other.owner.secret, "POST", "/api/v1/users/1000/access-tokens", Some(body));
                made.await.expect(200).string("plain_token")
            }
            "unknown, from elsewhere" => "api-6f1b62a4-52a7-4c6e-9c7b-2f0d5c1c9d11".to_owned(),
            "one character changed" => {
                let last = owner.chars().last().unwrap();
                format!("{}{}", &owner[..owner.len() - 1], if last == 'a' { 'b' } else { 'a' })
            }
            "one character short" => owner[..owner.len() - 1].to_owned(),
            "one character long" => format!("{owner}a"),
            "in capitals" => owner.to_uppercase(),
            "of another kind" => owner.replace("_pat_", "_svc_"),
            "of another prefix" => owner.replace("jtn_", "abc_"),
            "no secret at all" => "x".to_owned(),
            "very long" => "x".repeat(5000),
            unknown => unreachable!("{unknown} is no case"),
        }
    }

    /// What every surface decides, by its name.
    async fn decisions(
        &self,
        secret: &str,
        need: Option<(&str, &str, &str)>,
    ) -> Vec<(&'static str, Decision)> {
        let mut all = self.by_gateways(secret, need).await;
        all.extend(self.by_services(secret, need).await);
        all.push(("the index itself", self.in_process(secret, need)));
        all.push(("jeton-tower", self.by_client(secret, need).await));
        all
    }

    async fn by_client(&self, secret: &str, need: Option<(&str, &str, &str)>) -> Decision {
        match self.client.ask(secret, need.map(|(_, action, resource)| (action, resource))).await.unwrap() {
            Answer::Allowed(_) => Allowed,
            Answer::Forbidden(_) => Forbidden,
            Answer::Inactive => Inactive,
        }
    }

    /// As a program decides that has the index in it.
    fn in_process(&self, secret: &str, need: Option<(&str, &str, &str)>) -> Decision {
        let requirement = need.map(|(_, action, resource)| {
            let resource = Resource::parse(resource).unwrap();
            Requirement { action, resource }
        });
        match self.verifier().verify(secret, requirement, self.jeton.clock.now()) {
            Ok(_) => Allowed,
            Err(Refused::NotAllowed(_)) => Forbidden,
            Err(Refused::Malformed(_) | Refused::Dead(_)) => Inactive,
        }
    }

    fn verifier(&self) -> Verifier<'_> {
        let Mint { format, key } = self.jeton.service.mint();
        Verifier { format, key, index: self.jeton.service.index() }
    }

    async fn by_gateways(
        &self,
        secret: &str,
        need: Option<(&str, &str, &str)>,
    ) -> Vec<(&'static str, Decision)> {
        let path = need.map_or("/", |(path, ..)| path);
        let query = need.map(|(_, action, resource)| format!("?action={action}&resource={resource}"));
        let query = query.unwrap_or_default();
        let bearer = format!("Bearer {secret}");
        // Everything else that a client could have sent says something else.
        let forged = [("x-forwarded-method", "GET"), ("x-forwarded-uri", "/"), ("x-original-uri", "/")];
        let mut found = Vec::new();
        for (name, url, method, uri) in [
            ("x-original, by query", format!("/verify/x-original{query}"), "x-other", "x-other"),
            ("x-forwarded, by query", format!("/verify/x-forwarded{query}"), "x-other", "x-other"),
            ("x-original, by route", "/verify/x-original".to_owned(), "x-original-method", "x-original-uri"),
            (
                "x-forwarded, by route",
                "/verify/x-forwarded".to_owned(),
                "x-forwarded-method",
                "x-forwarded-uri",
            ),
            ("ext-authz", format!("/ext-authz{path}"), "x-other", "x-other"),
        ] {
            if url.starts_with("/verify") && !url.contains('?') && method == "x-other" {
                // Without a need there is nothing to say in the query, and the route map would be asked.
                continue;
            }
            let mut headers = vec![("authorization", bearer.as_str()), (method, "GET"), (uri, path)];
            headers.extend(forged.iter().filter(|(name, _)| *name != method && *name != uri));
            let reply = self.jeton.send("GET", &url, &headers, "").await;
            found.push((name, decision_of(reply.status.as_u16())));
        }
        let headers = [("authorization", bearer.as_str())];
        let answer = self.jeton.check(check_request("GET", path, &headers)).await;
        found.push(("ext-authz over gRPC", decision_of(status_of(&answer).try_into().unwrap())));
        found
    }

    async fn by_services(
        &self,
        secret: &str,
        need: Option<(&str, &str, &str)>,
    ) -> Vec<(&'static str, Decision)> {
        let (jeton, gateway) = (&self.jeton, &self.gateway);
        let mut question = json!({ "secret": secret });
        let mut form = format!("token={secret}");
        if let Some((_, action, resource)) = need {
            question["action"] = json!(action);
            question["resource"] = json!(resource);
            write!(form, "&action={action}&resource={resource}").unwrap();
        }
        let verdict = |answer: &Value| match (answer["allowed"].as_bool(), answer["active"].as_bool()) {
            (Some(true), Some(true)) => Allowed,
            (Some(false), Some(true)) => Forbidden,
            (Some(false), Some(false)) => Inactive,
            other => panic!("{other:?}"),
        };
        let one =
            jeton.call(gateway, "POST", "/verify", Some(&question.to_string())).await.expect(200).json();
        let several = json!([{ "secret": "x" }, question, { "secret": gateway }]).to_string();
        let several = jeton.call(gateway, "POST", "/verify", Some(&several)).await.expect(200).json();
        assert_eq!((verdict(&several[0]), verdict(&several[2])), (Inactive, Allowed));
        let headers =
            [("authorization", gateway.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let introspected = jeton.send("POST", "/oauth2/introspect", &headers, &form).await.expect(200).json();
        // To a client of RFC 7662 a token that may not do this is as good as none.
        let by_introspection = match (introspected["active"].as_bool().unwrap(), verdict(&one)) {
            (true, _) => Allowed,
            (false, Allowed | Inactive) => Inactive,
            (false, Forbidden) => Forbidden,
        };
        vec![
            ("one question", verdict(&one)),
            ("several questions", verdict(&several[1])),
            ("introspection", by_introspection),
        ]
    }
}

fn decision_of(status: u16) -> Decision {
    match status {
        200 => Allowed,
        403 => Forbidden,
        401 => Inactive,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_surface_decides_as_the_table_says() {
    let world = World::new().await;
    let mut asked = 0;
    for (case, decisions) in CASES {
        // Failed authentications of one address are forgiven meanwhile.
        let secret = world.secret(case).await;
        let needs = std::iter::once(None).chain(NEEDS.into_iter().map(Some));
        for (need, expected) in needs.zip(decisions) {
            for (surface, decision) in world.decisions(&secret, need).await {
                assert_eq!(decision, *expected, "{case}, {need:?}, {surface}");
                asked += 1;
            }
        }
        if decisions[0] == Inactive {
            world.jeton.clock.advance(Duration::from_mins(1));
        }
    }
    assert!(asked > CASES.len() * 6 * 6, "{asked}");
}

/// For whoever reads the log: what a stranger is told alike.
#[tokio::test]
async fn the_index_knows_why_a_secret_is_good_for_nothing() {
    let world = World::new().await;
    let mut known = 0;
    for (case, decisions) in CASES {
        let secret = world.secret(case).await;
        let refused = world.verifier().verify(&secret, None, world.jeton.clock.now()).err();
        let expected = match *case {
            _ if decisions[0] != Inactive => {
                assert!(refused.is_none(), "{case}: {refused:?}");
                continue;
            }
            "at its end" | "after its end" => Dead::Expired,
            "revoked" | "logged out" => Dead::Revoked,
            "reset" | "after its grace" => Dead::Replaced,
            "blocked" | "pending" | "removed" => Dead::OwnerInactive,
            "unknown, well formed" | "unknown, from elsewhere" => Dead::Unknown,
            // Of another form, or not as it was written down: looked for nowhere, or found nowhere.
            _ => {
                let is_none = matches!(refused, Some(Refused::Malformed(_) | Refused::Dead(Dead::Unknown)));
                assert!(is_none, "{case}: {refused:?}");
                continue;
            }
        };
        assert!(matches!(refused, Some(Refused::Dead(dead)) if dead == expected), "{case}: {refused:?}");
        known += 1;
    }
    assert_eq!(known, 11);
}

/// A stranger learns nothing from how a secret is refused.
#[tokio::test]
async fn what_is_not_good_is_refused_alike_whatever_the_reason() {
    let world = World::new().await;
    let (mut bodies, mut heads) = (Vec::new(), Vec::new());
    for (case, _) in CASES.iter().filter(|(_, decisions)| decisions[0] == Inactive) {
        let secret = world.secret(case).await;
        let headers = [("authorization", secret.as_str()), ("x-forwarded-uri", "/")];
        let refused = world.jeton.send("GET", "/verify/x-forwarded", &headers, "").await.expect(401);
        bodies.push(refused.text().to_owned());
        let mut names: Vec<_> = refused.headers.iter().filter(|(name, _)| *name != "x-request-id").collect();
        names.sort_by_key(|(name, _)| name.as_str());
        heads.push(format!("{names:?}"));
        let form = format!("token={secret}");
        let headers = [
            ("authorization", world.gateway.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let told = world.jeton.send("POST", "/oauth2/introspect", &headers, &form).await.expect(200);
        assert_eq!(told.text(), r#"{"active":false}"#, "{case}");
        world.jeton.clock.advance(Duration::from_mins(1));
    }
    bodies.dedup();
    heads.dedup();
    assert_eq!((bodies.len(), heads.len()), (1, 1), "{bodies:?} {heads:?}");
}

/// What is needed is for the gateway to say. Some of them hand their client's query on.
#[tokio::test]
async fn the_query_of_a_client_says_nothing_of_what_is_needed() {
    let world = World::new().await;
    let (secret, _) = world.owners(&json!({ "role": "reader" })).await;
    let (easy, hard) = ("action=viewProject&resource=proj/a", "action=updateProject&resource=proj/a");
    for (own, theirs, status) in [
        ("", "", 403),
        ("x=1", "x=1", 403),
        ("x=1", "", 400),
        ("x=1", "y=1", 400),
        ("acton=viewProject&resorce=proj/a", "", 400),
        (&format!("{easy}&action=updateProject"), "", 400),
        (easy, easy, 400),
        (&easy.replace("action", "%61ction"), &easy.replace("action", "%61ction"), 400),
        (&format!("x=1&{easy}"), &format!("x=1&{easy}"), 400),
        (&format!("on_limit=401&{easy}"), easy, 400),
        (easy, "x=1", 200),
        (easy, hard, 200),
        (hard, easy, 403),
        (hard, hard, 400),
    ] {
        for (mount, method, uri) in [
            ("x-forwarded", "x-forwarded-method", "x-forwarded-uri"),
            ("x-original", "x-original-method", "x-original-uri"),
        ] {
            let asked = format!("/update?{theirs}");
            let headers = [("authorization", secret.as_str()), (method, "GET"), (uri, &asked)];
            let path = format!("/verify/{mount}?{own}");
            world.jeton.send("GET", &path, &headers, "").await.expect(status);
        }
    }
}

/// Whoever asks has to be somebody: a service, somebody who may, or the token itself.
#[tokio::test]
async fn who_may_ask() {
    let world = World::new().await;
    let jeton = &world.jeton;
    let reader = jeton.add_member(1001, BaseRole::Reader).await;
    let admin = jeton.add_member(1002, BaseRole::Admin).await;
    let (_, stranger) = jeton.add_account().await;
    let policy = json!([{ "effect": "allow", "resources": ["acct"], "actions": ["verifyToken"] }]);
    let (narrow, _) = world.owners(&json!({ "inlineRole": policy })).await;
    for (asker, secret, status, active) in [
        (&reader.secret, &reader.secret, 200, true),
        (&reader.secret, &admin.secret, 403, false),
        (&admin.secret, &reader.secret, 200, true),
        (&narrow, &reader.secret, 200, true),
        (&world.gateway, &reader.secret, 200, true),
        // Another account: there is no such token.
        (&stranger.secret, &reader.secret, 200, false),
        (&world.gateway, &stranger.secret, 200, false),
    ] {
        let question = json!({ "secret": secret }).to_string();
        let reply = jeton.call(asker, "POST", "/verify", Some(&question)).await.expect(status);
        assert!(status != 200 || reply.json()["active"] == active, "{reply:?}");
        let headers =
            [("authorization", asker.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let form = format!("token={secret}");
        let reply = jeton.send("POST", "/oauth2/introspect", &headers, &form).await.expect(status);
        assert!(status != 200 || reply.json()["active"] == active, "{reply:?}");
    }
}

#[tokio::test]
async fn a_question_is_an_object_with_these_members_and_no_others() {
    let jeton = Jeton::start().await;
    let secret = &jeton.owner.secret;
    for body in [
        format!(r#"[["{secret}"]]"#),
        format!(r#"["{secret}"]"#),
        format!(r#"[{{"secret":"{secret}"}},["{secret}",null,null]]"#),
        format!(r#""{secret}""#),
        format!(r#"{{"secret":"{secret}","acton":"viewProject"}}"#),
        format!(r#"{{"secret":"{secret}","secret":"{secret}"}}"#),
        r#"{"secret":null}"#.to_owned(),
        "{}".to_owned(),
    ] {
        jeton.call(secret, "POST", "/verify", Some(&body)).await.expect(400);
    }
    assert_eq!(jeton.call(secret, "POST", "/verify", Some("[]")).await.expect(200).json(), json!([]));
}

/// RFC 6749, section 2.3.1; RFC 7662, section 2.1: who asks may say who they are in three ways, one at a time.
#[tokio::test]
async fn ways_to_authenticate_for_introspection() {
    let world = World::new().await;
    let form = "application/x-www-form-urlencoded";
    let secret = world.jeton.owner.secret.clone();
    let basic = |password: &str| format!("Basic {}", base64(format!("any-id:{password}").as_bytes()));
    let (good, bad) = (basic(&world.gateway), basic("wrong-secret-wrong-secret-wrong-secret"));
    let bearer = format!("Bearer {}", world.gateway);
    let token = format!("token={secret}&token_type_hint=access_token");
    let in_form = format!("{token}&client_id=x&client_secret={}", world.gateway);
    let wrong_in_form = format!("{token}&client_secret=nothing-that-anybody-has-ever-issued");
    for (authorization, body, status, error) in [
        (good.as_str(), token.as_str(), 200, ""),
        (&bearer, &token, 200, ""),
        ("", &in_form, 200, ""),
        (&bad, &token, 401, "invalid_client"),
        ("Basic !", &token, 401, "invalid_client"),
        ("", &wrong_in_form, 401, "invalid_client"),
        ("", &token, 401, ""),
        (&good, &in_form, 400, "invalid_request"),
        (&good, "", 400, "invalid_request"),
        (&good, "token=", 400, "invalid_request"),
        (&good, "token=a&token=b", 400, "invalid_request"),
        (&good, "token=a&action=b", 400, "invalid_request"),
        (&good, "token=a&action=b&resource=nothing", 400, "invalid_request"),
    ] {
        let mut headers = vec![("content-type", form)];
        if !authorization.is_empty() {
            headers.push(("authorization", authorization));
        }
        let reply = world.jeton.send("POST", "/oauth2/introspect", &headers, body).await.expect(status);
        if !error.is_empty() {
            assert_eq!(reply.json()["error"], error, "{body}");
        }
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let challenged = reply.header("www-authenticate").unwrap_or_default();
        assert_eq!(challenged.starts_with("Basic"), status == 401 && authorization.starts_with("Basic"));
    }
    let headers = [("authorization", good.as_str()), ("content-type", "application/json")];
    world.jeton.send("POST", "/oauth2/introspect", &headers, "{}").await.expect(400);
}

/// RFC 7009: a secret that was found somewhere can be killed with nothing else.
#[tokio::test]
async fn whoever_holds_a_secret_can_kill_it() {
    let world = World::new().await;
    let (jeton, form) = (&world.jeton, [("content-type", "application/x-www-form-urlencoded")]);
    let works = async |secret: &str| {
        jeton.call(secret, "GET", "/api/v2/caller-identity", None).await.status.is_success()
    };
    let (secret, _) = world.owners(&json!({ "role": "reader" })).await;
    let revoke = async |secret: &str| {
        let reply = jeton.send("POST", "/oauth2/revoke", &form, format!("token={secret}")).await.expect(200);
        assert_eq!((reply.body.len(), reply.header("cache-control")), (0, Some("no-store")));
    };
    revoke(&secret).await;
    assert!(!works(&secret).await);
    revoke(&secret).await;
    revoke("nothing-that-anybody-has-ever-issued").await;
    // The one that was replaced dies alone.
    let (old, id) = world.owners(&json!({ "role": "reader" })).await;
    let new = world.reset(&id, Some(60_000)).await;
    revoke(&old).await;
    assert!(!works(&old).await && works(&new).await);
    revoke(&new).await;
    assert!(!works(&new).await);
    let login = world.login().await;
    revoke(&login).await;
    assert!(!works(&login).await);
    // Whoever says who they are has to be right about it.
    let wrong = format!("token={new}&client_secret=nothing-that-anybody-has-ever-issued");
    jeton.send("POST", "/oauth2/revoke", &form, wrong).await.expect(401);
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sign = |group: u32, at: u32| char::from(SIGNS[(group >> (18 - 6 * at) & 63) as usize]);
    let encoded = bytes.chunks(3).flat_map(|chunk| {
        let group = (0..3).fold(0, |group, at| group << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        (0..4).map(move |at| if at as usize <= chunk.len() { sign(group, at) } else { '=' })
    });
    encoded.collect()
}

/// What one token may ask in ten seconds is no bound for a service that asks for each of its own requests.
#[tokio::test]
async fn who_asks_about_others_is_not_counted() {
    let limit = jeton_server::http::rate_limit::RateLimit { requests: 3, window: Duration::from_secs(10) };
    let settings = Settings { token_requests: limit, ..Settings::default() };
    let jeton = Jeton::with(settings, Limits::default()).await;
    let owner = jeton.owner.secret.clone();
    let question = json!({ "secret": owner }).to_string();
    let headers = [("authorization", owner.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    for _ in 0..20 {
        jeton.call(&owner, "POST", "/verify", Some(&question)).await.expect(200);
        jeton.send("POST", "/oauth2/introspect", &headers, format!("token={owner}")).await.expect(200);
        jeton.send("GET", "/verify/x-forwarded", &headers[..1], "").await.expect(200);
    }
    for _ in 0..3 {
        jeton.call(&owner, "GET", "/api/v2/caller-identity", None).await.expect(200);
    }
    jeton.call(&owner, "GET", "/api/v2/caller-identity", None).await.expect(429);
}

/// nginx says the address without its host, its ingress for Kubernetes with it. Each replaces its own header only, and the
/// other one is whatever its client says.
#[tokio::test]
async fn nginx_and_its_ingress_say_where_a_request_goes() {
    let world = World::new().await;
    let (secret, _) = world.owners(&json!({ "role": "reader" })).await;
    let (uri, url) = ("x-original-uri", "x-original-url");
    for (headers, status) in [
        (vec![(uri, "/view")], 200),
        (vec![(uri, "/update")], 403),
        (vec![(url, "/view")], 200),
        (vec![(url, "https://shop.example.com/view?b=c")], 200),
        (vec![(url, "https://shop.example.com/update?/view")], 403),
        (vec![(url, "https://shop.example.com")], 200),
        (vec![(url, "https://shop.example.com?/update")], 403),
        (vec![(url, "https://shop.example.com/update"), (uri, "/view")], 400),
        (vec![(url, "/view"), (uri, "/update")], 400),
        (vec![(url, "/view"), (uri, "")], 200),
        // Which of them the gateway said nobody knows.
        (vec![(uri, "/view"), (uri, "/update")], 403),
        (vec![(uri, "/update"), (uri, "/view")], 403),
        (vec![(uri, "/view"), (uri, "/view")], 200),
    ] {
        let asked = [vec![("x-original-method", "GET"), ("authorization", &*secret)], headers].concat();
        world.jeton.send("GET", "/verify/x-original", &asked, "").await.expect(status);
    }
}

/// Who is behind a gateway may look at another one of several secrets than we do.
#[tokio::test]
async fn of_several_secrets_that_differ_none_is_good() {
    let jeton = Jeton::start().await;
    let (owner, bad) = (jeton.owner.secret.as_str(), "nothing-that-was-issued");
    let (authorization, private) = ("authorization", "private-token");
    let bearer = format!("Bearer {owner}");
    for (headers, status) in [
        (vec![(authorization, &*bearer), (private, owner)], 200),
        (vec![(authorization, owner), (authorization, owner)], 200),
        (vec![(authorization, owner), (authorization, bad)], 401),
        (vec![(authorization, bad), (authorization, owner)], 401),
        (vec![(private, owner), (private, bad)], 401),
        (vec![(authorization, owner), (private, bad)], 401),
        (vec![(authorization, bad), (private, owner)], 401),
        (vec![(authorization, ""), (private, owner)], 200),
    ] {
        for path in ["/verify/x-forwarded", "/verify/x-original", "/ext-authz/a"] {
            jeton.send("GET", path, &headers, "").await.expect(status);
        }
    }
}

#[tokio::test]
async fn a_thousand_secrets_may_be_asked_about_and_not_one_more() {
    let jeton = Jeton::start().await;
    let owner = &jeton.owner.secret;
    let asked = |count: usize| json!(vec![json!({ "secret": owner }); count]).to_string();
    let answers = jeton.call(owner, "POST", "/verify", Some(&asked(1000))).await.expect(200).json();
    let answers = answers.as_array().unwrap();
    assert!(answers.len() == 1000 && answers.iter().all(|answer| answer["allowed"] == true));
    let refused = jeton.call(owner, "POST", "/verify", Some(&asked(1001))).await.expect(400);
    assert!(refused.text().contains("At most 1000 secrets at once"), "{}", refused.text());
}

/// Enough of them to be digested side by side, and each in its place among others that are none.
#[tokio::test]
async fn each_of_many_secrets_is_answered_in_its_place() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let mut asked: Vec<(String, Option<String>)> = Vec::new();
    for at in 0..21 {
        let body = json!({ "name": format!("token {at}"), "role": "reader" }).to_string();
        let made = jeton.call(&owner, "POST", "/api/v2/tokens", Some(&body)).await.expect(201);
        let (secret, id) = (made.string("token"), made.string("_id"));
        let mut wrong = secret.clone().into_bytes();
        wrong.swap(9 + at, 10 + at);
        let wrong = String::from_utf8(wrong).unwrap();
        let long = format!("{secret}{secret}");
        match at % 3 {
            0 => asked.push((wrong.clone(), (wrong == secret).then(|| id.clone()))),
            1 => asked.push((long, None)),
            _ => {}
        }
        asked.push((secret, Some(id)));
    }
    for count in [1, 2, 3, 8, asked.len()] {
        let questions: Vec<_> =
            asked[..count].iter().map(|(secret, _)| json!({ "secret": secret })).collect();
        let body = json!(questions).to_string();
        let told = jeton.call(&owner, "POST", "/verify", Some(&body)).await.expect(200).json();
        for (answer, (secret, id)) in told.as_array().unwrap().iter().zip(&asked) {
            assert_eq!(answer["token"].as_str(), id.as_deref(), "{secret}");
        }
    }
}

/// What a gateway reads in headers is what introspection says, each in its own place.
#[tokio::test]
async fn every_header_of_a_gateway_says_what_introspection_says() {
    let jeton = Jeton::start().await;
    let owner = jeton.owner.secret.clone();
    let end = jeton.clock.now().as_millis() + 3_600_000;
    let issue = async |body: Value| {
        let made = jeton.call(&owner, "POST", "/api/v2/tokens", Some(&body.to_string())).await.expect(201);
        made.string("token")
    };
    let secrets = [
        issue(json!({ "role": "writer", "expiry": end })).await,
        issue(json!({ "role": "reader", "serviceToken": true })).await,
        owner.clone(),
    ];
    for secret in &secrets {
        let bearer = format!("Bearer {secret}");
        let form = format!("token={secret}");
        let headers = [("authorization", &*bearer), ("content-type", "application/x-www-form-urlencoded")];
        let told = jeton.send("POST", "/oauth2/introspect", &headers, &form).await.expect(200).json();
        let asked = jeton.send("GET", "/verify/x-forwarded", &headers[..1], "").await.expect(200);
        for (header, member) in [
            ("x-jeton-subject", "sub"),
            ("x-jeton-token-id", "jti"),
            ("x-jeton-kind", "kind"),
            ("x-jeton-account", "account"),
            ("x-jeton-email", "username"),
            ("x-jeton-scopes", "scope"),
            ("x-jeton-expires", "exp"),
        ] {
            let said = match &told[member] {
                Value::Null => "-".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(asked.header(header), Some(&*said), "{header} of {told}");
        }
        assert_eq!(asked.header("cache-control"), Some("no-store"));
    }
}
