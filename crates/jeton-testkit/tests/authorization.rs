//! Who may do what, asked through both outer doors: every caller against every token, every deed.
//!
//! The rules themselves have their tables in the core. Here each row goes through a whole server, once in the words of
//! LaunchDarkly and, where Canvus has words for it, once in those: the two must decide alike.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use jeton_core::change::{Actor, Event, Proposal};
use jeton_core::member::Standing;
use jeton_core::policy::{Effect, Policy, Statement};
use jeton_core::role::BaseRole;
use jeton_testkit::{Jeton, Person, Reply};
use serde_json::{Value, json};

const TOKENS: &str = "/api/v2/tokens";
const USERS: &str = "/api/v1/users";

/// The numbers of the cast.
const OWNER: u32 = 1000;
const WRITER: u32 = 1001;
const READER: u32 = 1002;
const ADMIN: u32 = 1003;
const DEMOTED: u32 = 1004;
const GUEST: u32 = 1005;
const COLLEAGUE: u32 = 1006;

/// An account with people in it, of whom each sort of token can be had.
struct Cast {
    jeton: Jeton,
    people: Vec<Person>,
}

impl Cast {
    async fn gather() -> Self {
        let jeton = Jeton::start().await;
        let mut people = vec![jeton.owner.clone()];
        for (number, role) in [
            (WRITER, BaseRole::Writer),
            (READER, BaseRole::Reader),
            (ADMIN, BaseRole::Admin),
            (DEMOTED, BaseRole::Reader),
            (GUEST, BaseRole::NoAccess),
            (COLLEAGUE, BaseRole::Writer),
        ] {
            people.push(jeton.add_member(number, role).await);
        }
        jeton.define_role("all-tokens", vec![statement(Effect::Allow, "member/*:token/*", "*")]).await;
        Self { jeton, people }
    }

    fn person(&self, number: u32) -> &Person {
        self.people.iter().find(|person| person.number == number).expect("one of the cast")
    }

    /// A fresh token of somebody's, made by them with all their rights.
    async fn made_by(&self, maker: u32, body: &Value) -> String {
        let maker = &self.person(maker).secret;
        self.jeton.call(maker, "POST", TOKENS, Some(&body.to_string())).await.expect(201).string("token")
    }

