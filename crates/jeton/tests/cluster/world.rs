//! What those who ask know together: the tokens that they made, and everything that they were told.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jeton_testkit::history::{History, Recorder, SecretNumber, TokenNumber, Verdict};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::installation::{Installation, OWNER};
use crate::support::http::Reply;

/// How many of the newest tokens and secrets are asked about most.
const NEWEST: usize = 40;

/// What all clients know together.
pub(crate) struct World<'i> {
    pub(crate) installation: &'i Installation,
    pub(crate) recorder: Recorder,
    pub(crate) tokens: Mutex<Vec<Token>>,
    secrets: Mutex<Vec<(SecretNumber, String)>>,
    numbers: AtomicU64,
    /// Who said what about which secret, when: for the story of a violation.
    told: Mutex<Vec<Told>>,
    /// Answers that there must not be, whatever befalls.
    surprises: Mutex<Vec<String>>,
    counts: Mutex<BTreeMap<String, usize>>,
}

/// What is known of a token.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) number: TokenNumber,
    pub(crate) id: String,
    pub(crate) secret: SecretNumber,
    /// Somebody resets it, or it is not known any more what came of that.
    pub(crate) in_reset: bool,
    /// Until then a reset would end a secret that is in its grace.
    pub(crate) until: Instant,
    /// How many revocations were begun, and how many of them are under way.
    pub(crate) revocations: usize,
    pub(crate) revoking: usize,
    pub(crate) is_revoked: bool,
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

    pub(crate) fn next(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn count(&self, what: &str, answer: &str) {
        *self.counts.lock().unwrap().entry(format!("{what}: {answer}")).or_default() += 1;
    }

    pub(crate) fn surprise(&self, what: String) {
        self.surprises.lock().unwrap().push(what);
    }

    pub(crate) fn change<T>(&self, token: TokenNumber, change: impl FnOnce(&mut Token) -> T) -> T {
        let mut tokens = self.tokens.lock().unwrap();
        // The newest stand at the end, and are asked for most.
        change(tokens.iter_mut().rev().find(|it| it.number == token).unwrap())
    }

    /// A token like this, most often one of the newest.
    pub(crate) fn pick(&self, dice: &mut Dice, is_right: impl Fn(&Token) -> bool) -> Option<Token> {
        let tokens = self.tokens.lock().unwrap();
        let reach = if dice.roll(4) == 0 { tokens.len() } else { NEWEST };
        let right: Vec<&Token> = tokens.iter().rev().take(reach).filter(|it| is_right(it)).collect();
        (!right.is_empty()).then(|| right[dice.roll(right.len())].clone())
    }

    pub(crate) fn pick_secret(&self, dice: &mut Dice) -> Option<SecretNumber> {
        let secrets = self.secrets.lock().unwrap();
        let reach = if dice.roll(4) == 0 { secrets.len() } else { NEWEST.min(secrets.len()) };
        (reach > 0).then(|| secrets[secrets.len() - 1 - dice.roll(reach)].0)
    }

    pub(crate) fn text_of(&self, secret: SecretNumber) -> String {
        self.secrets.lock().unwrap().iter().rev().find(|(number, _)| *number == secret).unwrap().1.clone()
    }

    pub(crate) fn learn(&self, secret: SecretNumber, reply: &Reply) {
        self.secrets.lock().unwrap().push((secret, reply.string("token")));
    }

    /// Asks every node about every secret, when all is well again. Gives back how many tokens work that have to.
    pub(crate) fn ask_about_all_at_the_end(&self) -> usize {
        let secrets = self.secrets.lock().unwrap().clone();
        for node in 0..self.installation.nodes.len() {
            let mut connection = self.installation.nodes[node].connect();
            for some in secrets.chunks(500) {
                let asked: Vec<_> = some.iter().map(|(number, _)| self.recorder.verify(*number)).collect();
                let body: Vec<Value> = some.iter().map(|(_, text)| json!({ "secret": text })).collect();
                let reply = connection.ask(OWNER, "POST", "/verify", &json!(body).to_string()).unwrap();
                assert_eq!(reply.status, 200, "{reply:?}");
                for ((asked, (number, _)), answer) in
                    asked.into_iter().zip(some).zip(reply.json().as_array().unwrap())
                {
                    let verdict = verdict_of(answer);
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

    pub(crate) fn tell(&self, secret: SecretNumber, node: usize, verdict: Verdict) {
        let at = self.recorder.elapsed().as_nanos();
        self.told.lock().unwrap().push(Told { secret, node, verdict, at });
    }
}

/// Each on a line.
pub(crate) fn lines(told: &[Told]) -> String {
    told.iter().map(|told| format!("{told}\n")).collect()
}

/// Of a verifier's answer about one secret.
pub(crate) fn verdict_of(answer: &Value) -> Verdict {
    if answer["active"] == true { Verdict::Active } else { Verdict::Inactive }
}
