//! Starting: the index is built, the key is checked, and on an empty database the first account is founded.

use std::sync::Arc;

use jeton_core::change::{Event, Revision};
use jeton_core::id::{AccountId, MemberId};
use jeton_core::limits::Limits;
use jeton_core::rule::{self, Founding, Mint};
use jeton_core::secret::Secret;
use jeton_index::Index;
use jeton_store::{Outcome, Store, StoreError};

use crate::committer::{Committed, Committer};
use crate::error::Failure;
use crate::feed::Feed;
use crate::last_used::LastUsed;
use crate::ports::{Clock, Entropy};
use crate::rebuild::{Progress, rebuild};
use crate::sequence::Sequence;
use crate::{Inner, Service};

/// Why a service can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database belongs to another server key.
    #[error(
        "the server key is not the one that this database was made with, so no token could be verified: give the right \
         one with --server-key-file (it was kept beside the database, or wherever its operator put it)"
    )]
    WrongKey,
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What a first start made.
#[derive(Debug)]
pub struct Founded {
    /// The account.
    pub account: AccountId,
    /// Its owner.
    pub owner: MemberId,
    /// The owner's token, to be shown once.
    pub secret: Secret,
}

impl Service {
    /// Builds the index from the store and starts the committer. `progress` hears how far the first has come.
    ///
    /// # Errors
    /// [`StartError`], each saying what to do.
    pub async fn start(
        store: Arc<dyn Store>,
        mint: Mint,
        limits: Limits,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        progress: &mut Progress<'_>,
    ) -> Result<Self, StartError> {
        if !store.bind_key(mint.key.fingerprint()).await? {
            return Err(StartError::WrongKey);
        }
        let index = Arc::new(rebuild(&*store, progress).await?);
        let feed = Arc::new(Feed::start(index.revision())?);
        let committer = Committer::start(Arc::clone(&store), Arc::clone(&index), Arc::clone(&feed))?;
        let (last_used, sequence) = (LastUsed::new(store.presences().await?), Sequence::default());
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                index,
                feed,
                committer,
                mint,
                limits,
                clock,
                entropy,
                last_used,
                sequence,
                turnstile: crate::password::Turnstile::default(),
            }),
        })
    }

    /// Whether nothing was ever committed here.
    pub fn is_empty(&self) -> bool {
        self.inner.index.revision() == Revision::ZERO
    }

    /// Founds the account, its owner and the owner's first token. `None` if there is an account already.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn found(&self, founding: Founding) -> Result<Option<Founded>, Failure> {
        let now = self.now();
        let fresh = [(); 3].map(|()| self.fresh(now));
        let (proposals, secret) = rule::found(founding, &self.inner.mint, now, fresh.each_ref());
        let outcomes = self.inner.committer.commit_all(proposals).await?;
        let member = outcomes.into_iter().find_map(|outcome| match outcome {
            Outcome::Committed(change) => match change.event {
                Event::MemberAdded { member } => Some(member),
                _ => None,
            },
            Outcome::Stale(_) | Outcome::Duplicate => None,
        });
        Ok(member.map(|owner| Founded { account: owner.account, owner: owner.id, secret }))
    }

    /// Issues a token with the rights of the member with this e-mail address, on the authority of whoever runs this on
    /// the machine. `None` if there is no such member.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn recover(&self, email: &str) -> Result<Option<Secret>, Failure> {
        let members = self.inner.store.members_by_email(email).await?;
        let Some(member) = members.into_iter().next() else { return Ok(None) };
        let now = self.now();
        let issued = rule::recover(&member, &self.inner.mint, now, &self.fresh(now));
        match self.inner.committer.commit(issued.proposal).await? {
            Committed::Done(_) => Ok(Some(issued.secret)),
            Committed::Again => Err(Failure::Contended),
        }
    }

    /// What secrets of this installation are made with.
    pub fn mint(&self) -> &Mint {
        &self.inner.mint
    }

    /// An index built anew from the store, to be compared with the one that followed the changes.
    ///
    /// # Errors
    /// If the store fails, or the system.
    pub async fn rebuilt_index(&self) -> Result<Index, StartError> {
        rebuild(&*self.inner.store, &mut |_, _| {}).await
    }
}
