//! Clients that issue, reset, revoke and verify without a pause, at every node, and write down what they were answered.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jeton_testkit::history::{Grace, Outcome, Recorder, Verdict, Verified, Violation, Write};
use serde_json::{Value, json};

use crate::bell::Bell;
use crate::dice::Dice;
use crate::support::curl;
use crate::support::http::{Connection, Reply};

pub(crate) const OWNER: &str = "owner-secret-for-the-fail-over-test-0123456789";

/// Between two questions, so that the clients leave something of the machine to the servers.
const BREATH: Duration = Duration::from_millis(2);

/// A secret that somebody was given.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) token: u64,
    pub(crate) number: u64,
    pub(crate) text: String,
    /// The token's, in paths.
    pub(crate) id: String,
}

/// What a node answered, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) node: usize,
    pub(crate) secret: u64,
    pub(crate) verdict: Verdict,
    pub(crate) start: Instant,
    pub(crate) end: Instant,
}

/// A change that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Success {
    pub(crate) node: usize,
    pub(crate) start: Instant,
    pub(crate) end: Instant,
}

/// Everything that clients were told.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) addresses: Vec<String>,
    pub(crate) recorder: Recorder,
    numbers: AtomicU64,
    secrets: Mutex<Vec<Secret>>,
    looks: Mutex<Vec<Look>>,
    successes: Mutex<Vec<Success>>,
}

/// Connections of one client, one to each node, made when they are needed.
pub(crate) struct Client<'a> {
    book: &'a Book,
    connections: HashMap<usize, Connection>,
}

impl Book {
    pub(crate) fn new(addresses: Vec<String>) -> Self {
        Self { addresses, ..Self::default() }
    }

    pub(crate) fn client(&self) -> Client<'_> {
        Client { book: self, connections: HashMap::new() }
    }

    pub(crate) fn looks(&self) -> Vec<Look> {
        self.looks.lock().unwrap().clone()
    }

    pub(crate) fn successes(&self) -> Vec<Success> {
        self.successes.lock().unwrap().clone()
    }

    pub(crate) fn secrets(&self) -> Vec<Secret> {
        self.secrets.lock().unwrap().clone()
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks every node about every secret that anybody was ever given, and compares all answers with the laws. Gives back
    /// how many answers the laws decided.
    pub(crate) fn settle(&self) -> usize {
        let (mut client, secrets) = (self.client(), self.secrets());
        for node in 0..self.addresses.len() {
            for secret in &secrets {
                let verdict = client.verify(node, secret);
                assert_ne!(verdict, Verdict::Unavailable, "node {node} does not answer");
            }
        }
        let findings = self.recorder.history().check();
        let trace: Vec<String> = findings.violations.iter().take(5).map(|found| self.trace(found)).collect();
        assert!(trace.is_empty(), "{} answers break a law:\n{}", findings.violations.len(), trace.join("\n"));
        findings.decided
    }

    /// A violation, with everything that was answered about the same secret.
    fn trace(&self, violation: &Violation) -> String {
        let (Violation::Honoured(Verified { secret, .. }, _)
        | Violation::Refused(Verified { secret, .. }, _)) = violation;
        let first = self.looks().first().map(|look| look.start);
        let mut trace = vec![violation.to_string()];
        let mut before = None;
        for look in self.looks().iter().filter(|look| look.secret == *secret) {
            if before.replace((look.node, look.verdict)) != Some((look.node, look.verdict)) {
                let at = first.map(|first| (look.start - first, look.end - first));
                trace.push(format!(
                    "    node {} says {:?} {at:?} after the first look",
                    look.node, look.verdict
                ));
            }
        }
        trace.join("\n")
    }
}

