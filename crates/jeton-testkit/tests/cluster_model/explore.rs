//! Visits every state that a model can reach, the nearest first, so that the story of a violation is as short as any.
//!
//! The crate `stateright` does this too. It brings a web server and `rand`, which the rules of the tree keep out, and what
//! is needed of it stands on this page.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Debug;
use std::hash::Hash;

/// What can be explored.
pub(crate) trait Model {
    /// Everything that decides what can happen next, and nothing else: two states that are equal are visited once.
    type State: Clone + Eq + Hash;
    /// What happens between two states, for the story.
    type Step: Copy + Debug;

    fn initial(&self) -> Self::State;

    /// Everything that can happen next.
    fn next(&self, state: &Self::State, found: &mut Vec<(Self::Step, Self::State)>);

    /// The law that is broken here, if one is.
    fn broken(&self, state: &Self::State) -> Option<&'static str>;
}

/// What an exploration saw.
pub(crate) struct Report<S> {
    /// How many states can be reached, or were until a law was broken.
    pub(crate) states: usize,
    /// The broken law, and the shortest way there.
    pub(crate) violation: Option<(&'static str, Vec<S>)>,
}

impl<S: Debug> Report<S> {
    /// The story of the violation, one step a line.
    pub(crate) fn story(&self) -> String {
        let Some((law, steps)) = &self.violation else { return "no law is broken".to_owned() };
        let lines: Vec<_> =
            steps.iter().enumerate().map(|(at, step)| format!("{:3} {step:?}", at + 1)).collect();
        format!("{law}, after\n{}", lines.join("\n"))
    }
}

/// Visits every state, or those on the way to the first violation.
pub(crate) fn explore<M: Model>(model: &M) -> Report<M::Step> {
    // Where each state was come to from. A state's number is its place here.
    let mut from: Vec<(usize, Option<M::Step>)> = vec![(0, None)];
    let mut numbers = HashMap::from([(model.initial(), 0)]);
    let mut level = vec![(0, model.initial())];
    let mut found = Vec::new();
    while !level.is_empty() {
        let mut beyond = Vec::new();
        for (number, state) in level {
            model.next(&state, &mut found);
            for (step, state) in found.drain(..) {
                let Entry::Vacant(place) = numbers.entry(state) else { continue };
                from.push((number, Some(step)));
                if let Some(law) = model.broken(place.key()) {
                    return Report { states: from.len(), violation: Some((law, way(&from))) };
                }
                beyond.push((from.len() - 1, place.key().clone()));
                place.insert(from.len() - 1);
            }
        }
        level = beyond;
    }
    Report { states: from.len(), violation: None }
}

/// The steps to the state that was found last.
fn way<S: Copy>(from: &[(usize, Option<S>)]) -> Vec<S> {
    let mut steps = Vec::new();
    let mut at = from.len() - 1;
    while let (before, Some(step)) = from[at] {
        steps.push(step);
        at = before;
    }
    steps.reverse();
    steps
}
