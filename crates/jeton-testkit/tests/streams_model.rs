//! Random writers against random readers, who connect, nibble, stall, go away and come back. What each reader was told is
//! compared with the change log, which knows what there was to tell. Of each thing the beginning of a stream tells the
//! state at some revision, and its lines everything that follows, without a gap, once, and in order over all things.
//!
//! `JETON_STREAM_MINUTES` makes it go on with other seeds for so long; `scripts/soak` sets it.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jeton_core::change::{Change, Event};
use jeton_core::id::{MemberId, TokenId};
use jeton_core::member::{Member, Standing};
use jeton_core::role::BaseRole;
use jeton_core::token::{Token, TokenKind};
use jeton_testkit::{Jeton, Lines, Person};
use serde_json::{Value, json};

/// Throws of dice that come from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len())) }
    }
}

/// What a stream shows.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Subject {
    Tokens(u32, MemberId),
    Token(u32, MemberId, TokenId),
    Users,
    User(u32),
    /// The changes after a revision.
    Changes(u64),
}

impl Subject {
    fn path(self) -> String {
        match self {
            Self::Tokens(number, _) => format!("/api/v1/users/{number}/access-tokens?subscribe"),
            Self::Token(number, _, id) => format!("/api/v1/users/{number}/access-tokens/{id}?subscribe"),
            Self::Users => "/api/v1/users?subscribe".to_owned(),
            Self::User(number) => format!("/api/v1/users/{number}?subscribe"),
            Self::Changes(after) => format!("/changes?after={after}"),
        }
    }

    /// What a change means to a reader: which thing it is about, how that is then, and whether it is gone.
    fn told(self, change: &Change) -> Option<(String, Value)> {
        match self {
            Self::Tokens(_, member) => token_of(change, |token| token.owner == member),
            Self::Token(_, member, id) => token_of(change, |token| token.owner == member && token.id == id),
            Self::Users => member_of(change).map(told_of),
            Self::User(number) => member_of(change).filter(|member| member.number == number).map(told_of),
            Self::Changes(after) => (change.revision.number() > after)
                .then(|| (String::new(), json!([change.revision.number(), change.event.name()]))),
        }
    }
}

fn token_of(change: &Change, concerns: impl Fn(&Token) -> bool) -> Option<(String, Value)> {
    let (token, state) = match &change.event {
        Event::TokenIssued { token }
        | Event::TokenChanged { after: token, .. }
        | Event::TokenRotated { after: token, .. } => (token, "normal"),
        Event::TokenRevoked { token } => (token, "deleted"),
        _ => return None,
    };
    let of_interest = token.kind == TokenKind::Personal && concerns(token);
    of_interest.then(|| (token.id.to_string(), json!([token.id.to_string(), token.name, state])))
}

fn member_of(change: &Change) -> Option<&Member> {
    match &change.event {
        Event::MemberAdded { member } | Event::MemberChanged { after: member, .. } => Some(member),
        _ => None,
    }
}

fn told_of(member: &Member) -> (String, Value) {
    let state = if member.standing == Standing::Removed { "deleted" } else { "normal" };
    let shown = json!([
        member.number,
        member.full_name(),
        member.standing == Standing::Blocked,
        member.custom_roles.is_empty() && member.role.is_administrator(),
        state,
    ]);
    (member.number.to_string(), shown)
}

/// Somebody who reads a stream.
struct Reader {
    subject: Subject,
    secret: String,
    lines: Lines,
    begun: bool,
    picture: Vec<Value>,
    told: Vec<Value>,
}

impl Reader {
    async fn connect(jeton: &Jeton, subject: Subject, secret: &str) -> Option<Self> {
        let path = subject.path();
        let request = jeton_testkit::request("GET", &path, &[("authorization", secret)], Vec::new());
        let response = jeton.open(request).await;
        let lines = response.status().is_success().then(|| Lines::of(response))?;
        let secret = secret.to_owned();
        Some(Self { subject, secret, lines, begun: false, picture: Vec::new(), told: Vec::new() })
    }

