//! The use cases: what jeton does, without a word of HTTP and without a word of SQL.
//!
//! A change goes one way, and never back:
//!
//! ```text
//! command → caller (index) → rule (pure) → commit (one transaction) → index → answer
//! ```
//!
//! [`Service`] fetches the facts and asks a rule. What the rule proposes goes to the [`committer`], a thread of its own,
//! which commits whatever waits as one group, takes the changes into the index in order, and only then answers. A
//! proposal whose basis changed meanwhile is decided again; a client that hangs up cuts nothing in two.

mod cluster;
pub mod committer;
pub mod error;
mod feed;
mod last_used;
mod logins;
mod members;
mod memory;
pub mod password;
pub mod ports;
mod rebuild;
mod roles;
mod sequence;
mod session;
mod start;
mod tokens;
mod verify;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jeton_core::caller::Caller;
use jeton_core::id::AccountId;
use jeton_core::limits::Limits;
use jeton_core::member::Member;
use jeton_core::rule::{Fresh, Mint};
use jeton_core::timestamp::Timestamp;
use jeton_index::Index;
use jeton_store::Store;

use cluster::{Cluster, Follower};
use committer::Committer;
use feed::Feed;
use last_used::LastUsed;
use sequence::Sequence;

pub use cluster::{Membership, Standing};
pub use error::{Error, Failure};
pub use jeton_core::rule::Founding;
pub use jeton_index::roster::Start;
pub use jeton_index::verdict::{Requirement, Verified};
pub use jeton_store::Presence;
pub use ports::{Clock, Entropy, Monotonic};
pub use rebuild::Progress;
pub use session::{Session, Unauthenticated};
pub use start::{Founded, Joining, StartError, TurnsBy};
pub use tokens::{TokenPage, TokenView, Visible};
pub use verify::{Presented, Verdict};
pub use watch::{
    ChangeWatch, Ended, MemberNews, MemberView, MemberWatch, NotInLog, Post, TokenEvent, TokenNews,
    TokenWatch, Watching,
};

/// What every surface calls. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    index: Arc<Index>,
    feed: Arc<Feed>,
    committer: Committer,
    /// `None` for a jeton that has its database to itself: it is always fresh.
    cluster: Option<Arc<Cluster>>,
    /// `None` also for a node whose turns somebody else takes, and once it has left.
    follower: Mutex<Option<Follower>>,
    mint: Mint,
    limits: Limits,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    last_used: LastUsed,
    sequence: Sequence,
    turnstile: password::Turnstile,
}

impl Service {
    /// The time, by the clock that jeton was started with.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The index, to look at: its revision, its size, its image.
    pub fn index(&self) -> &Index {
        &self.inner.index
    }

    /// The account's owner, whom first-start messages and error texts name.
    pub fn members_of(&self, account: AccountId, number: u32) -> Option<Arc<Member>> {
        self.inner.index.directory().member_by_number(account, number)
    }

    /// Whether changes are taken and questions answered: the committer runs, and this node is fresh.
    pub fn is_ready(&self) -> bool {
        self.inner.committer.is_running() && self.require_fresh().is_ok()
    }

    /// How this node stands among the others. `None` for a jeton that has its database to itself.
    pub fn standing(&self) -> Option<Standing> {
        self.inner.cluster.as_ref().map(|cluster| cluster.standing())
    }

    /// Whether this node may answer with what is out of date, because its operator chose so.
    pub fn may_be_stale(&self) -> bool {
        self.inner.cluster.as_ref().is_some_and(|cluster| cluster.may_be_stale())
    }

    /// Whether this node of a cluster knows what it can't go on from, and has to be started again.
    pub fn is_astray(&self) -> bool {
        self.inner.cluster.as_ref().is_some_and(|cluster| cluster.is_astray())
    }

