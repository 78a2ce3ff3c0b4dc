//! Those who ask: they make, reset, revoke and verify tokens at random nodes, and write down what they were told.
//!
//! A write that is not answered, or with a failure, is in doubt for ever: it may yet happen. So a token whose reset is in doubt
//! is reset by nobody any more, because nobody knows its secret. A revocation in doubt is asked for again.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use jeton_testkit::history::{
    Grace, History, Outcome, Recorder, SecretNumber, TokenNumber, Verdict, Write, Writing,
};
use serde_json::{Value, json};

use crate::bell::Bell;
use crate::dice::Dice;
use crate::installation::{Installation, OWNER};
use crate::support::http::{Connection, Reply};

const TOKENS: &str = "/api/v2/tokens";
/// Longer than any fault, so that a node that was stopped is heard when it wakes up.
const PATIENCE: Duration = Duration::from_secs(4);
/// What a secret's end may be late by: the database's clock is told in whole milliseconds, and so is a node's.
const ROUNDED: Duration = Duration::from_millis(5);
/// What it may be early by. Nodes count the way from the database as time that has passed, and a process that is stopped
/// makes it long.
const EARLY: Duration = Duration::from_secs(3);
/// How many of the newest tokens and secrets are asked about most.
const NEWEST: usize = 40;

/// What all clients know together.
pub(crate) struct World<'i> {
    installation: &'i Installation,
    recorder: Recorder,
    tokens: Mutex<Vec<Token>>,
    secrets: Mutex<Vec<(SecretNumber, String)>>,
    numbers: AtomicU64,
    /// Who said what about which secret, when: for the story of a violation.
    told: Mutex<Vec<Told>>,
    /// Answers that there must not be, whatever befalls.
    surprises: Mutex<Vec<String>>,
    counts: Mutex<BTreeMap<String, usize>>,
}

#[derive(Clone)]
struct Token {
    number: TokenNumber,
    id: String,
    secret: SecretNumber,
    /// Somebody resets it, or it is not known any more what came of that.
    in_reset: bool,
    /// Until then a reset would end a secret that is in its grace.
    until: Instant,
    /// How many revocations were begun, and how many of them are under way.
    revocations: usize,
    revoking: usize,
    is_revoked: bool,
}

/// A node's answer to a verification, and when it had come, in nanoseconds.
#[derive(Clone)]
pub(crate) struct Told {
    secret: SecretNumber,
    node: usize,
    verdict: Verdict,
    at: u128,
}

impl Display for Told {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12} ns  node {}  {:?}", self.at, self.node, self.verdict)
    }
}

impl<'i> World<'i> {
    pub(crate) fn new(installation: &'i Installation) -> Self {
        Self {
            installation,
            recorder: Recorder::default(),
            tokens: Mutex::default(),
            secrets: Mutex::default(),
            numbers: AtomicU64::new(1),
            told: Mutex::default(),
            surprises: Mutex::default(),
            counts: Mutex::default(),
        }
    }

    pub(crate) fn history(&self) -> History {
        self.recorder.history()
    }

    pub(crate) fn surprises(&self) -> Vec<String> {
        self.surprises.lock().unwrap().clone()
    }

