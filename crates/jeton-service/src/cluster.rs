//! A node of a cluster: it answers from its own memory, and knows at every instant whether it may.
//!
//! ```text
//!   a turn:      beat (durable) ──▶ read: changes, clock, nodes ──▶ index ──▶ fresh until the beat's beginning + lease
//!   a yes:       fresh? ──▶ index
//!   a no:        fresh? ──▶ index ──▶ a turn that began afterwards, shared by all who wait ──▶ fresh? ──▶ index
//!   a narrowing: commit ──▶ every other node has reported it, or is silent for a lease ──▶ answer
//! ```
//!
//! *Why a revoke that was answered is dead.* A node that has not taken it in read the log before the commit. What made it
//! fresh was a beat that began before that read, so it stops answering one lease after an instant before the commit, and the
//! answer waits as long as that, unless the node reports earlier. The look at the clock comes before the look into the
//! index, so a process that is stopped between the two for any time answers only questions that were asked before.
//!
//! *Why an issued token is known.* Whoever does not find it waits for a read that began after the question.
//!
//! *Why a beat, and not the read alone.* A primary that was cut off and replaced can still be read. It can't make a beat
//! durable, because the standby that confirmed its commits has become the primary. And a connection that is new waits one lease
//! before its first commit, so that by then nobody takes the old primary's silence for an answer.
//!
//! *Wall clocks* decide nothing: leases are measured by each node's monotonic clock, of which only the rate matters.
//!
//! That a read alone made a node fresher was rejected: the beats cost four small writes a second and node, and close the hole of
//! the primary that was cut off.

mod acknowledgements;
mod clock;
mod freshness;
mod roll;
mod turns;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jeton_core::change::{Change, Revision};
use jeton_store::shared::{Beat, Node, SharedStore, Tail};
use jeton_store::{Outcome, StoreError};
use pollster::block_on;

use crate::error::Failure;
use crate::memory::{Memory, Misfit};
use crate::ports::Monotonic;
use acknowledgements::Acknowledgements;
use freshness::Freshness;
use roll::Roll;
use turns::Turns;

pub(crate) use clock::DatabaseClock;

/// Changes that are read at once.
const PAGE: usize = 1000;
/// How often the others are looked at while somebody waits for them, where nothing says when.
const IMPATIENT: Duration = Duration::from_millis(5);
/// The pause after a turn that failed.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// How a node takes part.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Who it is.
    pub node: Node,
    /// How often it looks for changes when nobody tells it of any.
    pub poll: Duration,
    /// For how long past its lease it goes on answering. Zero keeps the promise; anything else trades it for answers while
    /// the database is away.
    pub max_staleness: Duration,
}

/// How a node stands among the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// How old what it knows may be: everything that was committed longer ago is known. `None` if nothing is.
    pub age: Option<Duration>,
    /// Whether its lease has passed, so that it answers nobody, or, if the operator chose so, with what may be out of date.
    pub is_overdue: bool,
    /// How many others are registered.
    pub others: usize,
}

/// A node of a cluster.
pub(crate) struct Cluster {
    store: Arc<dyn SharedStore>,
    memory: Arc<Memory>,
    membership: Membership,
    monotonic: Arc<dyn Monotonic>,
    clock: Arc<DatabaseClock>,
    freshness: Freshness,
    turns: Turns,
    acknowledgements: Acknowledgements,
    /// One turn at a time.
    pulse: Mutex<Pulse>,
    /// How many others the last look showed.
    others: AtomicUsize,
    /// The last turn failed.
    lost: AtomicBool,
    /// It can't go on from what it knows.
    astray: AtomicBool,
    ended: AtomicBool,
}

/// What a node remembers from turn to turn.
#[derive(Default)]
struct Pulse {
    /// The number of its last beat.
    number: u64,
    /// When the last one that was answered was begun. `None` if it has to be registered anew.
    begun: Option<Duration>,
    /// Up to where it has told the others that it has taken in the changes.
    reported: Revision,
    roll: Roll,
}

/// Why a turn failed.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the log begins after what this node knows: it was away for longer than the log is kept")]
    Forgotten,
    #[error(
        "the database tells another past than this node knows: it went back, or another one took its place"
    )]
    OtherPast,
}

