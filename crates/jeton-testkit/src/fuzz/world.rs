//! A server that stands ready from input to input, and what must hold for every request to it.
//!
//! One server answers many inputs, because starting one costs more than asking it. So that an input means the same
//! whenever it comes, what a request has changed is made anew for the next, time stands still, and there are no rates.
//! After some hundred changes the server is dropped, which makes the test kit look through all that it holds.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use envoy_types::ext_authz::v3::pb::{CheckRequest, CheckResponse};
use http_body_util::BodyExt as _;
use jeton_core::caller::Caller;
use jeton_core::id::{MemberId, RoleId};
use jeton_core::limits::Limits;
use jeton_core::policy::{Effect, Resource, Statement, action};
use jeton_core::role::BaseRole;
use jeton_server::Settings;
use jeton_server::http::rate_limit::RateLimit;
use jeton_server::verify::{RouteMap, VerifySettings};
use jeton_service::Session;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tonic::metadata::MetadataMap;
use tower::ServiceExt as _;

use super::draw::Draw;
use crate::{Jeton, Reply};

/// Changes after which a server is replaced.
const WORN: usize = 300;
/// A body beyond it is too large. Little, so that inputs get there.
const LONGEST_BODY: usize = 4000;
/// The bytes that a name may have. Little too.
const LONGEST_TEXT: usize = 200;

/// An id that nothing has.
const NOBODY: &str = "0123456789abcdef01234567";

/// A custom role's key.
pub(super) const ROLE: &str = "token-keeper";

static STANDING: Mutex<Option<World>> = Mutex::new(None);

/// Runs a check on the server that stands ready. One that a check failed on is never used again.
pub(super) fn with(check: impl FnOnce(&mut World)) {
    let standing = STANDING.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut world = standing.filter(World::is_good).unwrap_or_else(World::build);
    check(&mut world);
    *STANDING.lock().unwrap_or_else(PoisonError::into_inner) = Some(world);
}

/// Drops the server that stands ready, if there is one: a [`Jeton`] that is dropped looks through all that it holds.
pub fn settle() {
    STANDING.lock().unwrap_or_else(PoisonError::into_inner).take();
}

pub(super) struct World {
    jeton: Jeton,
    /// Long lists are written by tasks of their own.
    runtime: Runtime,
    role: RoleId,
    /// Secrets of all sorts of callers. The last is nobody's.
    callers: Vec<String>,
    gateway: String,
    /// The tokens that requests are about, by their number in [`TARGETS`], as far as they have been made.
    targets: [Option<Target>; TARGETS.len()],
    /// A good secret that clients send where none belongs. The test kit doesn't know it.
    stray: String,
    changes: usize,
}

/// A token that requests are about.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) id: String,
    /// The number of its owner.
    pub(super) owner: u32,
    /// Its secret; empty if there is no such token.
    pub(super) secret: String,
}

