//! What was asked of a running installation and what it answered, and whether laws 1 and 2 allow it.
//!
//! Several threads write down what they do with a [`Recorder`]; [`History::check`] looks at it afterwards. All instants are
//! nanoseconds of one monotonic clock, that of whoever asks, so it doesn't matter which node answered nor what time it
//! thought it was. Two operations are ordered if one ended before the other began. If they overlap, or touch, either may
//! have come first, and the laws say nothing.
//!
//! The laws are less than linearizability on purpose: while a revocation is under way one node may know of it and another
//! not, and both are right.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// A token, as whoever asks numbers it.
pub type TokenNumber = u64;
/// A secret, as whoever asks numbers it. A token has one from the beginning and another with every reset.
pub type SecretNumber = u64;

/// A change that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Write {
    /// A token is made.
    Create {
        /// The new token.
        token: TokenNumber,
        /// Its first secret.
        secret: SecretNumber,
    },
    /// A token gets another secret.
    Reset {
        /// The token.
        token: TokenNumber,
        /// The secret that it had.
        old: SecretNumber,
        /// The one that it has from now on.
        new: SecretNumber,
        /// How long the old one goes on working. No secret may be in its grace already: it would end.
        grace: Grace,
    },
    /// A token ends, with all of its secrets.
    Revoke {
        /// The token.
        token: TokenNumber,
    },
}

/// How long a secret goes on working when another has taken its place. Whoever asks does not know the clock by which it ends
/// as exactly as their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grace {
    /// Counted from before the reset was sent.
    pub at_least: Duration,
    /// Counted from when its answer came.
    pub at_most: Duration,
}

impl Grace {
    /// It ends with the reset.
    pub const NONE: Self = Self::of(Duration::ZERO);

    /// By a clock that is the same for all.
    pub const fn of(lasts: Duration) -> Self {
        Self { at_least: lasts, at_most: lasts }
    }
}

/// What became of a change, as far as whoever asked for it knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was answered with success.
    Done,
    /// It was refused in a way that says that nothing was changed.
    Refused,
    /// Anything else: no answer, or one that leaves it open. It may have happened at any time after it began, or never.
    Unknown,
}

/// What a verification answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The secret is good.
    Active,
    /// The secret is not, for whatever reason.
    Inactive,
    /// The node can't say, or gave no answer. That is never wrong.
    Unavailable,
}

/// A change, and when. The instants are nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// What was asked for.
    pub write: Write,
    /// What became of it.
    pub outcome: Outcome,
    /// Before it was sent.
    pub start: u64,
    /// After its answer came. Means nothing if the outcome is unknown.
    pub end: u64,
}

/// A verification, and when. The instants are nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// The secret that was asked about.
    pub secret: SecretNumber,
    /// What was answered.
    pub verdict: Verdict,
    /// Before it was sent.
    pub start: u64,
    /// After its answer came.
    pub end: u64,
}

/// Everything that was asked and answered, in any order.
#[derive(Clone, Default, Debug)]
pub struct History {
    /// The changes. Each secret is made by one of them at most.
    pub writes: Vec<Written>,
    /// The verifications.
    pub verifications: Vec<Verified>,
}

/// What the laws say about a history.
#[derive(Debug)]
pub struct Findings {
    /// The answers that break a law.
    pub violations: Vec<Violation>,
    /// How many verifications had an answer that the laws decided. If there are few, no violations mean little.
    pub decided: usize,
}

/// An answer that breaks a law.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Violation {
    /// Law 1: a secret was honoured that had died before.
    Honoured(Verified, Written),
    /// Law 2: a secret was refused that had been made before, and nothing had begun to kill it.
    Refused(Verified, Written),
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (law, verified, written, why) = match self {
            Self::Honoured(verified, killed) => ("1", verified, killed, ""),
            Self::Refused(verified, made) => ("2", verified, made, ", and nothing had begun to end it"),
        };
        let Verified { secret, verdict, start, end } = verified;
        write!(
            f,
            "law {law}: secret {secret} was {verdict:?} in a verification from {start} ns to {end} ns, after {:?} was \
             answered at {} ns{why}",
            written.write, written.end
        )
    }
}

/// What is known of a secret.
#[derive(Default)]
struct Life {
    made: Option<Written>,
    end: End,
}

/// When something ends, as far as that is known.
#[derive(Clone, Copy, Default)]
struct End {
    /// The first instant at which it may have ended.
    possible: Option<u64>,
    /// The instant after which it has ended, and by what.
    certain: Option<(u64, Written)>,
}

impl End {
    fn by(written: Written, grace: Grace) -> Self {
        let possible = written.start.saturating_add(nanos(grace.at_least));
        let certain = written.end.saturating_add(nanos(grace.at_most));
        match written.outcome {
            Outcome::Refused => Self::default(),
            Outcome::Unknown => Self { possible: Some(possible), certain: None },
            Outcome::Done => Self { possible: Some(possible), certain: Some((certain, written)) },
        }
    }

