//! Verification: from a presented text to a verdict, from memory alone.

use jeton_core::rule;
use jeton_index::verdict::{Requirement, Verdict};

use crate::Service;
use crate::error::Error;
use crate::session::Session;

impl Service {
    /// Decides on a presented text: format and checksum, digest, index. What is not asked about by somebody with a
    /// session is decided for whichever account it belongs to.
    pub fn verify(
        &self,
        asker: Option<&Session>,
        presented: &str,
        requirement: Option<Requirement<'_>>,
    ) -> Verdict {
        if let Err(reason) = self.inner.mint.format.recognize(presented) {
            tracing::debug!(?reason, "a presented text is no secret");
            return Verdict::Inactive;
        }
        let now = self.now();
        let digest = self.inner.mint.key.digest(presented);
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

    /// Whether this text is the very secret that the session presented.
    pub fn is_of(&self, session: &Session, presented: &str) -> bool {
        session.has(&self.inner.mint.key.digest(presented))
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
            let Ok(found) = self.token_of_any_kind(caller.account, caller.token).await else {
                return Ok(());
            };
            let proposal = rule::revoke_by_secret(caller, &found.token, self.now());
            if self.commit_first(vec![proposal]).await?.is_some() {
                return Ok(());
            }
        }
        Err(crate::Failure::Contended.into())
    }
}
