//! The checker of histories: what it must accept, what it must reject, and that no length of history is too much for it.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::time::{Duration, Instant};

use jeton_testkit::history::Outcome::{Done, Refused, Unknown};
use jeton_testkit::history::Verdict::{self, Active, Inactive, Unavailable};
use jeton_testkit::history::{
    Findings, Grace, History, Outcome, Recorder, Verified, Violation, Write, Written,
};
use proptest::prelude::*;

const CREATE: Write = Write::Create { token: 1, secret: 1 };
const REVOKE: Write = Write::Revoke { token: 1 };
/// From the first secret to the second.
const RESET: Write = reset(Grace::NONE);
/// For ten nanoseconds.
const GRACEFUL: Write = reset(Grace::of(Duration::from_nanos(10)));
/// For ten nanoseconds or up to twenty: nobody knows.
const VAGUE: Write = reset(Grace { at_least: Duration::from_nanos(10), at_most: Duration::from_nanos(20) });

const fn reset(grace: Grace) -> Write {
    Write::Reset { token: 1, old: 1, new: 2, grace }
}

/// What the laws say of one verification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    /// Nothing: whatever is answered is right.
    Nothing,
    MustBeActive,
    MustBeInactive,
}
use Said::{MustBeActive, MustBeInactive, Nothing};

/// A change: from, to, and what became of it.
type Change = (Write, u64, u64, Outcome);

/// What a row shows, the changes, the verification (its secret, from, to), and what must be said of it.
type Row<'a> = (&'a str, &'a [Change], (u64, u64, u64), Said);

/// Asks the checker about one verification with each answer in turn.
fn said(changes: &[Change], secret: u64, start: u64, end: u64) -> Said {
    let writes = changes.iter().map(|&(write, start, end, outcome)| Written { write, outcome, start, end });
    let mut history = History { writes: writes.collect(), verifications: Vec::new() };
    let mut with = |verdict| {
        history.verifications = vec![Verified { secret, verdict, start, end }];
        let Findings { violations, decided } = history.check();
        (decided, violations)
    };
    assert_eq!(with(Unavailable), (0, vec![]), "a node that can't say is never wrong");
    match (with(Active), with(Inactive)) {
        ((0, active), (0, inactive)) if active.is_empty() && inactive.is_empty() => Nothing,
        ((1, active), (1, inactive)) if active.is_empty() => {
            assert!(matches!(inactive[..], [Violation::Refused(..)]), "{inactive:?}");
            MustBeActive
        }
        ((1, active), (1, inactive)) if inactive.is_empty() => {
            assert!(matches!(active[..], [Violation::Honoured(..)]), "{active:?}");
            MustBeInactive
        }
        other => panic!("one verification, and this: {other:?}"),
    }
}