    fn take(&mut self, line: &Value) {
        if let Subject::Changes(_) = self.subject {
            if line["kind"] != "keep-alive" {
                self.told.push(json!([line["revision"], line["kind"]]));
            }
            return;
        }
        let items = match line {
            Value::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        let items = items.iter().map(|item| shown(item, !self.begun));
        if self.begun {
            self.told.extend(items);
        } else {
            self.picture.extend(items);
        }
        self.begun = true;
    }

    async fn look(&mut self) {
        for line in self.lines.ready_news().await {
            self.take(&line);
        }
    }

    /// The revision of the last change that was told.
    fn last_revision(&self) -> Option<u64> {
        self.told.last()?[0].as_u64()
    }

    /// Compares what was told with the log. A stream that goes on has told everything; one that has ended may have
    /// stopped anywhere.
    fn check(&self, log: &[Change]) {
        let all: Vec<(String, Value)> = log.iter().filter_map(|change| self.subject.told(change)).collect();
        let ended = self.lines.end().is_some();
        if !self.begun && !matches!(self.subject, Subject::Changes(_)) {
            assert!(ended, "{:?} has not even begun", self.subject);
            return;
        }
        if let Subject::Changes(_) = self.subject {
            let all: Vec<_> = all.into_iter().map(|(_, item)| item).collect();
            let told = self.told.len();
            assert!(
                all.starts_with(&self.told) && (ended || told == all.len()),
                "{:?} of {all:?}",
                self.told
            );
            return;
        }
        let told: Vec<_> = self.told.iter().filter(|item| !self.is_owners_end(item, &all)).collect();
        let mut in_order = all.iter();
        let ordered = told.iter().all(|item| in_order.any(|(_, next)| *next == **item));
        assert!(ordered, "{:?} was told {told:?} of {all:?}", self.subject);
        let mut things: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for (id, item) in &all {
            things.entry(id).or_default().push(item);
        }
        for (id, items) in things {
            let mut picture = self.picture.iter().filter(|item| id_of(item) == id);
            let (first, told) = (picture.next(), told.iter().filter(|item| id_of(item) == id));
            let told: Vec<_> = told.copied().collect();
            assert_eq!(picture.next(), None, "{id} is there twice");
            // Up to somewhere the beginning has it; from there on every line has to be there.
            let fits = (0..=items.len()).any(|from| {
                let was = from.checked_sub(1).map(|last| items[last]).filter(|item| !is_gone(item));
                was == first
                    && items[from..].starts_with(&told)
                    && (ended || told.len() == items.len() - from)
            });
            assert!(fits, "{:?}: {id} was told as {first:?}, then {told:?}, of {items:?}", self.subject);
        }
    }

    /// What becomes of the only token of interest when its owner is removed is in no log: it is told as deleted.
    fn is_owners_end(&self, item: &Value, all: &[(String, Value)]) -> bool {
        matches!(self.subject, Subject::Token(..))
            && is_gone(item)
            && self.lines.end().is_some()
            && !all.iter().any(|(_, logged)| logged == item)
    }
}

/// The id of a thing, as the log is grouped by.
fn id_of(item: &Value) -> String {
    item[0].as_str().map_or_else(|| item[0].to_string(), str::to_owned)
}

fn is_gone(item: &Value) -> bool {
    item.as_array().and_then(|fields| fields.last()) == Some(&json!("deleted"))
}

/// The parts of a line's item that are compared.
fn shown(item: &Value, at_first: bool) -> Value {
    let state = item.get("state").cloned().unwrap_or(json!("normal"));
    if item.get("email").is_some() {
        return json!([item["id"], item["name"], item["blocked"], item["admin"], state]);
    }
    assert!(at_first == item.get("state").is_none(), "{item}");
    json!([item["id"], item["description"], state])
}

/// Writers and readers of one seed.
struct World {
    jeton: Jeton,
    dice: Dice,
    people: Vec<Person>,
    readers: Vec<Reader>,
    /// Something happened since the readers looked that may end streams.
    narrowed: bool,
    checked: usize,
}

impl World {
    async fn new(seed: u64) -> Self {
        let jeton = Jeton::start().await;
        let mut people = vec![jeton.owner.clone()];
        for number in 1001..1004 {
            people.push(jeton.add_member(number, BaseRole::Admin).await);
        }
        let mut world =
            Self { jeton, dice: Dice(seed), people, readers: Vec::new(), narrowed: false, checked: 0 };
        // Lists of several pieces, so that streams are told their beginning while others write.
        for _ in 0..60 {
            world.issue().await;
        }
        world
    }

