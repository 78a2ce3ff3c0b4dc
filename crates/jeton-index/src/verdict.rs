//! The verdict: whether a secret is good, and whether it may do what is asked of it. Every surface that somebody asks on
//! translates this, and nothing else.

use std::sync::Arc;

use jeton_core::caller::{Caller, Rights};
use jeton_core::change::Revision;
use jeton_core::digest::{Digest, ServerKey};
use jeton_core::id::TokenId;
use jeton_core::member::Member;
use jeton_core::policy::Resource;
use jeton_core::secret::{Malformed, SecretFormat};
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

/// Why a secret is not good for what is asked. For the log and for the token's owner: a stranger learns only that it is not.
#[derive(Clone, Debug)]
pub enum Refused {
    /// The text can't be a secret.
    Malformed(Malformed),
    /// The secret is good for nothing.
    Dead(Dead),
    /// It is good, and may not do what is asked.
    NotAllowed(Verified),
}

/// From a presented text to a verdict, in a program that has an index in it: format and checksum, the keyed digest, the index.
/// Each is cheaper than the next, and ends most of what is no secret.
#[derive(Clone, Copy)]
pub struct Verifier<'i> {
    /// What secrets look like.
    pub format: &'i SecretFormat,
    /// What they are digested with.
    pub key: &'i ServerKey,
    /// What is known of them.
    pub index: &'i Index,
}

impl Verifier<'_> {
    /// Decides on a presented text at `now`. Whoever answers strangers gives all refusals of a secret one answer.
    ///
    /// # Errors
    /// Why it is not good for what is asked, as exactly as is known ([`Index::why`]).
    pub fn verify(
        &self,
        presented: &str,
        requirement: Option<Requirement<'_>>,
        now: Timestamp,
    ) -> Result<Verified, Refused> {
        self.format.recognize(presented).map_err(Refused::Malformed)?;
        let digest = self.key.digest(presented);
        match self.index.decide(&digest, requirement, now) {
            Ok(Decided { verified, is_allowed: true }) => Ok(verified),
            Ok(Decided { verified, is_allowed: false }) => Err(Refused::NotAllowed(verified)),
            Err(dead) => Err(Refused::Dead(self.index.why(&digest, now).unwrap_or(dead))),
        }
    }
}

/// What is decided on a good secret.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Whose it is.
    pub verified: Verified,
    /// Whether it may do what is asked, if anything is.
    pub is_allowed: bool,
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
    ) -> Result<Decided, Dead> {
        // Before the secret is looked at: what is decided is then at least as new as this says.
        let revision = self.revision();
        self.verify(digest, now, |living| {
            let member = living.record().ok_or(Dead::Unknown)?;
            let is_allowed = requirement.is_none_or(|it| self.may(living, &member, it));
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
            Ok(Decided { verified, is_allowed })
        })?
    }

    fn may(&self, living: &Living<'_>, member: &Arc<Member>, requirement: Requirement<'_>) -> bool {
        let token = (living.token(), living.revision());
        let caller = Caller::new(token, living.rights, Arc::clone(member), self.directory());
        caller.may(requirement.action, requirement.resource)
    }
}
