//! Who may do what to which resource, as a list of statements says it.
//!
//! A policy is what a custom role or an inline role holds: statements that allow or deny actions on resources. This
//! module reads such a list once, refuses what it can't read, and then answers questions about it. The language is
//! the one of the access-token API contract, section 4; the numbers of sections in this folder are of that document.
//!
//! The parts, in the order in which a question meets them:
//!
//! 1. [`Policy::evaluate`] goes through the statements (`compiled`): the first that denies decides, and if none does the
//!    first that allows. A deny therefore always wins, the order of statements changes nothing, and a policy that says
//!    nothing grants nothing.
//! 2. A statement has an action part (`glob`) and a resource part (`reach`). It applies if both do.
//! 3. A resource part is a list of specifiers (`specifier`), each a chain of kinds (`kind`) with a pattern (`pattern`)
//!    for the name and with qualifiers, read by `syntax`.
//!
//! An evaluation allocates nothing, and its cost is bounded by the length of the policy times the length of the
//! question, whatever the patterns are (and times the number of values, where a role attribute has several). It has to
//! be so: a token carries its policy into every verification, and whoever may create a token writes that policy.
//!
//! What this module refuses to know: which roles a member has, how several policies combine (any that allows is
//! enough), what base permissions grant when a policy is silent, and how a statement looks on the wire.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

pub mod action;
mod attributes;
mod compiled;
mod error;
mod fit;
mod glob;
mod kind;
mod limits;
mod pattern;
mod reach;
mod resource;
mod specifier;
mod statement;
mod syntax;
mod validate;

pub use attributes::Attributes;
pub use error::PolicyError;
pub use limits::PolicyLimits;
pub use resource::Resource;
pub use statement::{Effect, Statement};

use compiled::Compiled;

/// A list of statements that has been read and found in order.
///
/// It keeps what the caller wrote, word for word, because that is what has to be shown again; two policies are equal
/// if those words are. A clone shares everything and costs one counter.
#[derive(Clone)]
pub struct Policy(Arc<Inner>);

struct Inner {
    statements: Box<[Statement]>,
    /// The statement at the same index, as it is evaluated.
    compiled: Box<[Compiled]>,
    /// Of the statements. Authentication compares policies, and nearly all differ here already.
    fingerprint: u64,
    weight: usize,
}

impl Policy {
    /// Reads a policy (section 4.2). One without statements is in order: it grants nothing.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, from the first statement to the last. Nothing is repaired or dropped: a deny that
    /// was silently left out would be a grant.
    pub fn new(statements: Vec<Statement>) -> Result<Policy, PolicyError> {
        let reaches = validate::reaches(&statements)?;
        let compiled = statements.iter().zip(reaches).map(|(it, reach)| Compiled::new(it, reach)).collect();
        let mut hasher = DefaultHasher::new();
        statements.hash(&mut hasher);
        let (fingerprint, weight) = (hasher.finish(), validate::weight(&statements));
        Ok(Policy(Arc::new(Inner { statements: statements.into(), compiled, fingerprint, weight })))
    }

    /// What the policy costs to keep, in bytes, roughly; at most [`PolicyLimits::TOTAL_BYTES`].
    pub fn weight(&self) -> usize {
        self.0.weight
    }

    /// The statements as they were given, in the order in which they were given.
    pub fn statements(&self) -> &[Statement] {
        &self.0.statements
    }

    /// Whether there is no statement, so that the policy is silent about everything.
    pub fn is_empty(&self) -> bool {
        self.0.statements.is_empty()
    }

    /// What this policy says about one request (section 4.3): a deny beats every allow.
    ///
    /// Silence isn't a refusal yet: another policy of the same caller may allow, and so may base permissions.
    pub fn evaluate(&self, request: &Request<'_>) -> Decision {
        let mut decision = Decision::Silent;
        for (statement, compiled) in self.0.compiled.iter().enumerate() {
            match compiled.effect {
                Effect::Deny if compiled.applies(request) => return Decision::Denied { statement },
                // Once something allows, only a deny is of interest.
                Effect::Allow if decision == Decision::Silent && compiled.applies(request) => {
                    decision = Decision::Allowed { statement };
                }
                Effect::Allow | Effect::Deny => {}
            }
        }
        decision
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.fingerprint == other.0.fingerprint && self.statements() == other.statements())
    }
}

impl Eq for Policy {}

impl Hash for Policy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.fingerprint);
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Policy").field(&self.statements()).finish()
    }
}

/// One question: may this action be done to this resource by somebody with these attributes?
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The exact name of an action, such as one of those in [`action`]. A `*` in it has no meaning.
    pub action: &'a str,
    /// What the action would be done to.
    pub resource: Resource<'a>,
    /// The role attributes of the member on whose behalf the policy is asked.
    pub attributes: &'a Attributes,
}

/// What a policy says about one request, and which statement says so, so that a refusal can give its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allowed {
        /// Index of the first statement that allows.
        statement: usize,
    },
    /// A statement denies it. No other statement of this policy can change that.
    Denied {
        /// Index of the first statement that denies.
        statement: usize,
    },
    /// No statement applies.
    Silent,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(effect: Effect, resource: &str, action: &str) -> Statement {
        Statement {
            effect,
            resources: vec![resource.to_owned()],
            not_resources: Vec::new(),
            actions: vec![action.to_owned()],
            not_actions: Vec::new(),
        }
    }

    fn ask(policy: &Policy, action: &str) -> Decision {
        let resource = Resource::token("m1", "t1");
        policy.evaluate(&Request { action, resource, attributes: &Attributes::default() })
    }

    #[test]
    fn a_decision_names_the_statement_that_made_it() {
        let policy = Policy::new(vec![
            statement(Effect::Allow, "service-token/*", "*"),
            statement(Effect::Allow, "member/*:token/*", "*"),
            statement(Effect::Deny, "member/m1:token/*", action::DELETE_ACCESS_TOKEN),
        ])
        .unwrap();
        assert_eq!(ask(&policy, action::CREATE_ACCESS_TOKEN), Decision::Allowed { statement: 1 });
        assert_eq!(ask(&policy, action::DELETE_ACCESS_TOKEN), Decision::Denied { statement: 2 });
    }

    #[test]
    fn an_empty_policy_is_silent() {
        let policy = Policy::new(Vec::new()).unwrap();
        assert!(policy.is_empty());
        assert_eq!(ask(&policy, action::CREATE_ACCESS_TOKEN), Decision::Silent);
    }

    #[test]
    fn equality_and_debug_are_those_of_the_words() {
        let words = vec![statement(Effect::Allow, "/service-token/*", "*")];
        let policy = Policy::new(words.clone()).unwrap();
        assert_eq!(policy, Policy::new(words.clone()).unwrap());
        assert_ne!(policy, Policy::new(vec![statement(Effect::Allow, "service-token/*", "*")]).unwrap());
        assert_eq!(policy.statements(), words);
        assert_eq!(format!("{policy:?}"), format!("Policy({words:?})"));
    }
}