    async fn step(&mut self) {
        match self.dice.below(40) {
            0..=7 => self.issue().await,
            8..=13 => self.rename().await,
            14 | 15 => self.reset().await,
            16..=18 => self.revoke().await,
            19 => self.change_person().await,
            20 => self.define_role().await,
            21 => self.expire(),
            22..=27 => self.connect().await,
            28..=34 => self.nibble().await,
            35 | 36 => self.go_away().await,
            _ => self.look().await,
        }
    }

    /// A caller who may do everything: the readers' own secrets come and go.
    async fn call(&self, method: &str, path: &str, body: Option<Value>) {
        let body = body.map(|body| body.to_string());
        self.jeton.call(&self.jeton.owner.secret, method, path, body.as_deref()).await;
    }

    async fn issue(&mut self) {
        let name = format!("t{}", self.dice.below(1000));
        if self.dice.below(8) == 0 {
            let body = json!({ "name": name, "serviceToken": true, "role": "reader" });
            return self.call("POST", "/api/v2/tokens", Some(body)).await;
        }
        let number = self.dice.one_of(&self.people).unwrap().number;
        let body = json!({ "description": name });
        self.call("POST", &format!("/api/v1/users/{number}/access-tokens"), Some(body)).await;
    }

    /// A personal token that exists, by its owner's number and its id.
    async fn some_token(&mut self) -> Option<(u32, MemberId, TokenId)> {
        let person = self.dice.one_of(&self.people).unwrap().clone();
        let path = format!("/api/v1/users/{}/access-tokens", person.number);
        let list = self.jeton.call(&self.jeton.owner.secret, "GET", &path, None).await.json();
        let ids: Vec<_> = list.as_array()?.iter().map(|item| item["id"].as_str().unwrap()).collect();
        let id = TokenId::parse(self.dice.one_of(&ids)?).unwrap();
        Some((person.number, person.id, id))
    }

    async fn rename(&mut self) {
        let Some((number, _, id)) = self.some_token().await else { return };
        let body = json!({ "description": format!("n{}", self.dice.below(1000)) });
        self.call("PATCH", &format!("/api/v1/users/{number}/access-tokens/{id}"), Some(body)).await;
    }

    async fn reset(&mut self) {
        let Some((_, _, id)) = self.some_token().await else { return };
        self.narrowed = true;
        let ends_at = self.jeton.service.now().as_millis() + 5000;
        self.call("POST", &format!("/api/v2/tokens/{id}/reset?expiry={ends_at}"), None).await;
    }

    async fn revoke(&mut self) {
        let Some((number, _, id)) = self.some_token().await else { return };
        if id == self.jeton.token_of(&self.jeton.owner.secret) {
            return;
        }
        self.narrowed = true;
        self.call("DELETE", &format!("/api/v1/users/{number}/access-tokens/{id}"), None).await;
    }

    /// Somebody other than the owner is blocked, unblocked, demoted, promoted, renamed, removed or added.
    async fn change_person(&mut self) {
        let Some(person) = self.dice.one_of(&self.people[1..]).cloned() else { return self.add().await };
        let path = format!("/api/v1/users/{}", person.number);
        self.narrowed = true;
        match self.dice.below(8) {
            0 => self.call("POST", &format!("{path}/block"), Some(json!({}))).await,
            1 | 2 => self.call("POST", &format!("{path}/unblock"), Some(json!({}))).await,
            3 => self.call("PATCH", &path, Some(json!({ "admin": false }))).await,
            4 => self.call("PATCH", &path, Some(json!({ "admin": true }))).await,
            5 => self.call("PATCH", &path, Some(json!({ "name": format!("N{}", self.dice.0 % 100) }))).await,
            6 => {
                self.call("DELETE", &path, None).await;
                self.people.retain(|other| other.id != person.id);
            }
            _ => self.add().await,
        }
    }

    async fn add(&mut self) {
        let next = 1001 + u32::try_from(self.jeton.log().await.iter().filter_map(member_of).count()).unwrap();
        let role = if self.dice.below(2) == 0 { BaseRole::Admin } else { BaseRole::Writer };
        let person = self.jeton.add_member(next, role).await;
        self.people.push(person);
    }