    /// A fresh token with all of somebody's rights.
    async fn rights_of(&self, number: u32) -> String {
        let path = format!("{USERS}/{number}/access-tokens");
        let body = Some(r#"{"description":"theirs"}"#);
        self.jeton.call(&self.jeton.owner.secret, "POST", &path, body).await.expect(200).string("plain_token")
    }

    /// A fresh token of the caller of this name, and whose it is.
    async fn caller(&self, name: &str) -> (u32, String) {
        let role = |role: &str| json!({ "role": role });
        let service = |role: &str| json!({ "role": role, "serviceToken": true });
        let own = |number: u32| async move { (number, self.rights_of(number).await) };
        let made = |number: u32, body: Value| async move { (number, self.made_by(number, &body).await) };
        match name {
            "owner" => own(OWNER).await,
            "admin" => made(ADMIN, role("admin")).await,
            "admin's reader token" => made(ADMIN, role("reader")).await,
            "writer" => own(WRITER).await,
            "writer's writer token" => made(WRITER, role("writer")).await,
            "writer's reader token" => made(WRITER, role("reader")).await,
            "writer's renamer" => made(WRITER, inline("member/*:token/*", "updateAccessTokenName")).await,
            "reader" => own(READER).await,
            "guest" => own(GUEST).await,
            "custom role: all tokens" => made(ADMIN, json!({ "customRoleIds": ["all-tokens"] })).await,
            "inline: service tokens" => made(ADMIN, inline("service-token/*", "*")).await,
            "inline: create" => made(ADMIN, inline("member/*:token/*", "createAccessToken")).await,
            "service admin" => made(ADMIN, service("admin")).await,
            "service writer" => made(ADMIN, service("writer")).await,
            "service reader" => made(ADMIN, service("reader")).await,
            "admin, now a reader" => self.then_demoted(role("admin")).await,
            "service admin of one demoted" => self.then_demoted(service("admin")).await,
            _ => panic!("nobody is called {name}"),
        }
    }

    /// A fresh token of an administrator who was one only until it was made.
    async fn then_demoted(&self, body: Value) -> (u32, String) {
        let id = self.person(DEMOTED).id;
        self.jeton.change_member(id, |member| member.role = BaseRole::Admin).await;
        let secret = self.made_by(DEMOTED, &body).await;
        self.jeton.change_member(id, |member| member.role = BaseRole::Reader).await;
        (DEMOTED, secret)
    }

    /// A token as LaunchDarkly shows it to those who see everything.
    async fn shown(&self, secret: &str) -> Value {
        let path = format!("{TOKENS}/{}", self.jeton.token_of(secret));
        self.jeton.call(&self.jeton.owner.secret, "GET", &path, None).await.expect(200).json()
    }
}

fn statement(effect: Effect, resource: &str, action: &str) -> Statement {
    Statement {
        effect,
        resources: vec![resource.to_owned()],
        not_resources: Vec::new(),
        actions: vec![action.to_owned()],
        not_actions: Vec::new(),
    }
}

fn inline(resource: &str, action: &str) -> Value {
    json!({ "inlineRole": [{ "effect": "allow", "resources": [resource], "actions": [action] }] })
}

/// An answer in one letter: done, denied, unknown, or refused for what was asked and not for who asked.
fn letter(reply: &Reply) -> char {
    match reply.status.as_u16() {
        200 | 201 | 204 => '+',
        403 => '-',
        404 => '?',
        400 => '!',
        401 => '#',
        _ => panic!("{reply:?}"),
    }
}

/// What can be done to a token in LaunchDarkly's words, in the order of the letters in the tables below: see it; change
/// its name, description, permissions, expiry, version; reset it; delete it.
const DEEDS: [&str; 8] = ["get", "name", "description", "scope", "expiry", "version", "reset", "delete"];

async fn in_launchdarkly(jeton: &Jeton, secret: &str, deed: &str, token: &Value) -> Reply {
    let path = format!("{TOKENS}/{}", token["_id"].as_str().unwrap());
    // The scope that it has already: what is asked for is the permission, and a deed must not change the next.
    let scope =
        ["role", "customRoleIds", "inlineRole"].into_iter().find(|name| token.get(*name).is_some()).unwrap();
    let patch = |member: &str, value: Value| {
        Some(json!([{ "op": "replace", "path": format!("/{member}"), "value": value }]).to_string())
    };
    let (method, path, body) = match deed {
        "get" => ("GET", path, None),
        "name" => ("PATCH", path, patch("name", json!("renamed"))),
        "description" => ("PATCH", path, patch("description", json!("described"))),
        "scope" => ("PATCH", path, patch(scope, token[scope].clone())),
        "expiry" => ("PATCH", path, patch("expiry", json!(i64::MAX))),
        "version" => ("PATCH", path, patch("defaultApiVersion", json!(20_220_603))),
        "reset" => ("POST", format!("{path}/reset"), None),
        "delete" => ("DELETE", path, None),
        _ => panic!("nobody can {deed}"),
    };
    jeton.call(secret, method, &path, body.as_deref()).await
}

/// The same in Canvus's words, if there are any.
async fn in_canvus(jeton: &Jeton, secret: &str, deed: &str, user: u32, token: &Value) -> Option<Reply> {
    let path = format!("/api/v1/users/{user}/access-tokens/{}", token["_id"].as_str().unwrap());
    let (method, body) = match deed {
        "get" => ("GET", ""),
        "name" => ("PATCH", r#"{"description":"renamed"}"#),
        "delete" => ("DELETE", ""),
        "description" | "scope" | "expiry" | "version" | "reset" => return None,
        _ => panic!("nobody can {deed}"),
    };
    Some(jeton.send(method, &path, &[("private-token", secret)], body).await)
}

/// Whose token is asked about. `"self"` is the one that asks.
const TARGETS: [&str; 6] = ["self", "own", "colleague's", "owner's", "service", "service admin"];

/// Every caller (row) against every token (column), deed by deed (letter, in the order of [`DEEDS`]).
///
/// `+` done, `-` 403, `?` 404: what a caller may not see does not exist. `!` 400: what a service token may do was fixed when
/// it was made, for administrators too. A dot is where there is no such token.
#[rustfmt::skip]
const WHO_MAY_WHAT: [(&str, [&str; 6]); 17] = [
    //                                self        own         colleague's  owner's     service     service admin
    ("owner",                        ["++++++++", "++++++++", "++++++-+", "++++++++", "+++!++++", "+++!++++"]),
    // Secrets are shown to their owners only, so not even administrators reset those of others.
    ("admin",                        ["++++++++", "++++++++", "++++++-+", "++++++-+", "+++!++++", "+++!++++"]),
    // In a token's scope, reader and writer manage nothing, themselves included.
    ("admin's reader token",         ["+-------", "+-------", "????????", "????????", "+-------", "+-------"]),
    ("writer's reader token",        ["+-------", "+-------", "????????", "????????", "+-------", "+-------"]),
    ("writer's writer token",        ["+-------", "+-------", "????????", "????????", "+-------", "+-------"]),
    // As a member's right, everybody but `no_access` manages their own.
    ("writer",                       ["++++++++", "++++++++", "????????", "????????", "+-------", "+-------"]),
    ("reader",                       ["++++++++", "++++++++", "????????", "????????", "+-------", "+-------"]),
    ("guest",                        ["+-------", "+-------", "????????", "????????", "+-------", "+-------"]),
    // The action, and no other; the member's own rights end at their own tokens.
    ("writer's renamer",             ["++------", "++------", "????????", "????????", "+-------", "+-------"]),
    // An administrator whose token may manage any personal token: what it can't see it can change all the same, but it gets
    // no secret that is good for more than its own.
    ("custom role: all tokens",      ["++++++++", "++++++-+", "?+++++-+", "?+++++-+", "+-------", "+-------"]),
    // The other kind.
    ("inline: service tokens",       ["+-------", "+-------", "????????", "????????", "+++!++-+", "+++!++-+"]),
    ("inline: create",               ["+-------", "+-------", "????????", "????????", "+-------", "+-------"]),
    // Personal tokens do what their member may now: its own role is above that, so it can't be given again.
    ("admin, now a reader",          ["+++-++++", "++++++++", "????????", "????????", "+-------", "+-------"]),
    // A service token is nobody: the tokens of whoever made it are others' too.
    ("service admin",                ["+++!++++", "++++++-+", "++++++-+", "++++++-+", "+++!++++", "+++!++++"]),
    ("service writer",               ["+-------", "????????", "????????", "????????", "+-------", "+-------"]),
    ("service reader",               ["+-------", "????????", "????????", "????????", "+-------", "+-------"]),
    // What a service token may do does not follow its maker.
    ("service admin of one demoted", ["+++!++++", "++++++-+", "++++++-+", "++++++-+", "+++!++++", "+++!++++"]),
];

#[tokio::test]
async fn who_may_do_what_to_which_token() {
    let cast = Cast::gather().await;
    for (name, row) in WHO_MAY_WHAT {
        let sees_everything = row[2].starts_with('+');
        for (target, expected) in TARGETS.into_iter().zip(row) {
            let (mut here, mut there, mut also_there) = (String::new(), String::new(), String::new());
            for (deed, expected) in DEEDS.into_iter().zip(expected.chars()) {
                let (asker, secret, user, token) = meeting(&cast, name, target).await;
                here.push(letter(&in_launchdarkly(&cast.jeton, &secret, deed, &token).await));

                // In Canvus a user's path is closed to everybody but the user and administrators; then all is the same.
                let (_, secret, _, token) = meeting(&cast, name, target).await;
                let personal = token["serviceToken"] == false;
                if personal && let Some(reply) = in_canvus(&cast.jeton, &secret, deed, user, &token).await {
                    let open = sees_everything || (asker == user && !name.starts_with("service"));
                    there.push(letter(&reply));
                    also_there.push(if open { expected } else { '-' });
                }
            }
            assert_eq!(here, expected, "{name}, {target} token");
            assert_eq!(there, also_there, "{name}, {target} token, in Canvus");
        }
    }
}

/// A fresh caller, and a fresh token to be asked about: whose the caller is, its secret, whose path the token is under,
/// the token.
async fn meeting(cast: &Cast, name: &str, target: &str) -> (u32, String, u32, Value) {
    let (asker, secret) = cast.caller(name).await;
    let service = |role: &str| json!({ "role": role, "serviceToken": true });
    let (user, other) = match target {
        "self" => (asker, secret.clone()),
        "own" => (asker, cast.rights_of(asker).await),
        "colleague's" => (COLLEAGUE, cast.rights_of(COLLEAGUE).await),
        "owner's" => (OWNER, cast.rights_of(OWNER).await),
        "service" => (OWNER, cast.made_by(OWNER, &service("reader")).await),
        "service admin" => (OWNER, cast.made_by(OWNER, &service("admin")).await),
        _ => panic!("there is no {target} token"),
    };
    let token = cast.shown(&other).await;
    (asker, secret, user, token)
}

/// What is asked for when a token is made, in the order of the letters in the table below.
fn wishes() -> [Value; 8] {
    let service = |role: &str| json!({ "role": role, "serviceToken": true });
    [
        json!({ "role": "reader" }),
        json!({ "role": "writer" }),
        json!({ "role": "admin" }),
        json!({ "customRoleIds": ["all-tokens"] }),
        inline("member/*:token/*", "*"),
        service("reader"),
        service("writer"),
        service("admin"),
    ]
}

/// Who may make what: a personal reader, writer, administrator, custom role, policy; a service reader, writer,
/// administrator; and a token through Canvus, which has all of its owner's rights.
#[rustfmt::skip]
const WHO_MAY_MAKE_WHAT: [(&str, &str, char); 17] = [
    ("owner",                        "++++++++", '+'),
    ("admin",                        "++++++++", '+'),
    ("admin's reader token",         "--------", '-'),
    ("writer's reader token",        "--------", '-'),
    ("writer's writer token",        "--------", '-'),
    // Up to one's own role. What a policy grants is bounded otherwise: by the rights of its maker.
    ("writer",                       "++-++++-", '+'),
    ("reader",                       "+--+++--", '+'),
    ("guest",                        "--------", '-'),
    ("writer's renamer",             "--------", '-'),
    ("custom role: all tokens",      "+++++---", '+'),
    ("inline: service tokens",       "-----+++", '-'),
    ("inline: create",               "+++++---", '+'),
    ("admin, now a reader",          "+--+++--", '+'),
    ("service admin",                "-----+++", '-'),
    ("service writer",               "--------", '-'),
    ("service reader",               "--------", '-'),
    ("service admin of one demoted", "-----+++", '-'),
];

#[tokio::test]
async fn who_may_make_what() {
    let cast = Cast::gather().await;
    for (name, expected, in_canvus) in WHO_MAY_MAKE_WHAT {
        let mut found = String::new();
        for wish in wishes() {
            let (_, secret) = cast.caller(name).await;
            let reply = cast.jeton.call(&secret, "POST", TOKENS, Some(&wish.to_string())).await;
            found.push(letter(&reply));
        }
        assert_eq!(found, expected, "{name}");
        let (number, secret) = cast.caller(name).await;
        let path = format!("{USERS}/{number}/access-tokens");
        let reply = cast.jeton.call(&secret, "POST", &path, Some(r#"{"description":"x"}"#)).await;
        assert_eq!(letter(&reply), in_canvus, "{name}, in Canvus");
    }
}

#[tokio::test]
async fn a_service_token_makes_no_personal_token() {
    let cast = Cast::gather().await;
    let (number, machine) = cast.caller("service admin").await;
    let reply = cast.jeton.call(&machine, "POST", TOKENS, Some(r#"{"role":"reader"}"#)).await.expect(403);
    assert_eq!(reply.json()["message"], "Service tokens cannot create personal tokens");
    let path = format!("{USERS}/{number}/access-tokens");
    let reply = cast.jeton.call(&machine, "POST", &path, Some(r#"{"description":"x"}"#)).await.expect(403);
    assert_eq!(reply.text(), r#"{"msg":"Permission denied: Service tokens cannot create personal tokens"}"#);
    // One that it makes is its maker's.
    let made =
        cast.jeton.call(&machine, "POST", TOKENS, Some(r#"{"role":"reader","serviceToken":true}"#)).await;
    assert_eq!(made.expect(201).string("memberId"), cast.person(ADMIN).id.to_string());
}

/// No token mints a stronger one: whatever a narrow token makes stays within its own bounds, for ever.
#[tokio::test]
async fn what_a_narrow_token_makes_is_no_wider() {
    let cast = Cast::gather().await;
    let call = async |secret: &str, method: &str, path: &str, body: Option<&str>| {
        cast.jeton.call(secret, method, path, body).await
    };
    // It may create personal tokens, and nothing else. It makes an administrator …
    let (_, creator) = cast.caller("inline: create").await;
    let minted = call(&creator, "POST", TOKENS, Some(r#"{"role":"admin"}"#)).await.expect(201);
    let (minted, path) = (minted.string("token"), format!("{TOKENS}/{}", minted.string("_id")));
    // … which may create personal tokens, and nothing else, in either dialect.
    let rename = Some(r#"[{"op":"replace","path":"/name","value":"x"}]"#);
    call(&creator, "PATCH", &path, rename).await.expect(403);
    call(&minted, "PATCH", &path, rename).await.expect(403);
    call(&minted, "DELETE", &path, None).await.expect(403);
    call(&minted, "POST", &format!("{path}/reset"), None).await.expect(403);
    call(&minted, "POST", TOKENS, Some(r#"{"role":"reader","serviceToken":true}"#)).await.expect(403);
    call(&minted, "GET", &format!("{USERS}/{OWNER}/access-tokens"), None).await.expect(403);
    let third = call(&minted, "POST", TOKENS, Some(r#"{"role":"admin"}"#)).await.expect(201).string("token");
    call(&third, "DELETE", &path, None).await.expect(403);
    // A token through Canvus has its owner's rights, less what its maker had not.
    let canvus = format!("{USERS}/{ADMIN}/access-tokens");
    let own = call(&creator, "POST", &canvus, Some(r#"{"description":"x"}"#)).await.expect(200);
    call(&own.string("plain_token"), "DELETE", &format!("{canvus}/{}", own.string("id")), None)
        .await
        .expect(403);
    // A scope that a narrow token changes is no wider either: this one may change scopes, and then not delete.
    let scoper = cast.made_by(ADMIN, &inline("member/*:token/*", "updateAccessTokenPolicy")).await;
    let victim = cast.made_by(ADMIN, &json!({ "role": "reader" })).await;
    let victim_path = format!("{TOKENS}/{}", cast.jeton.token_of(&victim));
    let widen = r#"[{"op":"replace","path":"/role","value":"admin"}]"#;
    call(&scoper, "PATCH", &victim_path, Some(widen)).await.expect(200);
    call(&victim, "DELETE", &victim_path, None).await.expect(403);

    // For service tokens the same: all may be done to those, and what it makes it may reset, since it is no wider.
    let (_, keeper) = cast.caller("inline: service tokens").await;
    let body = r#"{"role":"admin","serviceToken":true}"#;
    let made = call(&keeper, "POST", TOKENS, Some(body)).await.expect(201);
    let (path, machine) = (format!("{TOKENS}/{}", made.string("_id")), made.string("token"));
    call(&machine, "GET", &format!("{TOKENS}?showAll=true"), None).await.expect(200);
    call(&machine, "POST", TOKENS, Some(r#"{"role":"reader"}"#)).await.expect(403);
    call(&machine, "DELETE", &victim_path, None).await.expect(404);
    call(&keeper, "POST", &format!("{path}/reset"), None).await.expect(200);
    call(&keeper, "DELETE", &path, None).await.expect(204);
}

/// A member's custom roles take the place of the base role; a role that changes or goes takes effect at once.
#[tokio::test]
async fn custom_roles_are_read_at_every_use() {
    let cast = Cast::gather().await;
    let jeton = &cast.jeton;
    let own = cast.rights_of(WRITER).await;
    let make =
        async |secret: &str, body: &str| jeton.call(secret, "POST", TOKENS, Some(body)).await.status.as_u16();
    let (personal, service) = (r#"{"role":"reader"}"#, r#"{"role":"reader","serviceToken":true}"#);
    assert_eq!((make(&own, personal).await, make(&own, service).await), (201, 201));

    let machines =
        jeton.define_role("machines", vec![statement(Effect::Allow, "service-token/*", "*")]).await;
    jeton.change_member(cast.person(WRITER).id, |member| member.custom_roles = vec![machines]).await;
    assert_eq!(
        (make(&own, personal).await, make(&own, service).await),
        (403, 201),
        "instead of the base role"
    );

    // A token that holds the role itself, made by somebody who may do everything.
    let holder = cast.made_by(ADMIN, &json!({ "customRoleIds": ["machines"] })).await;
    assert_eq!((make(&holder, personal).await, make(&holder, service).await), (403, 201));
    // A second role only adds; a deny in one does not hurt an allow in the other.
    jeton.define_role("no-machines", vec![statement(Effect::Deny, "service-token/*", "*")]).await;
    let both =
        cast.made_by(ADMIN, &json!({ "customRoleIds": ["machines", "no-machines", "all-tokens"] })).await;
    assert_eq!((make(&both, personal).await, make(&both, service).await), (201, 201));

    let before = jeton.service.index().directory();
    let before = jeton_core::caller::Roles::by_key(before, jeton.account, "machines")
        .expect("a role")
        .as_ref()
        .clone();
    let mut after = before.clone();
    after.policy = Policy::new(vec![statement(Effect::Allow, "member/*:token/*", "*")]).unwrap();
    commit(jeton, Event::RoleChanged { before, after: after.clone() }).await;
    assert_eq!((make(&own, personal).await, make(&own, service).await), (201, 403), "the role changed");
    assert_eq!((make(&holder, personal).await, make(&holder, service).await), (201, 403));

    let before =
        jeton_core::caller::Roles::by_key(jeton.service.index().directory(), jeton.account, "machines");
    commit(jeton, Event::RoleRemoved { role: before.expect("a role").as_ref().clone() }).await;
    assert_eq!((make(&own, personal).await, make(&own, service).await), (403, 403), "the role is gone");
    assert_eq!((make(&holder, personal).await, make(&holder, service).await), (403, 403));
    assert_eq!(
        (make(&both, personal).await, make(&both, service).await),
        (201, 403),
        "what is left still counts"
    );
    // It can do nothing, and is there all the same, with what it was given.
    assert_eq!(cast.shown(&holder).await["customRoleIds"], json!([after.id.to_string()]));
}

/// Commits what no call of these APIs can do yet.
async fn commit(jeton: &Jeton, event: Event) {
    let (at, account) = (jeton.service.now(), jeton.account);
    let proposal = Proposal { at, account, actor: Actor::System, event, expects: Vec::new() };
    jeton.service.commit_for_tests(vec![proposal]).await.unwrap();
}

/// A secret that is good for nothing is good for no call. Nor is one of a member who is gone; a service token stays.
#[tokio::test]
async fn whoever_is_not_known_may_do_nothing() {
    let cast = Cast::gather().await;
    let jeton = &cast.jeton;
    // An address that fails too often is told so instead (see `limits.rs`), so each asks at another time.
    let next = std::time::Duration::from_secs(10);
    let deleted = cast.made_by(ADMIN, &json!({ "role": "admin" })).await;
    let path = format!("{TOKENS}/{}", jeton.token_of(&deleted));
    jeton.call(&deleted, "DELETE", &path, None).await.expect(204);
    let replaced = cast.made_by(ADMIN, &json!({ "role": "admin" })).await;
    let path = format!("{TOKENS}/{}/reset", jeton.token_of(&replaced));
    jeton.call(&replaced, "POST", &path, None).await.expect(200);
    let soon = jeton.service.now().as_millis() + 1;
    let expired = cast.made_by(ADMIN, &json!({ "role": "admin", "expiry": soon })).await;
    jeton.clock.advance(std::time::Duration::from_millis(1));
    let machine = cast.made_by(ADMIN, &json!({ "role": "admin", "serviceToken": true })).await;
    let orphaned = cast.rights_of(COLLEAGUE).await;
    jeton.change_member(cast.person(COLLEAGUE).id, |member| member.standing = Standing::Removed).await;
    let blocked = cast.rights_of(WRITER).await;
    jeton.change_member(cast.person(WRITER).id, |member| member.standing = Standing::Blocked).await;
    let pending = cast.rights_of(READER).await;
    jeton.change_member(cast.person(READER).id, |member| member.standing = Standing::Pending).await;
    let unknown = "jtn_pat_0123456789012345678901234567890123456789000000".to_owned();
    let foreign = "W1bns7ZYuNu7fQTR3i6L0JopiRCGsbNjXRw7ZyX0E".to_owned();

    let target = cast.shown(&cast.rights_of(OWNER).await).await;
    for secret in [&deleted, &replaced, &expired, &orphaned, &blocked, &pending, &unknown, &foreign] {
        jeton.clock.advance(next);
        for deed in DEEDS {
            assert_eq!(letter(&in_launchdarkly(jeton, secret, deed, &target).await), '#', "{deed}");
            if let Some(reply) = in_canvus(jeton, secret, deed, OWNER, &target).await {
                assert_eq!(letter(&reply), '#', "{deed}");
            }
        }
        for path in [TOKENS, "/api/v1/users/1000/access-tokens"] {
            jeton.call(secret, "GET", path, None).await.expect(401);
            jeton
                .call(secret, "POST", path, Some(r#"{"role":"reader","description":"x"}"#))
                .await
                .expect(401);
        }
    }

    jeton.change_member(cast.person(ADMIN).id, |member| member.standing = Standing::Removed).await;
    jeton.call(&cast.person(ADMIN).secret, "GET", TOKENS, None).await.expect(401);
    jeton.call(&machine, "POST", TOKENS, Some(r#"{"role":"admin","serviceToken":true}"#)).await.expect(201);
}

/// Each field needs its own permission, and one that is missing refuses the whole patch.
#[tokio::test]
async fn a_patch_needs_every_permission_that_it_touches() {
    let cast = Cast::gather().await;
    let (_, renamer) = cast.caller("writer's renamer").await;
    let own = cast.made_by(WRITER, &json!({ "name": "before", "role": "reader" })).await;
    let path = format!("{TOKENS}/{}", cast.jeton.token_of(&own));
    let before = cast.shown(&own).await;
    let name = json!({ "op": "replace", "path": "/name", "value": "after" });
    for (other, denied) in [
        (json!({ "op": "replace", "path": "/description", "value": "x" }), "updateAccessTokenDescription"),
        (json!({ "op": "replace", "path": "/role", "value": "reader" }), "updateAccessTokenPolicy"),
        (json!({ "op": "add", "path": "/customRoleIds", "value": [] }), "updateAccessTokenPolicy"),
        (json!({ "op": "add", "path": "/inlineRole", "value": [] }), "updateAccessTokenPolicy"),
        (json!({ "op": "replace", "path": "/expiry", "value": 1 }), "updateAccessTokenExpiry"),
        (json!({ "op": "remove", "path": "/defaultApiVersion" }), "updateAccessTokenDefaultApiVersion"),
        (json!({ "op": "move", "from": "/description", "path": "/name" }), "updateAccessTokenDescription"),
        (json!({ "op": "copy", "from": "/name", "path": "/description" }), "updateAccessTokenDescription"),
    ] {
        for operations in [json!([name, other]), json!([other, name]), json!([other])] {
            let reply =
                cast.jeton.call(&renamer, "PATCH", &path, Some(&operations.to_string())).await.expect(403);
            assert_eq!(reply.json()["access"]["action"], denied, "{operations}");
            assert_eq!(cast.shown(&own).await, before, "{operations}");
        }
    }
    // To look, or to copy from, is to touch nothing.
    let operations = json!([
        { "op": "test", "path": "/role", "value": "reader" },
        { "op": "copy", "from": "/role", "path": "/name" },
    ]);
    let reply = cast.jeton.call(&renamer, "PATCH", &path, Some(&operations.to_string())).await.expect(200);
    assert_eq!(reply.json()["name"], "reader");
}

/// How a patch fails tells what stands in a token: only those who may change it learn that, and to those who may not
/// even know of it there is no token.
#[tokio::test]
async fn a_failing_patch_tells_nothing_to_strangers() {
    let cast = Cast::gather().await;
    let secret = cast.rights_of(COLLEAGUE).await;
    let target = cast.shown(&secret).await;
    let path = format!("{TOKENS}/{}", target["_id"].as_str().unwrap());
    let right = json!({ "op": "test", "path": "/token", "value": target["token"] });
    let wrong = json!({ "op": "test", "path": "/token", "value": "????" });
    let change = json!({ "op": "replace", "path": "/name", "value": "x" });
    let impossible = json!({ "op": "remove", "path": "/inlineRole" });
    let mut told = Vec::new();
    for operations in [
        json!([]),
        json!([right]),
        json!([wrong]),
        json!([right, change]),
        json!([wrong, change]),
        json!([impossible]),
        json!([{ "op": "replace", "path": "/role", "value": "owner" }]),
    ] {
        let headers = [("authorization", cast.person(WRITER).secret.as_str()), ("x-request-id", "r1")];
        let reply = cast.jeton.send("PATCH", &path, &headers, operations.to_string()).await.expect(404);
        told.push(reply.text().to_owned());
    }
    let nobody = format!("{TOKENS}/0123456789abcdef01234567");
    let headers = [("authorization", cast.person(WRITER).secret.as_str()), ("x-request-id", "r1")];
    let nothing = cast.jeton.send("PATCH", &nobody, &headers, "[]").await.expect(404);
    assert!(told.iter().all(|text| text == nothing.text()), "{told:?}");

    // Who sees it but may not change it is denied, whether the patch could be applied or not.
    let (_, reader) = cast.caller("writer's reader token").await;
    let own = format!("{TOKENS}/{}", cast.jeton.token_of(&cast.rights_of(WRITER).await));
    for operations in [json!([change]), json!([wrong, change]), json!([impossible])] {
        cast.jeton.call(&reader, "PATCH", &own, Some(&operations.to_string())).await.expect(403);
    }
    // What a service token may do is fixed, for whoever may change its name; the others are denied.
    let machine = cast.made_by(ADMIN, &json!({ "role": "reader", "serviceToken": true })).await;
    let machine = format!("{TOKENS}/{}", cast.jeton.token_of(&machine));
    let widen = json!([{ "op": "replace", "path": "/role", "value": "admin" }]).to_string();
    let reply = cast.jeton.call(&cast.jeton.owner.secret, "PATCH", &machine, Some(&widen)).await.expect(400);
    let message = "The permissions of a service token cannot be changed: create another and delete this one";
    assert_eq!(reply.json()["message"], message);
    cast.jeton.call(&reader, "PATCH", &machine, Some(&widen)).await.expect(403);
}