#[track_caller]
fn table(rows: &[Row<'_>]) {
    for (what, changes, (secret, start, end), expected) in rows {
        assert_eq!(said(changes, *secret, *start, *end), *expected, "{what}");
        // The order in which they were written down says nothing.
        let turned: Vec<Change> = changes.iter().rev().copied().collect();
        assert_eq!(said(&turned, *secret, *start, *end), *expected, "{what}, the other way round");
    }
}

const MADE: Change = (CREATE, 10, 20, Done);

#[test]
fn law_02_a_secret_works_from_the_answer_that_made_it() {
    table(&[
        ("of a secret that nobody made nothing is known", &[], (1, 30, 40), Nothing),
        ("before it is asked for", &[MADE], (1, 0, 5), Nothing),
        ("while it is made", &[MADE], (1, 12, 18), Nothing),
        ("touching the answer", &[MADE], (1, 20, 25), Nothing),
        ("just after it", &[MADE], (1, 21, 25), MustBeActive),
        ("in no time at all", &[MADE], (1, 21, 21), MustBeActive),
        ("for ever", &[MADE], (1, 1 << 60, u64::MAX), MustBeActive),
        ("begun before, ended after", &[MADE], (1, 5, 50), Nothing),
        ("made, or not", &[(CREATE, 10, 20, Unknown)], (1, 30, 40), Nothing),
        ("not made", &[(CREATE, 10, 20, Refused)], (1, 30, 40), Nothing),
        ("another secret", &[MADE], (2, 30, 40), Nothing),
    ]);
}

#[test]
fn law_01_a_secret_is_dead_from_the_answer_that_ended_it() {
    let revoked: &[Change] = &[MADE, (REVOKE, 30, 40, Done)];
    table(&[
        ("before", revoked, (1, 21, 29), MustBeActive),
        ("touching the question", revoked, (1, 21, 30), Nothing),
        ("while it is revoked", revoked, (1, 32, 38), Nothing),
        ("around all of it", revoked, (1, 25, 50), Nothing),
        ("touching the answer", revoked, (1, 40, 45), Nothing),
        ("just after it", revoked, (1, 41, 45), MustBeInactive),
        ("for ever", revoked, (1, 1 << 60, u64::MAX), MustBeInactive),
        ("another token", &[MADE, (Write::Revoke { token: 2 }, 30, 40, Done)], (1, 50, 60), MustBeActive),
        (
            "revoked, and nobody knows whether it was made",
            &[(CREATE, 10, 20, Unknown), (REVOKE, 30, 40, Done)],
            (1, 50, 60),
            MustBeInactive,
        ),
    ]);
}

#[test]
fn what_is_in_doubt_may_happen_at_any_time_or_never() {
    let doubted: &[Change] = &[MADE, (REVOKE, 30, 30, Unknown)];
    let twice: &[Change] = &[MADE, (REVOKE, 30, 30, Unknown), (REVOKE, 50, 60, Done)];
    table(&[
        ("before it was sent", doubted, (1, 21, 29), MustBeActive),
        ("when it was sent", doubted, (1, 21, 30), Nothing),
        ("long after", doubted, (1, 1 << 60, u64::MAX), Nothing),
        ("refused", &[MADE, (REVOKE, 30, 40, Refused)], (1, 50, 60), MustBeActive),
        ("in doubt, and asked for again", twice, (1, 35, 45), Nothing),
        ("answered at last", twice, (1, 61, 65), MustBeInactive),
        (
            "the first answer of several counts",
            &[MADE, (REVOKE, 30, 90, Done), (REVOKE, 35, 50, Done)],
            (1, 51, 60),
            MustBeInactive,
        ),
        (
            "and the first question",
            &[MADE, (REVOKE, 35, 50, Done), (REVOKE, 30, 90, Done)],
            (1, 21, 30),
            Nothing,
        ),
    ]);
}

#[test]
fn a_reset_ends_one_secret_and_makes_another() {
    let done: &[Change] = &[MADE, (RESET, 30, 40, Done)];
    let doubted: &[Change] = &[MADE, (RESET, 30, 30, Unknown)];
    let then_revoked: &[Change] = &[MADE, (RESET, 30, 40, Done), (REVOKE, 50, 60, Done)];
    table(&[
        ("the old one before", done, (1, 21, 29), MustBeActive),
        ("the old one meanwhile", done, (1, 30, 40), Nothing),
        ("the old one after", done, (1, 41, 45), MustBeInactive),
        ("the new one meanwhile", done, (2, 35, 40), Nothing),
        ("the new one, touching", done, (2, 40, 45), Nothing),
        ("the new one after", done, (2, 41, 45), MustBeActive),
        ("in doubt, the old one", doubted, (1, 41, 45), Nothing),
        ("in doubt, the new one", doubted, (2, 41, 45), Nothing),
        ("refused, the old one", &[MADE, (RESET, 30, 40, Refused)], (1, 41, 45), MustBeActive),
        ("refused, the new one", &[MADE, (RESET, 30, 40, Refused)], (2, 41, 45), Nothing),
        ("a revocation ends the new one", then_revoked, (2, 61, 65), MustBeInactive),
        ("and the old one was dead before", then_revoked, (1, 41, 45), MustBeInactive),
    ]);
}

#[test]
fn a_grace_is_counted_from_the_question_and_from_the_answer() {
    let graceful: &[Change] = &[MADE, (GRACEFUL, 30, 34, Done)];
    let vague: &[Change] = &[MADE, (VAGUE, 30, 34, Done)];
    let revoked: &[Change] = &[MADE, (GRACEFUL, 30, 34, Done), (REVOKE, 36, 38, Done)];
    table(&[
        ("in the grace", graceful, (1, 31, 39), MustBeActive),
        ("when it may end", graceful, (1, 31, 40), Nothing),
        ("when it may not have ended", graceful, (1, 44, 50), Nothing),
        ("after it", graceful, (1, 45, 50), MustBeInactive),
        ("the new one works beside it", graceful, (2, 35, 39), MustBeActive),
        ("vague: in the grace", vague, (1, 31, 39), MustBeActive),
        ("vague: when it may end", vague, (1, 31, 40), Nothing),
        ("vague: when it may not have ended", vague, (1, 54, 60), Nothing),
        ("vague: after it", vague, (1, 55, 60), MustBeInactive),
        ("a revocation in the grace ends both: the old one", revoked, (1, 39, 39), MustBeInactive),
        ("a revocation in the grace ends both: the new one", revoked, (2, 39, 39), MustBeInactive),
        ("in doubt", &[MADE, (GRACEFUL, 30, 30, Unknown)], (1, 31, 39), MustBeActive),
        ("in doubt, and over", &[MADE, (GRACEFUL, 30, 30, Unknown)], (1, 45, 50), Nothing),
        (
            "one that never ends",
            &[MADE, (reset(Grace::of(Duration::MAX)), 30, 34, Done)],
            (1, 1 << 60, u64::MAX - 1),
            MustBeActive,
        ),
    ]);
}

#[test]
fn all_answers_are_looked_at_and_told_in_words() {
    let written = |write, start, end| Written { write, outcome: Done, start, end };
    let verified = |secret, verdict, start| Verified { secret, verdict, start, end: start + 1 };
    let history = History {
        writes: vec![
            written(CREATE, 10, 20),
            written(Write::Create { token: 2, secret: 5 }, 10, 20),
            written(REVOKE, 30, 40),
        ],
        verifications: vec![
            verified(1, Active, 25),
            verified(1, Active, 35),
            verified(1, Active, 41),
            verified(5, Inactive, 41),
            verified(5, Active, 42),
        ],
    };
    let Findings { violations, decided } = history.check();
    assert_eq!(decided, 4);
    let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "law 1: secret 1 was Active in a verification from 41 ns to 42 ns, after Revoke { token: 1 } was answered at 40 ns",
            "law 2: secret 5 was Inactive in a verification from 41 ns to 42 ns, after Create { token: 2, secret: 5 } was \
         answered at 20 ns, and nothing had begun to end it",
        ]
    );
}