impl Client<'_> {
    /// Asks a node with the owner's secret.
    pub(crate) fn ask(&mut self, node: usize, method: &str, path: &str, body: &str) -> io::Result<Reply> {
        let mut connection = match self.connections.remove(&node) {
            Some(connection) => connection,
            None => Connection::open(&self.book.addresses[node])?,
        };
        let reply = connection.ask(OWNER, method, path, body)?;
        self.connections.insert(node, connection);
        assert_ne!(reply.status, 401, "node {node} does not know its owner: {reply:?}");
        Ok(reply)
    }

    /// Whether a node honours a secret.
    pub(crate) fn verify(&mut self, node: usize, secret: &Secret) -> Verdict {
        let (verifying, start) = (self.book.recorder.verify(secret.number), Instant::now());
        let body = json!({ "secret": secret.text }).to_string();
        let verdict = match self.ask(node, "POST", "/verify", &body) {
            Ok(reply) if reply.status == 200 => match &reply.json()["active"] {
                Value::Bool(true) => Verdict::Active,
                Value::Bool(false) => Verdict::Inactive,
                _ => panic!("{reply:?}"),
            },
            Ok(Reply { status: 503, .. }) | Err(_) => Verdict::Unavailable,
            Ok(reply) => panic!("{reply:?}"),
        };
        verifying.answered(verdict);
        let look = Look { node, secret: secret.number, verdict, start, end: Instant::now() };
        self.book.looks.lock().unwrap().push(look);
        verdict
    }

    /// Asks for a change, and writes down what is known of it.
    fn write(&mut self, node: usize, write: Write, method: &str, path: &str, body: &str) -> Option<Reply> {
        let (writing, start) = (self.book.recorder.write(write), Instant::now());
        let reply = self.ask(node, method, path, body).ok()?;
        match reply.status {
            200..300 => {
                writing.answered(Outcome::Done);
                self.book.successes.lock().unwrap().push(Success { node, start, end: Instant::now() });
                Some(reply)
            }
            400..500 => {
                writing.answered(Outcome::Refused);
                None
            }
            _ => None,
        }
    }

    /// `None` if the node did not say that it is done.
    pub(crate) fn create(&mut self, node: usize) -> Option<Secret> {
        let (token, number) = (self.book.number(), self.book.number());
        let body = json!({ "name": format!("token {token}"), "role": "reader" }).to_string();
        let write = Write::Create { token, secret: number };
        let reply = self.write(node, write, "POST", "/api/v2/tokens", &body)?;
        let secret = Secret { token, number, text: reply.string("token"), id: reply.string("_id") };
        self.book.secrets.lock().unwrap().push(secret.clone());
        Some(secret)
    }

    pub(crate) fn reset(&mut self, node: usize, secret: &Secret) -> Option<Secret> {
        let (token, old, new) = (secret.token, secret.number, self.book.number());
        let write = Write::Reset { token, old, new, grace: Grace::NONE };
        let reply = self.write(node, write, "POST", &format!("/api/v2/tokens/{}/reset", secret.id), "")?;
        let secret = Secret { number: new, text: reply.string("token"), ..secret.clone() };
        self.book.secrets.lock().unwrap().push(secret.clone());
        Some(secret)
    }

    pub(crate) fn revoke(&mut self, node: usize, secret: &Secret) -> Option<()> {
        let path = format!("/api/v2/tokens/{}", secret.id);
        self.write(node, Write::Revoke { token: secret.token }, "DELETE", &path, "").map(|_| ())
    }

    /// As RFC 7009 has it, where who revokes what is gone already hears the same. The status of the answer.
    pub(crate) fn revoke_as_its_holder(&self, node: usize, secret: &Secret) -> u16 {
        let writing = self.book.recorder.write(Write::Revoke { token: secret.token });
        let url = format!("http://{}/oauth2/revoke", self.book.addresses[node]);
        let reply = curl(&["-d", &format!("token={}", secret.text), &url]);
        if reply.status == 200 {
            writing.answered(Outcome::Done);
        }
        reply.status
    }
}

/// Clients at work, each on a thread, until this is stopped.
pub(crate) struct Load {
    bell: Arc<Bell>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Two clients for each node: one that writes there, and one that only asks.
    pub(crate) fn start(book: &Arc<Book>) -> Self {
        let bell = Arc::<Bell>::default();
        let mut threads = Vec::new();
        for node in 0..book.addresses.len() {
            for work in [write, look] {
                let (book, bell, dice) = (Arc::clone(book), Arc::clone(&bell), Dice(threads.len() as u64));
                threads.push(std::thread::spawn(move || work(&book, node, dice, &bell)));
            }
        }
        Self { bell, threads }
    }

    pub(crate) fn stop(mut self) {
        self.bell.ring();
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// Also where a test has failed: nobody goes on asking.
impl Drop for Load {
    fn drop(&mut self) {
        self.bell.ring();
    }
}

/// Works on tokens of its own: every change is told to it alone, so that it knows what it may demand.
fn write(book: &Book, node: usize, mut dice: Dice, bell: &Bell) {
    let (mut client, mut own) = (book.client(), Vec::<Secret>::new());
    while !bell.wait(BREATH) {
        let elsewhere = dice.roll(book.addresses.len());
        let pick = dice.roll(10);
        if own.len() < 5 || pick < 4 {
            let Some(secret) = client.create(node) else { continue };
            client.verify(elsewhere, &secret);
            own.push(secret);
            continue;
        }
        // What is in doubt afterwards is not touched again.
        let secret = own.swap_remove(dice.roll(own.len()));
        let done = if pick < 7 {
            client.reset(node, &secret).map(|new| own.push(new)).is_some()
        } else {
            client.revoke(node, &secret).is_some()
        };
        if done {
            client.verify(elsewhere, &secret);
        }
    }
}

/// Asks about secrets of all clients, mostly about young ones.
fn look(book: &Book, node: usize, mut dice: Dice, bell: &Bell) {
    const YOUNG: usize = 40;
    let mut client = book.client();
    while !bell.wait(BREATH) {
        let picked = {
            let secrets = book.secrets.lock().unwrap();
            let among = if dice.roll(2) == 0 { secrets.len().min(YOUNG) } else { secrets.len() };
            if among == 0 { None } else { Some(secrets[secrets.len() - 1 - dice.roll(among)].clone()) }
        };
        if let Some(secret) = picked {
            client.verify(node, &secret);
        }
    }
}
