//! Visits every state that a model can reach, the nearest first, so that the story of a violation is as short as any.
//!
//! The crate `stateright` does this too. It brings a web server and `rand`, which the rules of the tree keep out, and what
//! is needed of it stands on this page.
//!
//! Of a state that was visited only a fingerprint of 64 bits is kept, and that of the state before it: a hundred million fit
//! into a few gigabytes. Two states with one fingerprint would be taken for one, and the second not be visited. Among n states
//! there is such a pair with a probability of about n² / 2⁶⁵, times what a hash of many steps is worse than chance: one in ten
//! thousand or a thousand for ninety million.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Debug;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher};

use foldhash::quality::FixedState;

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

/// What stands for a state that was visited.
type Fingerprint = u64;

fn fingerprint(state: &impl Hash) -> Fingerprint {
    FixedState::default().hash_one(state)
}

/// The states that were visited, each with the one before it; the first comes after itself.
type Visited = HashMap<Fingerprint, Fingerprint, BuildHasherDefault<Hashed>>;

/// Fingerprints are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {
        unreachable!("fingerprints are numbers");
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Visits every state, or those on the way to the first violation.
pub(crate) fn explore<M: Model>(model: &M) -> Report<M::Step> {
    let first = fingerprint(&model.initial());
    let mut visited = Visited::default();
    visited.insert(first, first);
    let mut level = vec![model.initial()];
    let mut found = Vec::new();
    while !level.is_empty() {
        let mut beyond = Vec::new();
        for state in level {
            let before = fingerprint(&state);
            model.next(&state, &mut found);
            for (_, state) in found.drain(..) {
                let Entry::Vacant(place) = visited.entry(fingerprint(&state)) else { continue };
                let at = *place.key();
                place.insert(before);
                if let Some(law) = model.broken(&state) {
                    let violation = Some((law, way(model, &visited, at)));
                    return Report { states: visited.len(), violation };
                }
                beyond.push(state);
            }
        }
        level = beyond;
    }
    Report { states: visited.len(), violation: None }
}

/// The steps to a state: from the first one on, each leads to the next fingerprint on the way.
fn way<M: Model>(model: &M, visited: &Visited, to: Fingerprint) -> Vec<M::Step> {
    let mut fingerprints = vec![to];
    let mut at = to;
    while visited[&at] != at {
        at = visited[&at];
        fingerprints.push(at);
    }
    let (mut state, mut found) = (model.initial(), Vec::new());
    fingerprints
        .iter()
        .rev()
        .skip(1)
        .map(|next| {
            model.next(&state, &mut found);
            let (step, after) =
                found.drain(..).find(|(_, after)| fingerprint(after) == *next).expect("it was found here");
            state = after;
            step
        })
        .collect()
}