    /// In a cluster, waits until everything is known that had been committed anywhere when this was called: whoever is sent
    /// from one node to another finds there what they did here.
    ///
    /// # Errors
    /// [`Failure::Stale`].
    pub async fn catch_up(&self) -> Result<(), Failure> {
        match &self.inner.cluster {
            Some(cluster) => cluster.catch_up().await,
            None => Ok(()),
        }
    }

    /// In a cluster, takes this node out of it, after it has answered for the last time.
    ///
    /// # Errors
    /// If the database fails: the others wait for this node then, for one lease.
    pub async fn leave(&self) -> Result<(), Failure> {
        // Another beat would register it again.
        drop(self.inner.follower.lock().unwrap_or_else(PoisonError::into_inner).take());
        match &self.inner.cluster {
            Some(cluster) => cluster.leave().await,
            None => Ok(()),
        }
    }

    /// One turn of a node whose turns nobody else takes: tests take them one by one. Whether it was well.
    #[doc(hidden)]
    pub fn turn_for_tests(&self) -> bool {
        self.inner.cluster.as_ref().is_some_and(|cluster| cluster.turn())
    }

    /// Whether this node may answer from memory. Asked before the index is, never after: between the two everything may
    /// happen.
    pub(crate) fn require_fresh(&self) -> Result<(), Failure> {
        match &self.inner.cluster {
            Some(cluster) => cluster.require_fresh(),
            None => Ok(()),
        }
    }

    /// Waits until nothing answers from before what is in the store by now: neither this index nor any other node. Who is told
    /// that something is so already, because another request made it so, has to be able to rely on it as much as the one who
    /// made it.
    ///
    /// # Errors
    /// [`Failure::Stale`], [`Failure::ShuttingDown`].
    pub async fn until_all_know(&self) -> Result<(), Error> {
        match &self.inner.cluster {
            Some(cluster) => Ok(cluster.until_all_know().await?),
            // Whatever was committed before this is in the index when it comes back.
            None => Ok(self.inner.committer.commit_all(Vec::new()).await.map(drop)?),
        }
    }

    /// Writes down when tokens were last used and members last here, and learns in a cluster whom other nodes have seen. To be
    /// called every few seconds, and before the end.
    ///
    /// # Errors
    /// If the database fails; what could not be written is kept for the next time.
    pub async fn flush_last_used(&self) -> Result<(), Failure> {
        let batch = self.inner.last_used.batch();
        if !batch.is_empty() {
            self.inner.store.touch(&batch.tokens(), &batch.members()).await?;
            self.inner.last_used.written(&batch);
        }
        if self.inner.cluster.is_some() {
            // More than the time between two calls, so that what another node was slow to write is not missed.
            const LATELY: i64 = 60_000;
            let since = Timestamp::from_millis(self.now().as_millis() - LATELY);
            self.inner.last_used.learn(self.inner.store.presences(Some(since)).await?);
        }
        Ok(())
    }

    /// Forgets changes that were decided longer ago than this, some thousands at the most, so that nobody waits long for
    /// it. `true` if there may be more. Streams can't resume from before the changes that are left.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn forget_changes(&self, retention: Duration) -> Result<bool, Failure> {
        const AT_ONCE: usize = 2000;
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(self.now().as_millis().saturating_sub(retention));
        Ok(self.inner.store.compact(before, AT_ONCE).await? == AT_ONCE)
    }

    /// Commits proposals that no rule has decided: members and roles of a test's story.
    ///
    /// # Errors
    /// If the store fails.
    #[doc(hidden)]
    pub async fn commit_for_tests(
        &self,
        proposals: Vec<jeton_core::change::Proposal>,
    ) -> Result<Vec<jeton_store::Outcome>, Failure> {
        self.inner.committer.commit_all(proposals).await
    }

    /// Randomness for a decision that is taken now.
    fn fresh(&self, now: Timestamp) -> Fresh {
        self.inner.sequence.follow(now, self.inner.entropy.fresh())
    }

    fn note_use(&self, caller: &Caller, now: Timestamp) {
        self.inner.last_used.note(caller.token, caller.kind, caller.member.id, now);
    }
}
