//! Those who ask: they make, reset, revoke and verify tokens at random nodes, and write down what they were told.
//!
//! A write that is not answered, or with a failure, is in doubt for ever: it may yet happen. So a token whose reset is in doubt
//! is reset by nobody any more, because nobody knows its secret. A revocation in doubt is asked for again.

use std::time::{Duration, Instant};

use jeton_testkit::history::{Grace, Outcome, SecretNumber, Verdict, Write};
use serde_json::json;

use crate::bell::Bell;
use crate::dice::Dice;
use crate::installation::OWNER;
use crate::support::http::{Connection, Reply};
use crate::wish::Wish;
use crate::world::{Token, World, verdict_of};

/// Longer than any fault, so that a node that was stopped is heard when it wakes up.
const PATIENCE: Duration = Duration::from_secs(4);
/// What a secret's end may be late by: the database's clock is told in whole milliseconds, and so is a node's.
const ROUNDED: Duration = Duration::from_millis(5);
/// What it may be early by. Nodes count the way from the database as time that has passed, and a process that is stopped
/// makes it long.
const EARLY: Duration = Duration::from_secs(3);

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
        let writing = self.world.recorder.write(Write::Create { token, secret });
        let Some(reply) = self.ask_for(&Wish::create()) else { return };
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
        let by_secret = self.dice.roll(3) == 0;
        let secret = self.world.change(token.number, |it| {
            (it.revocations, it.revoking) = (it.revocations + 1, it.revoking + 1);
            // Whoever revokes a token by a secret must know that it gets no other meanwhile.
            let secret = (by_secret && !it.in_reset).then_some(it.secret);
            it.in_reset |= secret.is_some();
            secret
        });
        let wish = match secret {
            Some(secret) => Wish::revoke_by_secret(&self.world.text_of(secret)),
            None => Wish::revoke(&token.id),
        };
        let writing = self.world.recorder.write(Write::Revoke { token: token.number });
        let reply = self.ask_for(&wish);
        self.world.change(token.number, |it| it.revoking -= 1);
        let Some(reply) = reply else { return };
        if reply.status == 404 && self.world.change(token.number, |it| it.revocations) == 1 {
            return self.not_found(&token, &reply);
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
        let lasts = (self.dice.roll(2) == 0).then(|| self.dice.millis(200..=5000));
        let grace = lasts.map_or(Grace::NONE, |lasts| Grace {
            at_least: lasts.saturating_sub(EARLY),
            at_most: lasts + ROUNDED,
        });
        let writing = self.world.recorder.write(Write::Reset { token: token.number, old, new, grace });
        // The instant is told after the recording began, so that the grace is no shorter than it says.
        let Some(reply) = self.ask_for(&Wish::reset(&token.id, lasts)) else { return };
        if reply.status == 404 {
            writing.answered(Outcome::Refused);
            if self.world.change(token.number, |it| it.revocations) == 0 {
                self.not_found(&token, &reply);
            }
            return;
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

    /// Whatever was answered anywhere before is found everywhere.
    fn not_found(&self, token: &Token, reply: &Reply) {
        self.world.surprise(format!("nobody had revoked {}, and it is not found: {reply:?}", token.id));
    }

    /// `None` if it stays in doubt.
    fn ask_for(&mut self, wish: &Wish) -> Option<Reply> {
        let node = self.any_node();
        let reply = self.ask(node, &wish.headers, wish.method, &wish.path, &wish.body);
        let told = reply.as_ref().map_or("no answer".to_owned(), |it| it.status.to_string());
        self.world.count(wish.what, &told);
        let reply = reply?;
        if wish.good.contains(&reply.status) {
            return Some(reply);
        }
        if reply.status < 500 {
            self.world.surprise(format!("{} {}: {reply:?}", wish.method, wish.path));
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
            200 => Some(verdict_of(&reply.json())),
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
        let Ok((reply, connection)) = asked else {
            // Nobody is hurried: a node that is gone would be asked thousands of times.
            self.bell.wait(Duration::from_millis(20));
            return None;
        };
        *place = Some(connection);
        Some(reply)
    }
}
