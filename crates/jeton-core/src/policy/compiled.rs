//! A statement as it is evaluated: what its author wrote, in the order in which it is cheapest to say no.
//!
//! Most statements of a policy are about another kind of resource than the question, and a kind is compared in one step.
//! Then come the actions, which are mostly a name or a star, and only then the names of the resource.

use super::glob::Glob;
use super::kind::Kind;
use super::reach::Reach;
use super::{Effect, Request, Statement};

#[derive(Debug)]
pub(super) struct Compiled {
    /// None: every kind.
    kind: Option<Kind>,
    pub(super) effect: Effect,
    /// Whether the statement is about all actions but these.
    but: bool,
    actions: Box<[Glob]>,
    reach: Reach,
}

impl Compiled {
    pub(super) fn new(statement: &Statement, reach: Reach) -> Self {
        let but = !statement.not_actions.is_empty();
        let actions = if but { &statement.not_actions } else { &statement.actions };
        let actions = actions.iter().map(|action| Glob::new(action)).collect();
        Self { kind: reach.kind(), effect: statement.effect, but, actions, reach }
    }

    /// Whether the statement applies to the request. Names of actions are compared with their case.
    pub(super) fn applies(&self, request: &Request<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == request.resource.kind())
            && self.actions.iter().any(|action| action.covers(request.action)) != self.but
            && self.reach.covers(self.effect, request)
    }
}