    /// What was asked for and how it was answered, each so many times.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        self.counts.lock().unwrap().clone()
    }

    pub(crate) fn told_about(&self, secret: SecretNumber) -> Vec<Told> {
        self.told.lock().unwrap().iter().filter(|told| told.secret == secret).cloned().collect()
    }

    fn next(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    fn count(&self, what: &str, answer: &str) {
        *self.counts.lock().unwrap().entry(format!("{what}: {answer}")).or_default() += 1;
    }

    fn surprise(&self, what: String) {
        self.surprises.lock().unwrap().push(what);
    }

    fn change<T>(&self, token: TokenNumber, change: impl FnOnce(&mut Token) -> T) -> T {
        let mut tokens = self.tokens.lock().unwrap();
        // The newest stand at the end, and are asked for most.
        change(tokens.iter_mut().rev().find(|it| it.number == token).unwrap())
    }

    /// A token like this, most often one of the newest.
    fn pick(&self, dice: &mut Dice, is_right: impl Fn(&Token) -> bool) -> Option<Token> {
        let tokens = self.tokens.lock().unwrap();
        let reach = if dice.roll(4) == 0 { tokens.len() } else { NEWEST };
        let right: Vec<&Token> = tokens.iter().rev().take(reach).filter(|it| is_right(it)).collect();
        (!right.is_empty()).then(|| right[dice.roll(right.len())].clone())
    }

    fn pick_secret(&self, dice: &mut Dice) -> Option<SecretNumber> {
        let secrets = self.secrets.lock().unwrap();
        let reach = if dice.roll(4) == 0 { secrets.len() } else { NEWEST.min(secrets.len()) };
        (reach > 0).then(|| secrets[secrets.len() - 1 - dice.roll(reach)].0)
    }

    fn text_of(&self, secret: SecretNumber) -> String {
        self.secrets.lock().unwrap().iter().rev().find(|(number, _)| *number == secret).unwrap().1.clone()
    }

    fn learn(&self, secret: SecretNumber, reply: &Reply) {
        self.secrets.lock().unwrap().push((secret, reply.string("token")));
    }

    /// Asks every node about every secret, when all is well again. Gives back how many tokens work that have to.
    pub(crate) fn ask_about_all_at_the_end(&self) -> usize {
        let secrets = self.secrets.lock().unwrap().clone();
        for node in 0..self.installation.nodes.len() {
            let mut connection = Connection::open(&self.installation.nodes[node].address).unwrap();
            for some in secrets.chunks(500) {
                let asked: Vec<_> = some.iter().map(|(number, _)| self.recorder.verify(*number)).collect();
                let body: Vec<Value> = some.iter().map(|(_, text)| json!({ "secret": text })).collect();
                let reply = connection.ask(OWNER, "POST", "/verify", &json!(body).to_string()).unwrap();
                assert_eq!(reply.status, 200, "{reply:?}");
                for ((asked, (number, _)), answer) in
                    asked.into_iter().zip(some).zip(reply.json().as_array().unwrap())
                {
                    let verdict = verdict(answer["active"] == true);
                    self.tell(*number, node, verdict);
                    asked.answered(verdict);
                }
            }
        }
        let must_work = |it: &&Token| it.revocations == 0 && !it.in_reset;
        let living: Vec<Token> = self.tokens.lock().unwrap().iter().filter(must_work).cloned().collect();
        for token in &living {
            let told = self.told_about(token.secret);
            let last = &told[told.len() - self.installation.nodes.len()..];
            let works = last.iter().all(|told| told.verdict == Verdict::Active);
            assert!(works, "{} does not work everywhere:\n{}", token.id, lines(last));
        }
        living.len()
    }

    fn tell(&self, secret: SecretNumber, node: usize, verdict: Verdict) {
        let at = self.recorder.elapsed().as_nanos();
        self.told.lock().unwrap().push(Told { secret, node, verdict, at });
    }
}

/// Each on a line.
pub(crate) fn lines(told: &[Told]) -> String {
    told.iter().map(|told| format!("{told}\n")).collect()
}

fn verdict(active: bool) -> Verdict {
    if active { Verdict::Active } else { Verdict::Inactive }
}

/// One who asks.
pub(crate) struct Client<'w> {
    world: &'w World<'w>,
    dice: Dice,
    bell: &'w Bell,
    connections: Vec<Option<Connection>>,
}

impl<'w> Client<'w> {
    pub(crate) fn new(world: &'w World<'w>, dice: Dice, bell: &'w Bell) -> Self {
        Self { world, dice, bell, connections: world.installation.nodes.iter().map(|_| None).collect() }
    }

    /// Until the bell rings.
    pub(crate) fn work(mut self) {
        while !self.bell.has_rung() {
            match self.dice.roll(100) {
                0..12 => self.create(),
                12..20 => self.revoke(),
                20..28 => self.reset(),
                _ => {
                    if let Some(secret) = self.world.pick_secret(&mut self.dice) {
                        self.verify(secret);
                    }
                }
            }
        }
    }