/// How to make each: by whom, among the callers, whose it is, and the body of the create, which goes to one dialect or
/// the other.
const TARGETS: [(usize, u32, &str); 6] = [
    (0, 1000, r#"{"role":"reader"}"#),
    (
        0,
        1000,
        r#"{"name":"n","description":"d","expiry":2000000000000,"defaultApiVersion":20160426,"inlineRole":[
            {"effect":"allow","resources":["proj/*"],"actions":["*"]},
            {"effect":"deny","notResources":["member/*:token/*"],"notActions":["update*"]}]}"#,
    ),
    (0, 1000, r#"{"customRoleIds":["token-keeper"],"name":"<b>"}"#),
    (0, 1000, r#"{"role":"writer","serviceToken":true}"#),
    (0, 1000, r#"{"description":"by Canvus"}"#),
    (2, 1002, r#"{"role":"writer"}"#),
];

/// A request on its way.
pub(super) struct Draft {
    /// The number of the caller.
    pub(super) caller: usize,
    /// The token that it is about.
    pub(super) target: Target,
    pub(super) method: &'static str,
    /// Path and query, with bytes that don't belong there.
    pub(super) uri: Vec<u8>,
    pub(super) headers: Vec<(&'static str, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl World {
    fn is_good(&self) -> bool {
        self.changes < WORN
    }

    fn build() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (jeton, role, callers, gateway, stray) = runtime.block_on(async {
            let none = RateLimit { requests: 0, window: Duration::ZERO };
            let settings = Settings {
                max_body_bytes: LONGEST_BODY,
                token_requests: none,
                failed_authentications: none,
                verify: VerifySettings { route_map: Some(route_map()), ..VerifySettings::default() },
                ..Settings::default()
            };
            let limits = Limits { text_bytes: LONGEST_TEXT, roles: 3, ..Limits::default() };
            let jeton = Jeton::with(settings, limits).await;
            let role = jeton.define_role(ROLE, keeper()).await;
            let admin = jeton.add_member(1001, BaseRole::Admin).await;
            let writer = jeton.add_member(1002, BaseRole::Writer).await;
            let keeper = jeton.add_member(1003, BaseRole::Reader).await;
            jeton.change_member(keeper.id, |member| member.custom_roles = vec![role]).await;
            let stray = jeton.service.recover("owner@example.com").await.unwrap().unwrap();
            let owner = jeton.owner.secret.clone();
            let mut callers = vec![owner.clone(), admin.secret, writer.secret, keeper.secret];
            for body in [
                json!({ "role": "admin", "serviceToken": true }),
                json!({ "inlineRole": [{ "effect": "allow", "resources": ["member/*:token/*"], "actions": ["*"] }] }),
                json!({ "role": "reader" }),
            ] {
                let made = jeton.call(&owner, "POST", "/api/v2/tokens", Some(&body.to_string())).await;
                callers.push(made.expect(201).string("token"));
            }
            callers.push("nobody".to_owned());
            let body = r#"{"serviceToken":true,"role":"reader"}"#;
            let gateway = jeton.call(&owner, "POST", "/api/v2/tokens", Some(body)).await;
            let gateway = gateway.expect(201).string("token");
            (jeton, role, callers, gateway, stray.expose().to_owned())
        });
        Self { jeton, runtime, role, callers, gateway, targets: Default::default(), stray, changes: 0 }
    }

    /// The secret of a caller, by number; after the last comes a service that may do nothing but ask about others.
    pub(super) fn caller(&self, number: usize) -> &str {
        self.callers.get(number).unwrap_or(&self.gateway)
    }

    /// Who has this very text for a secret.
    pub(super) fn session(&self, text: &str) -> Option<Session> {
        pollster::block_on(self.jeton.service.authenticate(text)).ok()
    }

    /// Asks something that changes nothing.
    pub(super) fn ask(&self, request: Request<Body>) -> Reply {
        let before = self.revision();
        let reply = self.runtime.block_on(self.jeton.exchange(request));
        assert!(reply.status.as_u16() < 500, "{reply:?}");
        assert_eq!(self.revision(), before, "a question changes something: {reply:?}");
        reply
    }

    /// Asks as Envoy does.
    pub(super) fn check(&self, from: IpAddr, metadata: MetadataMap, question: CheckRequest) -> CheckResponse {
        let before = self.revision();
        let answer = self.runtime.block_on(self.jeton.check_from(from, metadata, question));
        assert_eq!(self.revision(), before, "a question changes something: {answer:?}");
        answer
    }

    /// Sends anything to where Envoy asks: the status of HTTP, and the message.
    pub(super) fn ask_over_grpc(&self, request: Request<Body>) -> (u16, Vec<u8>) {
        let answered = async {
            let response = self.jeton.apps.grpc.clone().oneshot(request).await.unwrap();
            let (head, body) = response.into_parts();
            (head.status.as_u16(), body.collect().await.unwrap().to_bytes().to_vec())
        };
        let before = self.revision();
        let answer = self.runtime.block_on(answered);
        assert_eq!(self.revision(), before, "a question changes something: {answer:?}");
        answer
    }

    /// Draws a caller and a token that the request is to be about, sometimes one that does not exist.
    pub(super) fn cast(&mut self, draw: &mut Draw<'_>) -> (usize, Target) {
        let caller = draw.number(0..=u8::try_from(self.callers.len() - 1).unwrap());
        let number = draw.number(0..=u8::try_from(TARGETS.len()).unwrap());
        (caller, self.target(number))
    }

    fn target(&mut self, number: usize) -> Target {
        let Some((caller, owner, body)) = TARGETS.get(number) else {
            return Target { id: NOBODY.to_owned(), owner: 1000, secret: String::new() };
        };
        if let Some(target) = &self.targets[number] {
            return target.clone();
        }
        let canvus = body.contains("Canvus");
        let path = if canvus { "/api/v1/users/1000/access-tokens" } else { "/api/v2/tokens" };
        let made = self.jeton.call(&self.callers[*caller], "POST", path, Some(body));
        let made = self.runtime.block_on(made).expect(if canvus { 200 } else { 201 });
        self.changes += 1;
        let (id, secret) = if canvus { ("id", "plain_token") } else { ("_id", "token") };
        let target = Target { id: made.string(id), owner: *owner, secret: made.string(secret) };
        self.targets[number] = Some(target.clone());
        target
    }

    /// Sends a request and looks at the answer. `None` if no HTTP library would let the request through.
    pub(super) fn send(&mut self, draft: &Draft) -> Option<Reply> {
        let request = self.request(draft)?;
        let (method, uri) = (draft.method, request.uri().clone());
        let before = self.revision();
        let reply = self.runtime.block_on(self.jeton.exchange(request));
        let status = reply.status.as_u16();
        assert!(status < 500, "{method} {uri}: {reply:?}");
        if status < 400 {
            let changes = self.revision() - before;
            assert!(changes <= 1, "{method} {uri} made {changes} changes: {reply:?}");
            if changes > 0 {
                self.changes += 1;
                self.targets = Default::default();
            }
        } else {
            assert_eq!(self.revision(), before, "{method} {uri} changes something: {reply:?}");
            assert!(
                method == "HEAD" || !reply.body.is_empty(),
                "{method} {uri} fails without a word: {reply:?}"
            );
            assert!(
                !format!("{reply:?}").contains(&self.stray),
                "{method} {uri} repeats a secret: {reply:?}"
            );
        }
        Some(reply)
    }

    fn revision(&self) -> u64 {
        self.jeton.service.index().revision().number()
    }

    fn request(&self, draft: &Draft) -> Option<Request<Body>> {
        let mut request = Request::new(Body::from(self.filled(&draft.body, draft)));
        *request.method_mut() = Method::from_bytes(draft.method.as_bytes()).unwrap();
        *request.uri_mut() = Uri::try_from(escaped(&self.filled(&draft.uri, draft))).ok()?;
        for (name, value) in &draft.headers {
            let value = HeaderValue::from_bytes(value).ok()?;
            // The test kit wants to read headers as text.
            value.to_str().ok()?;
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        let secret = HeaderValue::from_str(&self.callers[draft.caller]).unwrap();
        request.headers_mut().append("private-token", secret);
        Some(request)
    }

    /// The text with what is known only now in place of the marks for it.
    fn filled(&self, text: &[u8], draft: &Draft) -> Vec<u8> {
        let soon = (self.jeton.service.now().as_millis() + 1000).to_string();
        let role = self.role.to_string();
        let marks =
            [("<id>", &draft.target.id), ("<role>", &role), ("<soon>", &soon), ("<secret>", &self.stray)];
        let mut filled = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(byte) = rest.first() {
            if let Some((mark, value)) = marks.iter().find(|(mark, _)| rest.starts_with(mark.as_bytes())) {
                filled.extend(value.bytes());
                rest = &rest[mark.len()..];
            } else {
                filled.push(*byte);
                rest = &rest[1..];
            }
        }
        filled
    }

    /// What the owner is shown at a path.
    pub(super) fn shown(&self, path: &str) -> Value {
        let reply = self.jeton.call(&self.callers[0], "GET", path, None);
        self.runtime.block_on(reply).expect(200).json()
    }

    /// Whether a secret is good for anything.
    pub(super) fn is_good_secret(&self, secret: &str) -> bool {
        pollster::block_on(self.jeton.service.authenticate(secret)).is_ok()
    }

    /// What the token with this secret may do, if there is one.
    pub(super) fn powers(&self, secret: &str) -> Option<Powers> {
        let session = pollster::block_on(self.jeton.service.authenticate(secret)).ok()?;
        Some(self.powers_of(session.caller(), session.caller().member.id))
    }

    /// Insists that a token may nothing but what the caller may, or what it could before.
    pub(super) fn assert_no_stronger(&self, caller: usize, secret: &str, before: Option<Powers>) {
        let session = |secret: &str| {
            pollster::block_on(self.jeton.service.authenticate(secret)).expect("a good secret")
        };
        let (maker, made) = (session(&self.callers[caller]), session(secret));
        let (maker, made) = (maker.caller(), made.caller());
        let bounds = [before, Some(self.powers_of(maker, made.member.id))];
        let allowed = |at: usize| bounds.iter().flatten().any(|powers| powers.0[at]);
        for (at, has) in self.powers_of(made, made.member.id).0.iter().enumerate() {
            assert!(!has || allowed(at), "{maker:?} has made {made:?}, which may more (question {at})");
        }
    }

    fn powers_of(&self, caller: &Caller, own: MemberId) -> Powers {
        let (own, other) = (own.to_string(), NOBODY);
        let somebody = self.jeton.owner.id.to_string();
        let resources = [
            Resource::token(&own, other),
            Resource::token(&somebody, other),
            Resource::token(other, other),
            Resource::service_token(other),
            Resource::member(&own),
            Resource::role(ROLE),
            Resource::parse("acct").unwrap(),
            Resource::parse("proj/p").unwrap(),
            Resource::parse("proj/p:env/production:flag/f").unwrap(),
        ];
        let about = |resource| ACTIONS.iter().map(move |action| caller.may(action, resource));
        Powers(resources.into_iter().flat_map(about).chain([caller.is_administrator()]).collect())
    }
}

/// The answers to a row of questions: may it do this to that? The last is whether it is an administrator's.
pub(super) struct Powers(Vec<bool>);

const ACTIONS: [&str; 7] = [
    action::CREATE_ACCESS_TOKEN,
    action::UPDATE_ACCESS_TOKEN_NAME,
    action::UPDATE_ACCESS_TOKEN_POLICY,
    action::RESET_ACCESS_TOKEN,
    action::DELETE_ACCESS_TOKEN,
    "viewProject",
    "updateOn",
];

/// The route map of the server, which gateways' questions go by.
pub(super) fn route_map() -> Arc<RouteMap> {
    Arc::new(RouteMap::parse(ROUTES).unwrap())
}

const ROUTES: &str = r#"
    [[route]]
    path = "/open/{*rest}"
    open = true
    [[route]]
    path = "/me"
    [[route]]
    method = ["GET", "HEAD"]
    path = "/projects/{project}"
    action = "viewProject"
    resource = "proj/{project}"
    [[route]]
    path = "/projects/{project}"
    action = "updateProject"
    resource = "proj/{project}"
"#;

/// Somebody who keeps their own tokens and no others.
fn keeper() -> Vec<Statement> {
    let statement = |effect, resource: &str, action: &str| Statement {
        effect,
        resources: vec![resource.to_owned()],
        not_resources: vec![],
        actions: vec![action.to_owned()],
        not_actions: vec![],
    };
    vec![
        statement(Effect::Allow, "member/*:token/*", "*"),
        statement(Effect::Allow, "service-token/*", action::CREATE_ACCESS_TOKEN),
        statement(Effect::Deny, "member/*:token/*", action::UPDATE_ACCESS_TOKEN_DESCRIPTION),
    ]
}

/// Bytes that no URI has, written as clients write them. A percent sign stays: wrong escapes are to be tried too.
pub(super) fn escaped(text: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !br##""#<>\^`{|}"##.contains(&byte);
    text.iter()
        .map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
