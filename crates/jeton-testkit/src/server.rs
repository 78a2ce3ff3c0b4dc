//! A whole server in the process, asked through its outer door.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use jeton_core::account::Account;
use jeton_core::change::{Actor, Change, Event, Proposal, Revision};
use jeton_core::digest::ServerKey;
use jeton_core::id::{AccountId, MemberId, RoleId, TokenId};
use jeton_core::limits::Limits;
use jeton_core::member::{Member, Standing};
use jeton_core::policy::{Policy, Statement};
use jeton_core::role::{BasePermissions, BaseRole, CustomRole};
use jeton_core::rule::{Founding, Mint};
use jeton_core::secret::SecretFormat;
use jeton_core::token::TokenKind;
use jeton_index::Index;
use jeton_server::http::{ConnectionLimits, ListenAddress, serve};
use jeton_server::{Apps, Settings};
use jeton_service::{Clock, Entropy, Service};
use jeton_store::{Outcome, Sqlite, Store};
use tower::ServiceExt;

use crate::{FakeClock, Lines, Reply, SeededEntropy, openapi, strict};

/// A whole server in the process. See the [crate documentation](crate) for what it checks when it is dropped.
pub struct Jeton {
    /// The clock that it goes by.
    pub clock: Arc<FakeClock>,
    /// The service behind the surfaces.
    pub service: Service,
    /// The store under it.
    pub store: Arc<dyn Store>,
    /// The account that was founded.
    pub account: AccountId,
    /// Its owner, and the owner's token.
    pub owner: Person,
    entropy: Arc<SeededEntropy>,
    pub(crate) apps: Apps,
    /// Every secret that was ever shown.
    shown: Mutex<HashSet<String>>,
}

/// A member with a token of their own rights.
#[derive(Clone, Debug)]
pub struct Person {
    /// The member's id.
    pub id: MemberId,
    /// The member's number.
    pub number: u32,
    /// A secret with the member's own rights.
    pub secret: String,
}

impl Jeton {
    /// A server with defaults, on a store in memory.
    pub async fn start() -> Self {
        Self::with(Settings::default(), Limits::default()).await
    }

    /// A server with these settings, on a store in memory.
    pub async fn with(settings: Settings, limits: Limits) -> Self {
        Self::on(Arc::new(Sqlite::in_memory().unwrap()), settings, limits).await
    }

    /// A server on this store, which must be empty.
    pub async fn on(store: Arc<dyn Store>, settings: Settings, limits: Limits) -> Self {
        let clock = Arc::new(FakeClock::default());
        let entropy = Arc::new(SeededEntropy::new(1));
        let (clock_port, entropy_port) = (Arc::clone(&clock), Arc::clone(&entropy));
        let service =
            Service::start(Arc::clone(&store), mint(), limits, clock_port, entropy_port, &mut |_, _| {})
                .await
                .unwrap();
        Self::around(service, store, clock, entropy, settings, None).await
    }

    /// A server around a service; the account is founded unless it was before.
    pub(crate) async fn around(
        service: Service,
        store: Arc<dyn Store>,
        clock: Arc<FakeClock>,
        entropy: Arc<SeededEntropy>,
        settings: Settings,
        founded: Option<(AccountId, Person)>,
    ) -> Self {
        let (account, owner) = match founded {
            Some(founded) => founded,
            None => found(&service).await,
        };
        let apps = jeton_server::apps(service.clone(), settings);
        let shown = Mutex::new(HashSet::from([owner.secret.clone()]));
        Self { clock, service, store, account, owner, entropy, apps, shown }
    }

    /// Sends a request with the caller's secret in `Authorization`, and a JSON body if there is one.
    pub async fn call(&self, secret: &str, method: &str, path: &str, body: Option<&str>) -> Reply {
        let mut headers = vec![("authorization", secret)];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        self.send(method, path, &headers, body.unwrap_or_default()).await
    }

