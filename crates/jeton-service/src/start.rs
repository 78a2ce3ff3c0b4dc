//! Starting: the index is built, the key is checked, and on an empty database the first account is founded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jeton_core::change::{Event, Revision};
use jeton_core::id::{AccountId, MemberId};
use jeton_core::limits::Limits;
use jeton_core::rule::{self, Founding, Mint};
use jeton_core::secret::Secret;
use jeton_index::Index;
use jeton_store::shared::Joined;
use jeton_store::{Outcome, SharedStore, Store, StoreError};

use crate::cluster::{Cluster, DatabaseClock, Follower, Membership};
use crate::committer::{Committed, Committer};
use crate::error::Failure;
use crate::feed::Feed;
use crate::last_used::LastUsed;
use crate::memory::Memory;
use crate::ports::{Clock, Entropy, Monotonic};
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
    /// The other nodes live by another lease.
    #[error(
        "the other nodes of this cluster live by a lease of {} ms: start this one with --lease {}ms, or stop all of them \
         first",
        .0.as_millis(), .0.as_millis()
    )]
    OtherLease(Duration),
    /// What was loaded is not what the database holds by now: it was replaced in between.
    #[error("the database was replaced by another one while this server loaded it: start it again")]
    OtherPast,
    /// The database was reached, and then did not answer in time.
    #[error(
        "the database does not answer within a lease: look why, or start all nodes with a longer --lease"
    )]
    NoTurn,
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What a node starts on.
pub struct Joining {
    /// The store that the nodes share.
    pub store: Arc<dyn SharedStore>,
    /// How the node takes part.
    pub membership: Membership,
    /// What secrets are made with.
    pub mint: Mint,
    /// How much there may be of everything.
    pub limits: Limits,
    /// What leases are measured with.
    pub monotonic: Arc<dyn Monotonic>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Who sees to it that the node follows the others.
    pub turns: TurnsBy,
}

/// Who takes a node's turns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnsBy {
    /// A thread of its own.
    OwnThread,
    /// Whoever holds the service: a test.
    Hand,
}

/// What every service stands on.
struct Ground {
    store: Arc<dyn Store>,
    mint: Mint,
    limits: Limits,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// What is loaded from a store.
struct Parts {
    index: Arc<Index>,
    feed: Arc<Feed>,
    memory: Arc<Memory>,
    last_used: LastUsed,
}

impl Parts {
    async fn load(store: &dyn Store, progress: &mut Progress<'_>) -> Result<Self, StartError> {
        let (index, last) = rebuild(store, progress).await?;
        let index = Arc::new(index);
        let feed = Arc::new(Feed::start(index.revision())?);
        let memory = Arc::new(Memory::new(Arc::clone(&index), Arc::clone(&feed), last));
        Ok(Self { index, feed, memory, last_used: LastUsed::new(store.presences(None).await?) })
    }
}

async fn bind(store: &dyn Store, mint: &Mint) -> Result<(), StartError> {
    if store.bind_key(mint.key.fingerprint()).await? { Ok(()) } else { Err(StartError::WrongKey) }
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
    /// Builds the index from the store, which is this process's own, and starts the committer. `progress` hears how far the
    /// first has come.
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
        bind(&*store, &mint).await?;
        let parts = Parts::load(&*store, progress).await?;
        Self::assemble(Ground { store, mint, limits, clock, entropy }, parts, None)
    }

    /// Becomes a node of the cluster that shares this store: registers, builds the index, and follows the others from then
    /// on. The clock is the database's.
    ///
    /// # Errors
    /// [`StartError`], each saying what to do.
    pub async fn join(joining: Joining, progress: &mut Progress<'_>) -> Result<Self, StartError> {
        let Joining { store, membership, mint, limits, monotonic, entropy, turns } = joining;
        bind(&*store, &mint).await?;
        if let Joined::OtherLease(theirs) = store.join(&membership.node).await? {
            return Err(StartError::OtherLease(theirs));
        }
        let parts = Parts::load(&*store, progress).await?;
        let clock = Arc::new(DatabaseClock::new(Arc::clone(&monotonic)));
        let memory = Arc::clone(&parts.memory);
        let cluster = Cluster::new(Arc::clone(&store), memory, membership, monotonic, Arc::clone(&clock));
        let cluster = Arc::new(cluster);
        // The first makes it fresh, and tells the time.
        if !cluster.turn() {
            store.nodes().await?;
            return Err(if cluster.is_astray() { StartError::OtherPast } else { StartError::NoTurn });
        }
        let follower = match turns {
            TurnsBy::OwnThread => Some(Follower::start(Arc::clone(&cluster))?),
            TurnsBy::Hand => None,
        };
        Self::assemble(Ground { store, mint, limits, clock, entropy }, parts, Some((cluster, follower)))
    }

    fn assemble(
        ground: Ground,
        parts: Parts,
        cluster: Option<(Arc<Cluster>, Option<Follower>)>,
    ) -> Result<Self, StartError> {
        let Ground { store, mint, limits, clock, entropy } = ground;
        let Parts { index, feed, memory, last_used } = parts;
        let (cluster, follower) = cluster.unzip();
        let committer = Committer::start(Arc::clone(&store), memory, cluster.clone())?;
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                index,
                feed,
                committer,
                cluster,
                follower: Mutex::new(follower.flatten()),
                mint,
                limits,
                clock,
                entropy,
                last_used,
                sequence: Sequence::default(),
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
        rebuild(&*self.inner.store, &mut |_, _| {}).await.map(|(index, _)| index)
    }
}
