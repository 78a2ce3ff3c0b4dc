//! Sessions: from a presented text to a caller, and to a caller again if the ground moved.

use jeton_core::caller::Caller;
use jeton_core::digest::Digest;
use jeton_core::secret::Malformed;
use jeton_core::timestamp::Timestamp;
use jeton_index::Dead;

use crate::Service;
use crate::error::Error;

/// Somebody who presented a good secret. It keeps the digest, so that a decision whose basis changed can be taken again
/// on what is true by then.
#[derive(Clone, Debug)]
pub struct Session {
    digest: Digest,
    caller: Caller,
}

impl Session {
    /// Whether this is the digest of the secret that was presented.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.digest.is_same(digest)
    }

    /// Who it is, and what they may do.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// Why a presented text is good for nothing. The reason is for the log: a stranger learns only that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Invalid token")]
pub enum Unauthenticated {
    /// It can't be a secret.
    Malformed(Malformed),
    /// It is no living secret. That it was revoked or replaced is told only where the log is written at level debug; no
    /// more than that may depend on it.
    Dead(Dead),
}

impl Service {
    /// Finds out who presents this text, from memory alone: format and checksum, digest, index. In a cluster a text that is
    /// unknown is looked for once more, after whatever other nodes have done meanwhile.
    ///
    /// # Errors
    /// Why it is good for nothing; or [`crate::Failure::Stale`].
    pub async fn authenticate(&self, presented: &str) -> Result<Session, Error> {
        let digest = self.digest_of(presented).map_err(Unauthenticated::Malformed)?;
        self.seek([&digest]).await?;
        self.session(digest)
    }

    /// The digest of a text that could be a secret.
    pub(crate) fn digest_of(&self, presented: &str) -> Result<Digest, Malformed> {
        self.recognized(presented)?;
        Ok(self.inner.mint.key.digest(presented))
    }

    /// Whether a text could be a secret.
    pub(crate) fn recognized(&self, presented: &str) -> Result<(), Malformed> {
        self.inner.mint.format.recognize(presented).map(|_| ())
    }

    /// The same session on what is true now: who goes on for a while has to ask again.
    ///
    /// # Errors
    /// If the secret has died; or [`crate::Failure::Stale`].
    pub fn renewed(&self, session: &Session) -> Result<Session, Error> {
        self.session(session.digest)
    }

    /// When the secret of a session ends by itself, if it does: its token's end, or that of its grace.
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is of a single lifetime")]
    pub fn ends_at(&self, session: &Session) -> Option<Timestamp> {
        self.inner.index.verify(&session.digest, self.now(), |living| living.ends_at()).ok().flatten()
    }

    /// Why a secret is good for nothing, as exactly as is known ([`jeton_index::Index::why`]). Looked for only where
    /// somebody reads it: otherwise no refusal waits for a second look.
    pub(crate) fn for_the_log(&self, digest: &Digest, now: Timestamp, dead: Dead) -> Dead {
        if tracing::enabled!(tracing::Level::DEBUG) {
            self.inner.index.why(digest, now).unwrap_or(dead)
        } else {
            dead
        }
    }

    fn session(&self, digest: Digest) -> Result<Session, Error> {
        self.require_fresh()?;
        let now = self.now();
        let caller = self
            .inner
            .index
            .authenticate(&digest, now)
            .map_err(|dead| Unauthenticated::Dead(self.for_the_log(&digest, now, dead)))?;
        self.note_use(&caller, now);
        Ok(Session { digest, caller })
    }
}
