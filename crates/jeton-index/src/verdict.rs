//! The verdict: whether a secret is good, and whether it may do what is asked of it. Every surface that somebody asks on
//! translates this, and nothing else.

use std::sync::Arc;

use jeton_core::caller::{Caller, Rights};
use jeton_core::change::Revision;
use jeton_core::digest::Digest;
use jeton_core::id::TokenId;
use jeton_core::member::Member;
use jeton_core::policy::Resource;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{Scope, TokenKind};

use crate::{Dead, Index, Living};

/// What a secret is to be good for.
#[derive(Clone, Copy, Debug)]
pub struct Requirement<'a> {
    /// The action, as policies name it.
    pub action: &'a str,
    /// The resource.
    pub resource: Resource<'a>,
}

/// What is to be told of a good secret.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The token.
    pub token: TokenId,
    /// Its kind.
    pub kind: TokenKind,
    /// Its owner; for a service token the member who made it.
    pub member: Arc<Member>,
    /// What it may do by itself.
    pub scope: Scope,
    /// When the secret ends by itself, if it does.
    pub expires_at: Option<Timestamp>,
    /// Whether the secret was one that has been replaced and works only until its grace ends.
    pub retiring: bool,
    /// The last change that was known when this was decided.
    pub revision: Revision,
}

/// What came of a look at a secret.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is good, and may do what is asked, if anything is.
    Allowed(Verified),
    /// It is good, and may not do what is asked.
    Forbidden(Verified),
    /// It is good for nothing. Why is in the log: a stranger learns only that it is.
    Inactive,
}

impl Index {
    /// Decides on the secret with this digest at `now`.
    ///
    /// # Errors
    /// Why it is good for nothing.
    pub fn decide(
        &self,
        digest: &Digest,
        requirement: Option<Requirement<'_>>,
        now: Timestamp,
    ) -> Result<Verdict, Dead> {
        // Before the secret is looked at: what is decided is then at least as new as this says.
        let revision = self.revision();
        self.verify(digest, now, |living| {
            let member = living.record().ok_or(Dead::Unknown)?;
            let allowed = requirement.is_none_or(|it| self.may(living, &member, it));
            let Rights { kind, scope, .. } = living.rights;
            let verified = Verified {
                token: living.token(),
                kind: *kind,
                member,
                scope: scope.clone(),
                expires_at: living.ends_at(),
                retiring: living.is_retiring(),
                revision,
            };
            Ok(if allowed { Verdict::Allowed(verified) } else { Verdict::Forbidden(verified) })
        })?
    }

    fn may(&self, living: &Living<'_>, member: &Arc<Member>, requirement: Requirement<'_>) -> bool {
        let token = (living.token(), living.revision());
        let caller = Caller::new(token, living.rights, Arc::clone(member), self.directory());
        caller.may(requirement.action, requirement.resource)
    }
}