    async fn define_role(&mut self) {
        let key = format!("r{}", self.dice.below(3));
        let body = json!({ "key": key, "name": "R", "policy": [] });
        self.call("POST", "/api/v2/roles", Some(body)).await;
        if self.dice.below(2) == 0 {
            self.call("DELETE", &format!("/api/v2/roles/{key}"), None).await;
        }
    }

    fn expire(&mut self) {
        self.narrowed = true;
        self.jeton.clock.advance(Duration::from_secs(self.dice.below(4) as u64));
    }

    async fn connect(&mut self) {
        let reader = self.dice.one_of(&self.people).unwrap().secret.clone();
        let target = self.dice.one_of(&self.people).unwrap().clone();
        let subject = match self.dice.below(10) {
            0..=3 => Subject::Tokens(target.number, target.id),
            4 | 5 => match self.some_token().await {
                Some((number, owner, id)) => Subject::Token(number, owner, id),
                None => return,
            },
            6 => Subject::Users,
            7 => Subject::User(target.number),
            _ => Subject::Changes(self.dice.below(self.jeton.log().await.len()) as u64),
        };
        // Others see less of the changes than the log has.
        let everything = matches!(subject, Subject::Changes(_));
        let secret = if everything { self.jeton.owner.secret.clone() } else { reader };
        self.readers.extend(Reader::connect(&self.jeton, subject, &secret).await);
    }

    /// Somebody reads a piece of what there is.
    async fn nibble(&mut self) {
        if let Some(at) = (!self.readers.is_empty()).then(|| self.dice.below(self.readers.len())) {
            self.readers[at].lines.nibble().await;
        }
    }

    /// Somebody goes away, and who followed the changes comes back later where they were.
    async fn go_away(&mut self) {
        let Some(at) = (!self.readers.is_empty()).then(|| self.dice.below(self.readers.len())) else {
            return;
        };
        let mut reader = self.readers.swap_remove(at);
        if let Subject::Changes(_) = reader.subject {
            reader.look().await;
            let again = reader.last_revision().map_or(reader.subject, Subject::Changes);
            let secret = self.jeton.owner.secret.clone();
            self.readers.extend(Reader::connect(&self.jeton, again, &secret).await);
        }
    }