#[test]
#[should_panic(expected = "two changes make secret 1")]
fn a_secret_is_made_once() {
    said(&[MADE, MADE], 1, 30, 40);
}

#[test]
fn a_recorder_writes_down_what_is_answered_and_what_is_not() {
    let recorder = Recorder::default();
    recorder.write(CREATE).answered(Done);
    let _cut_off = recorder.write(REVOKE);
    let _never_answered = recorder.verify(1);
    recorder.verify(1).answered(Inactive);
    let History { writes, verifications } = recorder.history();
    let outcomes: Vec<_> = writes.iter().map(|written| (written.write, written.outcome)).collect();
    assert_eq!(outcomes, [(CREATE, Done), (REVOKE, Unknown)]);
    assert!(writes[0].start <= writes[0].end && writes[0].end <= writes[1].start);
    let [only] = verifications[..] else { panic!("{verifications:?}") };
    assert!(only.verdict == Inactive && writes[1].start <= only.start && only.start <= only.end);
}

/// What a token of the model does at an instant of its own.
#[derive(Clone, Debug)]
enum Step {
    Create,
    /// With a grace in instants.
    Reset(u64),
    Revoke,
    /// Of which of its secrets, counted back from the newest.
    Verify(usize),
}

/// A step at an instant, asked so long before it and answered so long after, and whether the answer got lost.
#[derive(Clone, Debug)]
struct Happening {
    token: u64,
    step: Step,
    before: u64,
    after: u64,
    lost: bool,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let step = prop_oneof![
        2 => Just(Step::Create),
        2 => (0..60_u64).prop_map(Step::Reset),
        1 => Just(Step::Revoke),
        8 => (0..3_usize).prop_map(Step::Verify),
    ];
    let one =
        (0..4_u64, step, 0..40_u64, 0..40_u64, 0..8_u8).prop_map(|(token, step, before, after, lost)| {
            Happening { token, step, before, after, lost: lost == 0 }
        });
    prop::collection::vec(one, 1..200)
}

/// Tokens as they truly are: one change after the other, each in no time.
#[derive(Default)]
struct Model {
    history: History,
    /// By token: its secrets, each with the instant from which it is dead.
    tokens: Vec<Vec<(u64, Option<u64>)>>,
    secrets: u64,
}

/// Between two steps, so that what is asked before and answered after overlaps with others.
const PACE: u64 = 10;

impl Model {
    fn run(happenings: &[Happening]) -> History {
        let mut model = Self { tokens: vec![Vec::new(); 4], ..Self::default() };
        for (at, happening) in (10..).zip(happenings) {
            model.step(at * PACE, happening);
        }
        model.history
    }