    fn create(&mut self) {
        let (token, secret) = (self.world.next(), self.world.next());
        let body = json!({ "role": "reader", "serviceToken": true }).to_string();
        let asked = self.write("create", Write::Create { token, secret }, "POST", TOKENS, &body, &[201]);
        let Some((writing, reply)) = asked else { return };
        writing.answered(Outcome::Done);
        self.world.learn(secret, &reply);
        self.world.tokens.lock().unwrap().push(Token {
            number: token,
            id: reply.string("_id"),
            secret,
            in_reset: false,
            until: Instant::now(),
            revocations: 0,
            revoking: 0,
            is_revoked: false,
        });
        self.verify(secret);
        self.verify(secret);
    }

    fn revoke(&mut self) {
        // Some are revoked by several at once.
        let together = self.dice.roll(4) == 0;
        let right = |it: &Token| !it.is_revoked && (!together || it.revoking > 0);
        let Some(token) = self.world.pick(&mut self.dice, right) else { return };
        self.world
            .change(token.number, |it| (it.revocations, it.revoking) = (it.revocations + 1, it.revoking + 1));
        let path = format!("{TOKENS}/{}", token.id);
        // One that is gone already is as good: it must be so everywhere.
        let asked =
            self.write("revoke", Write::Revoke { token: token.number }, "DELETE", &path, "", &[204, 404]);
        self.world.change(token.number, |it| it.revoking -= 1);
        let Some((writing, reply)) = asked else { return };
        if reply.status == 404 && self.world.change(token.number, |it| it.revocations) == 1 {
            self.world.surprise(format!("nobody had revoked {}, and it is not found: {reply:?}", token.id));
            return;
        }
        writing.answered(Outcome::Done);
        self.world.change(token.number, |it| it.is_revoked = true);
        self.verify(token.secret);
        self.verify(token.secret);
    }

    fn reset(&mut self) {
        let now = Instant::now();
        let right = |it: &Token| !it.is_revoked && !it.in_reset && it.until <= now;
        let Some(token) = self.world.pick(&mut self.dice, right) else { return };
        let taken = self.world.change(token.number, |it| {
            let taken = right(it).then_some(it.secret);
            it.in_reset |= taken.is_some();
            taken
        });
        let Some(old) = taken else { return };
        let new = self.world.next();
        let mut path = format!("{TOKENS}/{}/reset", token.id);
        let lasts = (self.dice.roll(2) == 0).then(|| self.dice.millis(200..=5000));
        let grace = lasts.map_or(Grace::NONE, |lasts| Grace {
            at_least: lasts.saturating_sub(EARLY),
            at_most: lasts + ROUNDED,
        });
        let write = Write::Reset { token: token.number, old, new, grace };
        let writing = self.world.recorder.write(write);
        if let Some(lasts) = lasts {
            path = format!("{path}?expiry={}", (now_by_the_wall() + lasts).as_millis());
        }
        let asked = self.write_recorded("reset", writing, "POST", &path, "", &[200, 404]);
        let Some((writing, reply)) = asked else { return };
        if reply.status == 404 {
            if self.world.change(token.number, |it| it.revocations) == 0 {
                self.world
                    .surprise(format!("nobody had revoked {}, and it is not found: {reply:?}", token.id));
            }
            return writing.answered(Outcome::Refused);
        }
        writing.answered(Outcome::Done);
        self.world.learn(new, &reply);
        self.world.change(token.number, |it| {
            (it.secret, it.in_reset, it.until) = (new, false, Instant::now() + lasts.unwrap_or_default());
        });
        self.verify(old);
        self.verify(new);
        self.verify(old);
    }

    fn write(
        &mut self,
        what: &str,
        write: Write,
        method: &str,
        path: &str,
        body: &str,
        good: &[u16],
    ) -> Option<(Writing<'w>, Reply)> {
        let writing = self.world.recorder.write(write);
        self.write_recorded(what, writing, method, path, body, good)
    }

