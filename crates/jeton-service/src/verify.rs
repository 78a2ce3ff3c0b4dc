//! Verification: from a presented text to a verdict, from memory alone.

use jeton_core::digest::Digest;
use jeton_core::refusal::Refusal;
use jeton_core::rule;
use jeton_index::verdict::{Requirement, Verdict};

use crate::Service;
use crate::error::Error;
use crate::session::Session;

/// A presented text that could be a secret, as its digest: worked out once, whatever is asked about it.
#[derive(Clone, Copy, Debug)]
pub struct Presented(Digest);

impl Service {
    /// Looks at a presented text: its format, its checksum, its digest. `None` for what can't be a secret.
    pub fn present(&self, text: &str) -> Option<Presented> {
        let unlike = |reason| tracing::debug!(?reason, "a presented text is no secret");
        self.digest_of(text).map_err(unlike).ok().map(Presented)
    }

    /// Decides on what was presented, from memory. What is not asked about by somebody with a session is decided for
    /// whichever account it belongs to.
    pub fn verify(
        &self,
        asker: Option<&Session>,
        presented: Option<Presented>,
        requirement: Option<Requirement<'_>>,
    ) -> Verdict {
        let Some(Presented(digest)) = presented else { return Verdict::Inactive };
        let now = self.now();
        let verdict = match self.inner.index.decide(&digest, requirement, now) {
            Ok(verdict) => verdict,
            Err(reason) => {
                tracing::debug!(?reason, "a presented secret is good for nothing");
                return Verdict::Inactive;
            }
        };
        let (Verdict::Allowed(verified) | Verdict::Forbidden(verified)) = &verdict else { return verdict };
        // Accounts are walls: to whoever asks from another one, there is no such token.
        if asker.is_some_and(|asker| asker.caller().account != verified.member.account) {
            return Verdict::Inactive;
        }
        self.inner.last_used.note(verified.token, verified.kind, verified.member.id, now);
        verdict
    }

    /// Whether this session may ask about the secrets of others.
    ///
    /// # Errors
    /// [`jeton_core::refusal::Refusal::NotAllowed`].
    pub fn require_verifier(&self, session: &Session) -> Result<(), Error> {
        Ok(rule::may_verify(session.caller())?)
    }

    /// Whether this session may ask about this: about the very secret that it presented everybody may.
    ///
    /// # Errors
    /// [`jeton_core::refusal::Refusal::NotAllowed`].
    pub fn may_ask(&self, session: &Session, presented: Option<Presented>) -> Result<(), Error> {
        match presented {
            Some(Presented(digest)) if session.has(&digest) => Ok(()),
            _ => self.require_verifier(session),
        }
    }

    /// Revokes the token that a secret belongs to, on the authority of whoever holds the secret: one that was found
    /// somewhere can be killed with nothing else. Nothing happens if it is good for nothing already.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn revoke_by_secret(&self, presented: &str) -> Result<(), Error> {
        for _ in 0..crate::tokens::ATTEMPTS {
            let Ok(session) = self.authenticate(presented) else { return Ok(()) };
            let caller = session.caller();
            let found = match self.token_of_any_kind(caller.account, caller.token).await {
                Ok(found) => found,
                // Somebody else was faster, and nothing is left to be done. Anything else is a failure, and the secret
                // may live on.
                Err(Error::Refused(Refusal::NoSuchToken)) => return Ok(()),
                Err(error) => return Err(error),
            };
            let proposal = rule::revoke_by_secret(caller, &found.token, self.now());
            if self.commit_first(vec![proposal]).await?.is_some() {
                return Ok(());
            }
        }
        Err(crate::Failure::Contended.into())
    }
}