    /// Everybody looks, and what they were told is compared with the log and with what the server answers now.
    async fn look(&mut self) {
        self.jeton.settle();
        let log = self.jeton.log().await;
        for mut reader in std::mem::take(&mut self.readers) {
            // Whoever has outlived their secret's time is told so by a timer, which does not go by this clock.
            reader.look().await;
            reader.check(&log);
            self.checked += 1;
            let path = reader.subject.path().replace("?subscribe", "");
            let plain = if path.starts_with("/changes") { "/api/v2/caller-identity" } else { &path };
            let allowed = self.jeton.call(&reader.secret, "GET", plain, None).await.status.is_success();
            let open = reader.lines.end().is_none();
            let expired = self.narrowed && self.jeton.service.authenticate(&reader.secret).await.is_err();
            assert!(allowed || !open || expired, "{path} goes on though its reader may not see it");
            assert!(open || !allowed || self.narrowed, "{path} ended for no reason");
            if open && allowed {
                self.readers.push(reader);
            }
        }
        self.narrowed = false;
    }
}

async fn run(seed: u64, steps: usize) -> usize {
    let mut world = World::new(seed).await;
    for _ in 0..steps {
        world.step().await;
    }
    world.look().await;
    world.checked
}

#[tokio::test]
async fn every_reader_is_told_everything_once_and_in_order() {
    let mut checked = 0;
    for seed in 1..=8 {
        checked += run(seed, 400).await;
    }
    assert!(checked > 300, "{checked} looks of readers are few");
    let Ok(minutes) = std::env::var("JETON_STREAM_MINUTES") else { return };
    let until = Instant::now() + Duration::from_mins(minutes.parse().unwrap());
    let mut seed = 1000;
    while Instant::now() < until {
        checked += run(seed, 2000).await;
        seed += 1;
    }
    println!("{} seeds, {checked} looks of readers", seed - 1000);
}

/// Writers and readers on threads of their own, so that snapshots are taken in the middle of everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_between_threads() {
    let jeton = Arc::new(Jeton::start().await);
    let lists = 3;
    let mut people = vec![jeton.owner.clone()];
    for number in 1001..1000 + lists {
        people.push(jeton.add_member(number, BaseRole::Writer).await);
    }
    let writers: Vec<_> =
        (0..6).map(|writer| tokio::spawn(write(Arc::clone(&jeton), people.clone(), writer))).collect();
    let readers: Vec<_> =
        (0..12).map(|reader| tokio::spawn(read(Arc::clone(&jeton), people.clone(), reader))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    // What tells every reader that nothing more will come.
    for person in &people {
        let path = format!("/api/v1/users/{}/access-tokens", person.number);
        jeton
            .call(&jeton.owner.secret, "POST", &path, Some(r#"{"description":"the end"}"#))
            .await
            .expect(200);
    }
    rename_user(&jeton, people[0].number, "the end").await;
    let log = jeton.log().await;
    for reader in readers {
        for stream in reader.await.unwrap() {
            stream.check(&log);
        }
    }
}

async fn write(jeton: Arc<Jeton>, people: Vec<Person>, seed: u64) {
    let mut dice = Dice(seed);
    let mut mine: Vec<(u32, String)> = Vec::new();
    for _ in 0..250 {
        let number = dice.one_of(&people).unwrap().number;
        match (dice.below(5), dice.one_of(&mine).cloned()) {
            (4, _) => rename_user(&jeton, number, &dice.below(1000).to_string()).await,
            (0, Some((number, id))) => {
                let path = format!("/api/v1/users/{number}/access-tokens/{id}");
                let body = json!({ "description": dice.below(1000).to_string() }).to_string();
                jeton.call(&jeton.owner.secret, "PATCH", &path, Some(&body)).await.expect(200);
            }
            (1, Some((number, id))) => {
                let path = format!("/api/v1/users/{number}/access-tokens/{id}");
                jeton.call(&jeton.owner.secret, "DELETE", &path, None).await.expect(200);
                mine.retain(|(_, other)| *other != id);
            }
            _ => {
                let path = format!("/api/v1/users/{number}/access-tokens");
                let made =
                    jeton.call(&jeton.owner.secret, "POST", &path, Some(r#"{"description":"d"}"#)).await;
                mine.push((number, made.expect(200).string("id")));
            }
        }
    }
}

/// Connects again and again, reads for a while, and stays with the last stream until the end. Gives back every stream that
/// saw the end; of the others is known only how they began.
async fn read(jeton: Arc<Jeton>, people: Vec<Person>, seed: u64) -> Vec<Reader> {
    let mut dice = Dice(100 + seed);
    let mut kept = Vec::new();
    for round in 0..12 {
        let person = dice.one_of(&people).unwrap();
        let users = dice.below(3) == 0;
        let subject = if users { Subject::Users } else { Subject::Tokens(person.number, person.id) };
        let mut reader = Reader::connect(&jeton, subject, &jeton.owner.secret).await.unwrap();
        if round % 4 == 3 {
            kept.push(reader);
            continue;
        }
        for _ in 0..dice.below(6) {
            let line = reader.lines.news().await.unwrap();
            reader.take(&line);
            if is_the_end(&line) {
                kept.push(reader);
                break;
            }
        }
    }
    // Those that stood still meanwhile have it all to read.
    for reader in &mut kept {
        while !reader.told.iter().chain(&reader.picture).any(|item| item[1] == "the end") {
            let line = reader.lines.news().await.unwrap();
            reader.take(&line);
        }
    }
    kept
}

async fn rename_user(jeton: &Jeton, number: u32, name: &str) {
    let (path, body) = (format!("/api/v1/users/{number}"), json!({ "name": name }).to_string());
    jeton.call(&jeton.owner.secret, "PATCH", &path, Some(&body)).await.expect(200);
}

fn is_the_end(line: &Value) -> bool {
    line.as_array()
        .into_iter()
        .flatten()
        .any(|item| [&item["description"], &item["name"]].contains(&&json!("the end")))
}