    /// Sends a request just so.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Reply {
        self.exchange(request(method, path, headers, body.as_ref().to_vec())).await
    }

    /// Sends a request that a test made by itself: from an address, with a body that takes its time. Whatever comes
    /// back has to satisfy the strictest clients.
    pub async fn exchange(&self, request: Request<Body>) -> Reply {
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let routed_by = tunnelled(&request).unwrap_or_else(|| method.clone());
        let (parts, body) = self.open(request).await.into_parts();
        let body = if parts.headers.contains_key("x-accel-buffering") {
            // A stream has no end to wait for: what it begins with has to be an answer by itself.
            Lines::of(Response::new(body)).ready().await.join("\n").into_bytes()
        } else {
            body.collect().await.unwrap().to_bytes().to_vec()
        };
        let reply = Reply { status: parts.status, headers: parts.headers, body };
        strict::check(&method, &path, &reply);
        openapi::check(&routed_by, &path, &reply);
        self.note_secrets(&method, &path, &reply);
        reply
    }

    /// Sends a request, and leaves the body of the answer to the test.
    pub async fn open(&self, request: Request<Body>) -> Response<Body> {
        self.apps.http.clone().oneshot(request).await.unwrap()
    }

    /// Listens on this machine for clients that bring a connection of their own, until the runtime ends, and says where.
    pub async fn serve(&self) -> String {
        let listener = "127.0.0.1:0".parse::<ListenAddress>().unwrap().bind().await.unwrap();
        let address = format!("http://{}", listener.address());
        let limits = ConnectionLimits::default();
        tokio::spawn(serve(listener, self.apps.http.clone(), limits, std::future::pending()));
        address
    }

    /// Begins to read a stream. The answer has to be one.
    pub async fn listen(&self, secret: &str, path: &str) -> Lines {
        let request = request("GET", path, &[("authorization", secret)], Vec::new());
        let response = self.open(request).await;
        assert_eq!(response.status(), 200, "{path}");
        Lines::of(response)
    }

    /// Waits until every watcher has been offered every change that was committed. What they have been told is then a
    /// matter of reading it.
    pub fn settle(&self) {
        while self.service.published() < self.service.index().revision() {
            std::thread::yield_now();
        }
    }

    /// Adds a member with this base role, and a token of their own.
    pub async fn add_member(&self, number: u32, role: BaseRole) -> Person {
        self.add_member_to(self.account, number, role).await
    }

    /// Adds a member to any account.
    pub async fn add_member_to(&self, account: AccountId, number: u32, role: BaseRole) -> Person {
        let member = Member {
            id: MemberId::new(self.clock.now(), self.entropy.fresh().id),
            account,
            number,
            email: format!("member{number}@example.com"),
            name: format!("Member {number}"),
            family_name: String::new(),
            role,
            custom_roles: Vec::new(),
            standing: Standing::Active,
            password: None,
            created_at: self.clock.now(),
            revision: Revision::ZERO,
        };
        let (id, email) = (member.id, member.email.clone());
        self.commit(account, Event::MemberAdded { member }).await;
        let secret = self.service.recover(&email).await.unwrap().expect("the member exists");
        self.shown.lock().unwrap().insert(secret.expose().to_owned());
        Person { id, number, secret: secret.expose().to_owned() }
    }

    /// Founds a second account with an owner, for tests of the wall between.
    pub async fn add_account(&self) -> (AccountId, Person) {
        let id = AccountId::new(self.clock.now(), self.entropy.fresh().id);
        let account =
            Account { id, name: "other".to_owned(), created_at: self.clock.now(), revision: Revision::ZERO };
        self.commit(id, Event::AccountFounded { account }).await;
        (id, self.add_member_to(id, 2000, BaseRole::Owner).await)
    }

    /// Changes a member: role, standing, custom roles.
    pub async fn change_member(&self, id: MemberId, change: impl FnOnce(&mut Member)) {
        let before = self.service.index().directory().member(&id).expect("a member").as_ref().clone();
        let mut after = before.clone();
        change(&mut after);
        self.commit(before.account, Event::MemberChanged { before, after }).await;
    }

    /// Defines a custom role.
    pub async fn define_role(&self, key: &str, statements: Vec<Statement>) -> RoleId {
        let id = RoleId::new(self.clock.now(), self.entropy.fresh().id);
        let role = CustomRole {
            id,
            account: self.account,
            key: key.to_owned(),
            name: key.to_owned(),
            description: String::new(),
            base_permissions: BasePermissions::NoAccess,
            policy: Policy::new(statements).unwrap(),
            created_at: self.clock.now(),
            revision: Revision::ZERO,
        };
        self.commit(self.account, Event::RoleDefined { role }).await;
        id
    }

    /// The id of the token that has this secret.
    pub fn token_of(&self, secret: &str) -> TokenId {
        pollster::block_on(self.service.authenticate(secret)).expect("a good secret").caller().token
    }

    /// Every change since the beginning.
    pub async fn log(&self) -> Vec<Change> {
        self.store.changes(Revision::ZERO, usize::MAX >> 1).await.unwrap()
    }

    async fn commit(&self, account: AccountId, event: Event) {
        let at = self.clock.now();
        let proposal = Proposal { at, account, actor: Actor::System, event, expects: Vec::new() };
        let outcomes = self.service.commit_for_tests(vec![proposal]).await.unwrap();
        assert!(matches!(outcomes[..], [Outcome::Committed(_)]), "{outcomes:?}");
    }

    /// Keeps the secrets of the answers that may show one, and insists that no other shows any.
    fn note_secrets(&self, method: &str, path: &str, reply: &Reply) {
        let mut shown = self.shown.lock().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let fresh = (method == "POST" && reply.status.is_success())
            .then(|| json.get("plain_token").or(json.get("token")).and_then(|text| text.as_str()))
            .flatten();
        let text = String::from_utf8_lossy(&reply.body);
        assert!(!holds_any(&text, &shown), "{method} {path} repeats a secret: {reply:?}");
        // Four characters of a secret are no secret: that is what a tunnelled PATCH shows.
        shown.extend(fresh.filter(|text| text.len() > 4).map(str::to_owned));
    }

    /// The index that followed the changes equals one that is built anew.
    fn index_equals_rebuild(&self) {
        let rebuilt = pollster::block_on(self.service.rebuilt_index()).unwrap();
        assert_eq!(self.service.index().image(), rebuilt.image(), "the index differs from the store");
    }

    /// No secret was written down.
    fn no_secret_is_stored(&self) {
        let log = format!("{:?}", pollster::block_on(self.log()));
        assert!(!holds_any(&log, &self.shown.lock().unwrap()), "a secret stands in the change log");
    }

    /// The kind of a token, for tables.
    pub fn kind_of(&self, secret: &str) -> TokenKind {
        pollster::block_on(self.service.authenticate(secret)).expect("a good secret").caller().kind
    }
}

