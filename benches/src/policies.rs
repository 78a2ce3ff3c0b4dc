//! What one decision by policy costs, beside an evaluator that reads the statements anew for each question.
//!
//! A policy of twenty statements, as a careful operator writes one: some deny, some have globs in the middle of a name.
//! The questions hit the first and the last statement, a deny, and nothing. Both sides answer the same questions in the
//! same order and must agree; ours gets its resources made of ids, as the server makes them.

use std::hint::black_box;
use std::time::Instant;

use jeton_core::policy::{Attributes, Decision, Effect, Policy, Request, Resource, Statement};

use crate::Fallible;
use crate::figure::{Figure, Goal, Report};
use crate::options::Options;
use crate::rounds::{Series, take_turns};

/// Questions between two looks at the clock.
const BATCH: u32 = 1000;
/// One decision in 200 ns is five million by the second.
const GOAL: f64 = 200.0;

const QUESTIONS: [(&str, &str); 6] = [
    ("createAccessToken", "service-token/019b7ca98f2e9f6b9dae6f4c"),
    ("deleteAccessToken", "service-token/019b7ca98f2e9f6b9dae6f4c"),
    ("updateAccessTokenName", "member/019b7ca98f2e9f6b9dae6f4c:token/019b7ca98f2e9f6b9dae6f4d"),
    ("updateOn", "proj/shop:env/staging-9:flag/ops_kill_switch"),
    ("updateOn", "proj/shop:env/production:flag/ops_kill_switch"),
    ("createRole", "role/ops"),
];

pub(crate) fn measure(options: &Options, report: &mut Report) -> Fallible<()> {
    let statements = statements();
    let policy = Policy::new(statements.clone())?;
    let mut questions = Vec::with_capacity(QUESTIONS.len());
    for (action, resource) in QUESTIONS {
        let read = Resource::parse(resource).ok_or("a question about nothing")?;
        questions.push((action, read));
        let answer = decide(&policy, action, read);
        if answer != naive::allows(&statements, action, resource) {
            return Err(format!("the two don't agree on {action} on {resource}").into());
        }
    }
    let seconds = options.seconds;
    let series: Series<2> = take_turns(options.rounds, options.seed, |side| {
        let turn = match side {
            0 => timed(seconds, &questions, |(action, resource)| decide(&policy, action, *resource)),
            _ => {
                timed(seconds, &QUESTIONS, |(action, resource)| naive::allows(&statements, action, resource))
            }
        };
        Ok(turn)
    })?;
    let figure = Figure::plain("decision by a policy of 20 statements", series.spread(0).median, "ns")
        .beside(series.spread(1).median, series.ratio(0, 1))
        .goal(Goal::AtMost(GOAL));
    report.add(figure)
}

fn decide(policy: &Policy, action: &str, resource: Resource<'_>) -> bool {
    let attributes = Attributes::default();
    matches!(
        policy.evaluate(&Request { action, resource, attributes: &attributes }),
        Decision::Allowed { .. }
    )
}

/// Nanoseconds for one decision.
fn timed<Q>(seconds: f64, questions: &[Q], decide: impl Fn(&Q) -> bool) -> f64 {
    let started = Instant::now();
    let mut decisions = 0_u64;
    while started.elapsed().as_secs_f64() < seconds {
        for _ in 0..BATCH {
            for question in questions {
                black_box(decide(black_box(question)));
                decisions += 1;
            }
        }
    }
    started.elapsed().as_secs_f64() * 1e9 / decisions as f64
}

fn statements() -> Vec<Statement> {
    let statement = |effect, action: &str, resource: &str| Statement {
        effect,
        resources: vec![resource.to_owned()],
        not_resources: Vec::new(),
        actions: vec![action.to_owned()],
        not_actions: Vec::new(),
    };
    let mut all = vec![statement(Effect::Allow, "createAccessToken", "service-token/*")];
    for team in 0..8 {
        all.push(statement(Effect::Allow, "update*", &format!("proj/team-{team}:env/*:flag/*")));
        all.push(statement(Effect::Deny, "delete*", &format!("proj/team-{team}:env/prod*:flag/*")));
    }
    all.push(statement(Effect::Deny, "deleteAccessToken", "service-token/*"));
    all.push(statement(Effect::Allow, "updateOn", "proj/*:env/staging-*:flag/ops_*"));
    all.push(statement(Effect::Allow, "updateAccessToken*", "member/*:token/*"));
    all
}

/// The evaluator that one would write first: it takes every specifier apart for every question.
mod naive {
    use jeton_core::policy::{Effect, Statement};

    pub(super) fn allows(statements: &[Statement], action: &str, resource: &str) -> bool {
        let applies = |statement: &&Statement| {
            statement.actions.iter().any(|pattern| glob(pattern, action))
                && statement.resources.iter().any(|specifier| covers(specifier, resource))
        };
        let mut found = statements.iter().filter(applies).peekable();
        found.peek().is_some() && found.all(|statement| statement.effect == Effect::Allow)
    }

    fn covers(specifier: &str, resource: &str) -> bool {
        let parts = |text: &str| -> Vec<(String, String)> {
            text.split(':')
                .map(|part| {
                    let (kind, name) = part.split_once('/').unwrap_or((part, ""));
                    (kind.to_owned(), name.to_owned())
                })
                .collect()
        };
        let (specifier, resource) = (parts(specifier), parts(resource));
        specifier.len() == resource.len()
            && specifier
                .iter()
                .zip(&resource)
                .all(|((kind, pattern), (of, name))| kind == of && glob(pattern, name))
    }

    fn glob(pattern: &str, text: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == text,
            Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
                (0..=rest.len()).any(|at| rest.is_char_boundary(at) && glob(after, &rest[at..]))
            }),
        }
    }
}