    /// Whatever comes first.
    fn or(self, other: Self) -> Self {
        let possible = self.possible.into_iter().chain(other.possible).min();
        let certain = self.certain.into_iter().chain(other.certain).min_by_key(|(end, _)| *end);
        Self { possible, certain }
    }
}

impl Life {
    /// What the laws demand of a verification: the verdict that would be wrong, and what it would break.
    fn forbids(&self, verified: Verified) -> Option<(Verdict, Violation)> {
        if let Some((end, by)) = self.end.certain
            && verified.start > end
        {
            return Some((Verdict::Active, Violation::Honoured(verified, by)));
        }
        let made = self.made.filter(|made| made.outcome == Outcome::Done && verified.start > made.end)?;
        let untouched = self.end.possible.is_none_or(|possible| possible > verified.end);
        untouched.then_some((Verdict::Inactive, Violation::Refused(verified, made)))
    }
}

impl History {
    /// Compares every answer with laws 1 and 2. Takes time in proportion to the history's length.
    ///
    /// Panics if two changes make the same secret: then the history isn't one.
    pub fn check(&self) -> Findings {
        let lives = self.lives();
        let mut findings = Findings { violations: Vec::new(), decided: 0 };
        for verified in self.verifications.iter().filter(|verified| verified.verdict != Verdict::Unavailable)
        {
            let forbidden = lives.get(&verified.secret).and_then(|life| life.forbids(*verified));
            let Some((verdict, violation)) = forbidden else { continue };
            findings.decided += 1;
            if verified.verdict == verdict {
                findings.violations.push(violation);
            }
        }
        findings
    }

    /// Every secret. What ends a token is gathered first, so that a token of many secrets that is revoked many times costs no
    /// more than other tokens do.
    fn lives(&self) -> HashMap<SecretNumber, Life> {
        let mut revoked: HashMap<TokenNumber, End> = HashMap::new();
        for written in &self.writes {
            if let Write::Revoke { token } = written.write {
                let end = revoked.entry(token).or_default();
                *end = end.or(End::by(*written, Grace::NONE));
            }
        }
        let mut lives: HashMap<SecretNumber, Life> = HashMap::new();
        for written in &self.writes {
            if let Write::Reset { old, grace, .. } = written.write {
                let life = lives.entry(old).or_default();
                life.end = life.end.or(End::by(*written, grace));
            }
            if let Write::Create { token, secret } | Write::Reset { token, new: secret, .. } = written.write {
                let life = lives.entry(secret).or_default();
                assert!(life.made.replace(*written).is_none(), "two changes make secret {secret}");
                life.end = life.end.or(revoked.get(&token).copied().unwrap_or_default());
            }
        }
        lives
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Writes a history down while it happens. Threads share it by reference.
#[derive(Debug)]
pub struct Recorder {
    began: Instant,
    history: Mutex<History>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { began: Instant::now(), history: Mutex::default() }
    }
}

impl Recorder {
    /// To be called before a change is asked for. Until it is [answered](Writing::answered) its outcome is unknown, so
    /// that whoever is cut off in between need not say so.
    #[must_use = "the change must be told how it was answered"]
    pub fn write(&self, write: Write) -> Writing<'_> {
        let start = self.now();
        let mut history = self.lock();
        history.writes.push(Written { write, outcome: Outcome::Unknown, start, end: start });
        Writing { recorder: self, place: history.writes.len() - 1 }
    }

    /// To be called before a verification is asked for. One that is never answered isn't written down.
    #[must_use = "the verification must be told how it was answered"]
    pub fn verify(&self, secret: SecretNumber) -> Verifying<'_> {
        Verifying { recorder: self, secret, start: self.now() }
    }

    /// Everything so far. What is under way stands there with an unknown outcome, or not at all.
    pub fn history(&self) -> History {
        self.lock().clone()
    }

    /// Since it was made: the clock by which it writes.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn now(&self) -> u64 {
        nanos(self.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("nothing panics while it is held")
    }
}

/// A change that is under way.
#[derive(Debug)]
pub struct Writing<'a> {
    recorder: &'a Recorder,
    place: usize,
}

impl Writing<'_> {
    /// To be called when the answer is there.
    pub fn answered(self, outcome: Outcome) {
        let end = self.recorder.now();
        let written = &mut self.recorder.lock().writes[self.place];
        (written.outcome, written.end) = (outcome, end);
    }
}

/// A verification that is under way.
#[derive(Debug)]
pub struct Verifying<'a> {
    recorder: &'a Recorder,
    secret: SecretNumber,
    start: u64,
}

impl Verifying<'_> {
    /// To be called when the answer is there.
    pub fn answered(self, verdict: Verdict) {
        let end = self.recorder.now();
        let Self { recorder, secret, start } = self;
        recorder.lock().verifications.push(Verified { secret, verdict, start, end });
    }
}