impl Cluster {
    pub(crate) fn new(
        store: Arc<dyn SharedStore>,
        memory: Arc<Memory>,
        membership: Membership,
        monotonic: Arc<dyn Monotonic>,
        clock: Arc<DatabaseClock>,
    ) -> Self {
        Self {
            store,
            memory,
            freshness: Freshness::of(membership.node.lease),
            membership,
            monotonic,
            clock,
            turns: Turns::default(),
            acknowledgements: Acknowledgements::default(),
            pulse: Mutex::default(),
            others: AtomicUsize::new(0),
            lost: AtomicBool::new(false),
            astray: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    /// Whether this node may answer from memory now. To be asked before the index is: see above.
    pub(crate) fn require_fresh(&self) -> Result<(), Failure> {
        match self.overdue() {
            Some(overdue) if overdue >= self.membership.max_staleness => Err(Failure::Stale),
            _ => Ok(()),
        }
    }

    pub(crate) fn may_be_stale(&self) -> bool {
        !self.membership.max_staleness.is_zero()
    }

    /// By how much the lease has passed, if it has.
    fn overdue(&self) -> Option<Duration> {
        self.freshness.overdue(self.monotonic.elapsed())
    }

    /// How this node stands among the others.
    pub(crate) fn standing(&self) -> Standing {
        let others = self.others.load(Ordering::SeqCst);
        Standing {
            age: self.freshness.age(self.monotonic.elapsed()),
            is_overdue: self.overdue().is_some(),
            others,
        }
    }

    /// Waits until everything is known that had been committed anywhere when this was called.
    pub(crate) async fn catch_up(&self) -> Result<(), Failure> {
        self.require_fresh()?;
        let next = self.turns.next();
        self.store.wake();
        if next.await { self.require_fresh() } else { Err(Failure::Stale) }
    }

    /// Waits until no node answers any more from before what this one knows.
    pub(crate) async fn until_all_know(&self) -> Result<(), Failure> {
        // What whoever asks has read may be newer than what this node knows.
        self.catch_up().await?;
        let (say, said) = tokio::sync::oneshot::channel();
        self.acknowledge(self.memory.revision(), self.monotonic.elapsed(), move || {
            let _ = say.send(());
        });
        said.await.map_err(|_| Failure::ShuttingDown)?;
        // What it was that the others know: this node may have been misled.
        self.require_fresh()
    }

    /// Now, for [`Cluster::acknowledge`].
    pub(crate) fn elapsed(&self) -> Duration {
        self.monotonic.elapsed()
    }

    /// Says it once no node answers any more from before this revision, which was durable at `since`.
    pub(crate) fn acknowledge(
        &self,
        revision: Revision,
        since: Duration,
        say: impl FnOnce() + Send + 'static,
    ) {
        self.acknowledgements.wait(revision, since, say);
        self.store.wake();
    }

    /// Takes in what this node has committed, and whatever others committed before. Where that can't be read the follower
    /// makes up for it.
    pub(crate) fn committed(&self, outcomes: &[Outcome]) {
        let changes = outcomes.iter().filter_map(Outcome::change);
        let all = outcomes.iter().all(|outcome| outcome.change().is_some());
        // A proposal that went stale did so by changes that are not known here yet.
        if !(all && self.memory.follow(changes).is_ok()) && self.read_up().is_err() {
            tracing::warn!("what was committed could not be read back: the next turn will");
        }
    }

    fn read_up(&self) -> Result<(), Lost> {
        loop {
            let page = block_on(self.store.changes(self.memory.revision(), PAGE))?;
            self.follow(&page)?;
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn follow(&self, changes: &[Change]) -> Result<(), Lost> {
        self.memory.follow(changes).map_err(|misfit| match misfit {
            Misfit::Gap => Lost::Forgotten,
            Misfit::OtherPast => Lost::OtherPast,
        })
    }

    /// One turn. Whether it was well.
    pub(crate) fn turn(&self) -> bool {
        let mut pulse = self.pulse();
        let number = self.turns.begin();
        let turned = self.try_turn(&mut pulse);
        self.note(&turned);
        // Only after everything that is known was taken in.
        self.turns.end(number, turned.is_ok());
        let lease = self.membership.node.lease;
        self.acknowledgements.after_lease(self.monotonic.elapsed(), lease);
        turned.is_ok()
    }

    fn try_turn(&self, pulse: &mut Pulse) -> Result<(), Lost> {
        let node = &self.membership.node;
        let begun = self.monotonic.elapsed();
        let beat = self.beat(pulse, begun);
        let (mut asked, mut sent) = (begun, beat);
        loop {
            let after = self.memory.revision();
            let with_beat = sent.is_some();
            let tail = block_on(self.store.tail(node, sent.take(), after, PAGE))?;
            if with_beat {
                // How much of the time the beat took is not known, and it may be much.
                self.clock.reach(tail.now);
            } else {
                self.clock.set(tail.now, asked);
            }
            self.take_in(after, &tail)?;
            if tail.changes.len() > PAGE {
                asked = self.monotonic.elapsed();
                continue;
            }
            if let Some(beat) = beat {
                pulse.begun = Some(begun);
                pulse.reported = beat.revision;
                self.freshness.renew(begun);
            }
            let now = self.monotonic.elapsed();
            pulse.look(node, &tail, now);
            self.others.store(pulse.roll.len(), Ordering::SeqCst);
            // What this very answer shows to be known there and here, and not what was committed elsewhere meanwhile.
            let shown = tail.changes.last().map_or(Revision::ZERO, |change| change.revision);
            self.acknowledgements.after_look(asked, now, shown, &pulse.roll, node.lease);
            return Ok(());
        }
    }

    /// The beat that is due now, if one is: four times in a lease, and as soon as others may wait to hear that this node has
    /// taken something in.
    fn beat(&self, pulse: &mut Pulse, now: Duration) -> Option<Beat> {
        let revision = self.memory.revision();
        let due = pulse.begun.is_none_or(|begun| now >= begun + self.membership.node.lease / 4);
        let awaited = self.memory.narrowed() > pulse.reported;
        (due || awaited).then(|| {
            pulse.number += 1;
            Beat { number: pulse.number, revision, awaited }
        })
    }

    /// Takes in what follows `after`.
    fn take_in(&self, after: Revision, tail: &Tail) -> Result<(), Lost> {
        if tail.changes.is_empty() && after > Revision::ZERO {
            return Err(Lost::OtherPast);
        }
        self.follow(&tail.changes)
    }

    /// Says in the log when touch was lost, and when it is found again.
    fn note(&self, turned: &Result<(), Lost>) {
        let had_lost = self.lost.swap(turned.is_err(), Ordering::SeqCst);
        match turned {
            Ok(()) if had_lost => tracing::info!("in touch with the database again"),
            Err(Lost::Store(error)) if !had_lost => {
                tracing::warn!(%error, "out of touch with the database: this node answers for one lease at the most");
            }
            Ok(()) | Err(Lost::Store(_)) => {}
            Err(lost) => {
                if !self.astray.swap(true, Ordering::SeqCst) {
                    tracing::error!("{lost}: this node has to be started again");
                }
            }
        }
    }

    /// Whether this node knows what it can't go on from, and has to be started again.
    pub(crate) fn is_astray(&self) -> bool {
        self.astray.load(Ordering::SeqCst)
    }

    /// Turns until it is told to end.
    fn run(&self) {
        while !self.ended.load(Ordering::SeqCst) {
            let well = self.turn();
            let pause = if well { self.pause() } else { AFTER_FAILURE };
            let _ = block_on(self.store.news(pause));
            self.strike_out_the_long_gone();
        }
    }

    /// How long there is nothing to do, unless somebody tells of something.
    fn pause(&self) -> Duration {
        let pulse = self.pulse();
        let Membership { node, poll, .. } = &self.membership;
        if self.memory.narrowed() > pulse.reported {
            return Duration::ZERO;
        }
        let beat_due = pulse.begun.map_or(Duration::ZERO, |begun| begun + node.lease / 4);
        let until_beat = beat_due.saturating_sub(self.monotonic.elapsed());
        let most = if self.acknowledgements.are_waited_for() { IMPATIENT.min(*poll) } else { *poll };
        most.min(until_beat)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.store.wake();
    }

    /// Strikes this node out, after it has answered for the last time.
    pub(crate) async fn leave(&self) -> Result<(), Failure> {
        Ok(self.store.strike_out(self.membership.node.id, None).await?)
    }

    fn strike_out_the_long_gone(&self) {
        let gone: Vec<_> = self.pulse().roll.long_gone(self.monotonic.elapsed()).collect();
        for (node, beat) in gone {
            let _ = block_on(self.store.strike_out(node, Some(beat)));
        }
    }

    fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the others on a thread of its own, for as long as it is kept.
pub(crate) struct Follower {
    cluster: Arc<Cluster>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn start(cluster: Arc<Cluster>) -> std::io::Result<Self> {
        let follower = Arc::clone(&cluster);
        let thread = std::thread::Builder::new().name("follower".to_owned()).spawn(move || follower.run())?;
        Ok(Self { cluster, thread: Some(thread) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.cluster.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Pulse {
    /// Takes down who else is there. A node that finds itself struck out registers anew.
    fn look(&mut self, node: &Node, tail: &Tail, now: Duration) {
        if tail.nodes.iter().all(|row| row.node != node.id) {
            self.begun = None;
        }
        self.roll.observe(node.id, &tail.nodes, now);
    }
}
