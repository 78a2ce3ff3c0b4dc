//! Verification: from a presented text to a verdict, from memory alone.

use jeton_core::digest::Digest;
use jeton_core::refusal::Refusal;
use jeton_core::rule;
use jeton_core::secret::Malformed;
use jeton_index::Dead;
use jeton_index::verdict::{Decided, Requirement, Verified};

use crate::Service;
use crate::error::{Error, Failure};
use crate::session::Session;

/// A presented text that could be a secret, as its digest: worked out once, whatever is asked about it.
#[derive(Clone, Copy, Debug)]
pub struct Presented(Digest);

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

fn unlike(reason: Malformed) -> Malformed {
    tracing::debug!(?reason, "a presented text is no secret");
    reason
}

impl Service {
    /// Looks at a presented text: its format, its checksum, its digest. `None` for what can't be a secret.
    pub fn present(&self, text: &str) -> Option<Presented> {
        self.digest_of(text).map_err(unlike).ok().map(Presented)
    }

    /// The same of many, in their order. They are digested together and brought near in memory, for whoever verifies one after
    /// the other then: that takes less than each by itself.
    pub fn present_all(&self, texts: &[&str]) -> Vec<Option<Presented>> {
        let recognized = |text: &&str| self.recognized(text).map_err(unlike).is_ok();
        let are_secrets: Vec<bool> = texts.iter().map(recognized).collect();
        let secrets = texts.iter().zip(&are_secrets).filter(|(_, is_one)| **is_one).map(|(text, _)| *text);
        let mut digests = self.inner.mint.key.digests(&secrets.collect::<Vec<_>>());
        let mut presented = |is_one: &bool| if *is_one { digests.next().map(Presented) } else { None };
        let presented: Vec<_> = are_secrets.iter().map(&mut presented).collect();
        self.inner.index.bring(presented.iter().flatten().map(|Presented(digest)| digest));
        presented
    }

    /// In a cluster, waits until whatever other nodes had issued by now is known here, if one of these is not. To be
    /// called before [`Service::verify`]: what is unknown after it did not exist when this was called.
    ///
    /// # Errors
    /// [`Failure::Stale`].
    pub async fn seek_presented(&self, presented: &[Option<Presented>]) -> Result<(), Failure> {
        self.seek(presented.iter().flatten().map(|Presented(digest)| digest)).await
    }

    /// As [`Service::seek_presented`].
    pub(crate) async fn seek<'d>(
        &self,
        digests: impl IntoIterator<Item = &'d Digest> + Send,
    ) -> Result<(), Failure> {
        let Some(cluster) = &self.inner.cluster else { return Ok(()) };
        let now = self.now();
        let is_unknown =
            |digest: &Digest| matches!(self.inner.index.verify(digest, now, |_| ()), Err(Dead::Unknown));
        if digests.into_iter().any(is_unknown) {
            // Apart: whoever is known, which is nearly everybody, would carry the room for it about.
            Box::pin(cluster.catch_up()).await?;
        }
        Ok(())
    }

    /// Decides on what was presented, from memory. What is not asked about by somebody with a session is decided for
    /// whichever account it belongs to.
    ///
    /// # Errors
    /// [`Failure::Stale`].
    pub fn verify(
        &self,
        asker: Option<&Session>,
        presented: Option<Presented>,
        requirement: Option<Requirement<'_>>,
    ) -> Result<Verdict, Failure> {
        let Some(Presented(digest)) = presented else { return Ok(Verdict::Inactive) };
        self.require_fresh()?;
        let now = self.now();
        let Decided { verified, is_allowed } = match self.inner.index.decide(&digest, requirement, now) {
            Ok(decided) => decided,
            Err(dead) => {
                let reason = self.for_the_log(&digest, now, dead);
                tracing::debug!(?reason, "a presented secret is good for nothing");
                return Ok(Verdict::Inactive);
            }
        };
        // Accounts are walls: to whoever asks from another one, there is no such token.
        if asker.is_some_and(|asker| asker.caller().account != verified.member.account) {
            tracing::debug!(token = %verified.token, "a good token is of another account than whoever asks");
            return Ok(Verdict::Inactive);
        }
        self.inner.last_used.note(verified.token, verified.kind, verified.member.id, now);
        if is_allowed {
            return Ok(Verdict::Allowed(verified));
        }
        tracing::debug!(token = %verified.token, "a good token may not do what is asked of it");
        Ok(Verdict::Forbidden(verified))
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
        // In this order: nearly everybody who asks about many may ask about all of them.
        self.require_verifier(session).or_else(|refusal| match presented {
            Some(Presented(digest)) if session.has(&digest) => Ok(()),
            _ => Err(refusal),
        })
    }

    /// Revokes the token that a secret belongs to, on the authority of whoever holds the secret: one that was found
    /// somewhere can be killed with nothing else. Nothing happens if it is good for nothing already: then it tells `false`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn revoke_by_secret(&self, presented: &str) -> Result<bool, Error> {
        let Ok(digest) = self.digest_of(presented) else { return Ok(false) };
        self.seek([&digest]).await?;
        for _ in 0..crate::tokens::ATTEMPTS {
            self.require_fresh()?;
            // Good for nothing now is not enough: an owner may be let in again, and an end be put off.
            let Some(holder) = self.inner.index.holder(&digest, self.now()) else {
                self.until_all_know().await?;
                return Ok(false);
            };
            match self.token_of_any_kind(holder.account, holder.token).await {
                Ok(found) => {
                    let proposal = rule::revoke_by_secret(&holder, &found.token, self.now());
                    if self.commit_first(vec![proposal]).await?.is_some() {
                        return Ok(true);
                    }
                }
                // Somebody else was faster, or so it seems where this was read: the index has the last word. Anything else
                // is a failure, and the secret may live on.
                Err(Error::Refused(Refusal::NoSuchToken)) => self.until_all_know().await?,
                Err(error) => return Err(error),
            }
        }
        Err(Failure::Contended.into())
    }
}