/// What secrets are made with.
pub(crate) fn mint() -> Mint {
    Mint { format: SecretFormat::new("jtn").unwrap(), key: ServerKey::new([7; 32].into()) }
}

/// Founds the account of an empty store, with its owner.
async fn found(service: &Service) -> (AccountId, Person) {
    let founding = Founding { owner_email: "owner@example.com".to_owned(), ..Founding::default() };
    let founded = service.found(founding).await.unwrap().expect("an empty store");
    let secret = founded.secret.expose().to_owned();
    (founded.account, Person { id: founded.owner, number: 1000, secret })
}

/// The method that a POST names in its header, where the path's dialect looks there.
fn tunnelled(request: &Request<Body>) -> Option<String> {
    let wanted = request.headers().get("x-http-method-override")?.to_str().ok()?.to_uppercase();
    let looked_at = request.method() == Method::POST && request.uri().path().starts_with("/api/v2");
    (looked_at && ["PATCH", "PUT", "DELETE"].contains(&wanted.as_str())).then_some(wanted)
}

/// Whether a text holds one of these secrets, which all begin alike and are of one length.
fn holds_any(text: &str, secrets: &HashSet<String>) -> bool {
    text.match_indices("jtn_").any(|(at, _)| text.get(at..at + 54).is_some_and(|word| secrets.contains(word)))
}

/// A request with these headers, in this order, each as often as it stands here.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::new(body.into());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
    *request.uri_mut() = path.parse().unwrap();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    request
}

/// Insists that the change log is dense, and that an index that follows it from the beginning, unless that was
/// forgotten, equals one that is built from the records.
pub fn check_store(store: &dyn Store) {
    let log = pollster::block_on(store.changes(Revision::ZERO, usize::MAX >> 1)).unwrap();
    let revisions: Vec<u64> = log.iter().map(|change| change.revision.number()).collect();
    let first = revisions.first().copied().unwrap_or(1);
    let dense: Vec<u64> = (first..first + log.len() as u64).collect();
    assert_eq!(revisions, dense, "the log has a gap");
    if first > 1 {
        return;
    }
    let followed = Index::with_capacity(0);
    for change in &log {
        followed.apply(change);
    }
    let mut built = Index::with_capacity(0);
    let head = pollster::block_on(store.snapshot(&mut |_| {}, &mut |record| built.load([record]))).unwrap();
    built.built(head.revision);
    assert_eq!(followed.image(), built.image(), "the log does not tell everything");
}

impl Drop for Jeton {
    fn drop(&mut self) {
        // A test that fails has its own report.
        if std::thread::panicking() {
            return;
        }
        self.index_equals_rebuild();
        check_store(&*self.store);
        self.no_secret_is_stored();
    }
}