    fn step(&mut self, now: u64, Happening { token, step, before, after, lost }: &Happening) {
        let secrets = &mut self.tokens[usize::try_from(*token).unwrap()];
        let living = secrets.last().filter(|(_, end)| end.is_none()).map(|(secret, _)| *secret);
        let new = self.secrets + 1;
        let write = match (step, living) {
            (Step::Create, None) if secrets.is_empty() => Write::Create { token: *token, secret: new },
            (Step::Reset(grace), Some(old)) => {
                // The secret that was in its grace would end with the next reset.
                if secrets.iter().any(|(_, end)| end.is_some_and(|end| end > now)) {
                    return;
                }
                let grace = Grace::of(Duration::from_nanos(*grace));
                Write::Reset { token: *token, old, new, grace }
            }
            (Step::Revoke, Some(_)) => Write::Revoke { token: *token },
            (Step::Verify(back), _) => return self.verify(now, *token, *back, (*before, *after)),
            _ => return,
        };
        match write {
            Write::Create { .. } => {}
            Write::Reset { grace, .. } => {
                let lasts = u64::try_from(grace.at_most.as_nanos()).unwrap();
                secrets.last_mut().unwrap().1 = Some(now + lasts);
            }
            Write::Revoke { .. } => {
                secrets.iter_mut().for_each(|(_, end)| *end = Some(end.map_or(now, |end| end.min(now))));
            }
        }
        if !matches!(write, Write::Revoke { .. }) {
            secrets.push((new, None));
            self.secrets = new;
        }
        let outcome = if *lost { Unknown } else { Done };
        self.history.writes.push(Written { write, outcome, start: now - before, end: now + after });
    }

    fn verify(&mut self, now: u64, token: u64, back: usize, (before, after): (u64, u64)) {
        let secrets = &self.tokens[usize::try_from(token).unwrap()];
        let Some((secret, end)) = secrets.iter().rev().nth(back) else { return };
        let verdict = if end.is_none_or(|end| end > now) { Active } else { Inactive };
        let (start, end) = (now - before, now + after);
        self.history.verifications.push(Verified { secret: *secret, verdict, start, end });
    }
}

fn other(verdict: Verdict) -> Verdict {
    if verdict == Active { Inactive } else { Active }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a machine that does one thing after the other answers is right, however long its answers are under way.
    #[test]
    fn what_a_sequential_model_answers_is_accepted(happenings in happenings()) {
        let findings = Model::run(&happenings).check();
        prop_assert!(findings.violations.is_empty(), "{:?}", findings.violations);
    }

    /// Any one answer that the laws decide, turned into its opposite, is found, and nothing else is.
    #[test]
    fn one_wrong_answer_is_found(happenings in happenings(), which in any::<prop::sample::Index>()) {
        let mut history = Model::run(&happenings);
        let alone = |verified: Verified| {
            History { writes: history.writes.clone(), verifications: vec![verified] }.check().decided == 1
        };
        let decided: Vec<usize> =
            (0..history.verifications.len()).filter(|at| alone(history.verifications[*at])).collect();
        prop_assume!(!decided.is_empty());
        let at = decided[which.index(decided.len())];
        history.verifications[at].verdict = other(history.verifications[at].verdict);
        let findings = history.check();
        prop_assert_eq!(findings.decided, decided.len());
        prop_assert_eq!(findings.violations.len(), 1);
        let (Violation::Honoured(verified, _) | Violation::Refused(verified, _)) = findings.violations[0];
        prop_assert_eq!(verified, history.verifications[at]);
    }
}

/// One token that was reset and revoked as often as it was verified, and as many tokens as there is room for: were anything
/// compared with everything, this would take thirty thousand million steps, and minutes.
#[test]
fn three_hundred_thousand_operations_are_few() {
    const EACH: u64 = 50_000;
    let mut history = History::default();
    let done = |write, at| Written { write, outcome: Done, start: at, end: at + 1 };
    let verified = |secret, verdict, at| Verified { secret, verdict, start: at, end: at + 1 };
    history.writes.push(done(Write::Create { token: 0, secret: 0 }, 0));
    for number in 1..=EACH {
        let reset = Write::Reset { token: 0, old: number - 1, new: number, grace: Grace::NONE };
        history.writes.push(done(reset, 10 * number));
        history.verifications.push(verified(number, Active, 10 * number + 5));
        history.writes.push(done(Write::Revoke { token: 0 }, 10 * (EACH + number)));
        let (token, secret) = (number, EACH + number);
        history.writes.push(done(Write::Create { token, secret }, 0));
        history.writes.push(done(Write::Revoke { token }, 100));
        history.verifications.push(verified(secret, Inactive, 200));
    }
    let operations = history.writes.len() + history.verifications.len();
    let began = Instant::now();
    let findings = history.check();
    println!("{operations} operations in {:?}", began.elapsed());
    assert_eq!(operations, 300_001);
    assert_eq!((findings.decided, findings.violations.len()), (100_000, 0));
}