    /// `None` if it stays in doubt.
    fn write_recorded(
        &mut self,
        what: &str,
        writing: Writing<'w>,
        method: &str,
        path: &str,
        body: &str,
        good: &[u16],
    ) -> Option<(Writing<'w>, Reply)> {
        let node = self.any_node();
        let headers = format!("Authorization: {OWNER}\r\n");
        let reply = self.ask(node, &headers, method, path, body);
        self.world.count(what, &reply.as_ref().map_or("no answer".to_owned(), |it| it.status.to_string()));
        let reply = reply?;
        if good.contains(&reply.status) {
            return Some((writing, reply));
        }
        if reply.status < 500 {
            self.world.surprise(format!("{method} {path}: {reply:?}"));
        }
        self.bell.wait(Duration::from_millis(5));
        None
    }

    fn verify(&mut self, secret: SecretNumber) {
        let (text, node) = (self.world.text_of(secret), self.any_node());
        let asked = self.world.recorder.verify(secret);
        // A bearer's request begins after a shared read. The others are answered from memory alone.
        let told = match self.dice.roll(8) {
            0..4 => self.as_a_gateway(node, &text),
            4..7 => self.as_a_verifier(node, &text),
            _ => self.as_its_bearer(node, &text),
        };
        let Some(verdict) = told else { return self.world.count("verify", "no answer") };
        asked.answered(verdict);
        self.world.tell(secret, node, verdict);
        self.world.count("verify", &format!("{verdict:?}"));
        if verdict == Verdict::Unavailable {
            self.bell.wait(Duration::from_millis(5));
        }
    }

    fn as_a_gateway(&mut self, node: usize, secret: &str) -> Option<Verdict> {
        let headers =
            format!("Authorization: Bearer {secret}\r\nX-Forwarded-Uri: /\r\nX-Forwarded-Method: GET\r\n");
        let reply = self.ask(node, &headers, "GET", "/verify/x-forwarded", "")?;
        self.verdict_by_status(&reply)
    }

    fn as_its_bearer(&mut self, node: usize, secret: &str) -> Option<Verdict> {
        let headers = format!("Authorization: {secret}\r\n");
        let reply = self.ask(node, &headers, "GET", "/api/v2/caller-identity", "")?;
        // It may end between the two looks that this takes.
        if reply.status == 404 { Some(Verdict::Inactive) } else { self.verdict_by_status(&reply) }
    }

    fn as_a_verifier(&mut self, node: usize, secret: &str) -> Option<Verdict> {
        let body = json!({ "secret": secret }).to_string();
        let reply = self.ask(node, &format!("Authorization: {OWNER}\r\n"), "POST", "/verify", &body)?;
        match reply.status {
            200 => Some(verdict(reply.json()["active"] == true)),
            503 => Some(Verdict::Unavailable),
            _ => self.surprised(&reply),
        }
    }

    fn verdict_by_status(&self, reply: &Reply) -> Option<Verdict> {
        match reply.status {
            200 => Some(Verdict::Active),
            401 => Some(Verdict::Inactive),
            503 => Some(Verdict::Unavailable),
            _ => self.surprised(reply),
        }
    }

    fn surprised<T>(&self, reply: &Reply) -> Option<T> {
        self.world.surprise(format!("to a verification: {reply:?}"));
        None
    }

    fn any_node(&mut self) -> usize {
        self.dice.roll(self.connections.len())
    }

    /// Over a connection that is kept until it breaks. `None` if no answer came.
    fn ask(&mut self, node: usize, headers: &str, method: &str, path: &str, body: &str) -> Option<Reply> {
        let address = &self.world.installation.nodes[node].address;
        let place = &mut self.connections[node];
        let asked = match place.take() {
            Some(connection) => Ok(connection),
            None => Connection::patient(address, PATIENCE),
        }
        .and_then(|mut connection| Ok((connection.ask_with(headers, method, path, body)?, connection)));
        match asked {
            Ok((reply, connection)) => {
                *place = Some(connection);
                Some(reply)
            }
            Err(_) => {
                // Nobody is hurried: a node that is gone would be asked thousands of times.
                self.bell.wait(Duration::from_millis(20));
                None
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an expiry is told by the wall clock, which the database reads too"
)]
fn now_by_the_wall() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}
