//! The committer: the one place where changes become durable, and then true.
//!
//! A thread takes whatever proposals wait, commits them as one group, takes the changes into the index in revision
//! order, hands them to the feed, and answers. While it waits for the disk the next group gathers by itself, so that the
//! more there is to do the less each costs. Nobody hears of a change before memory knows it, and memory knows nothing that
//! is not durable. In a cluster an answer by which somebody may do less waits until every node knows; the next group does
//! not wait for it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use jeton_core::change::{Change, Proposal};
use jeton_store::{Outcome, Store, StoreError};
use tokio::sync::oneshot;

use crate::cluster::Cluster;
use crate::error::Failure;
use crate::memory::Memory;

/// The most proposals in one transaction: enough for any gain, few enough that nobody waits long for the others.
const LARGEST_GROUP: usize = 1024;

type Reply = oneshot::Sender<Result<Vec<Outcome>, StoreError>>;

struct Job {
    proposals: Vec<Proposal>,
    reply: Reply,
}

/// What a proposal came to.
#[derive(Debug)]
pub enum Committed {
    /// It is durable, and memory knows it.
    Done(Box<Change>),
    /// Nothing was written: the ground moved, and the decision has to be taken again.
    Again,
}

/// Sends proposals to the thread that commits them.
pub struct Committer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        memory: Arc<Memory>,
        cluster: Option<Arc<Cluster>>,
    ) -> std::io::Result<Self> {
        let (jobs, waiting) = channel();
        let run = move || run(&waiting, &*store, &memory, cluster.as_deref());
        let thread = std::thread::Builder::new().name("committer".to_owned()).spawn(run)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Commits one proposal, together with whatever else waits.
    ///
    /// # Errors
    /// If the store fails. Dropping the future does not take the proposal back.
    pub async fn commit(&self, proposal: Proposal) -> Result<Committed, Failure> {
        match self.commit_all(vec![proposal]).await?.pop() {
            Some(Outcome::Committed(change)) => Ok(Committed::Done(Box::new(change))),
            // A new id that exists already is as rare as it is harmless: the next decision draws another.
            Some(Outcome::Stale(_) | Outcome::Duplicate) => Ok(Committed::Again),
            None => Err(Failure::ShuttingDown),
        }
    }

    /// Commits proposals in one transaction, in order.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn commit_all(&self, proposals: Vec<Proposal>) -> Result<Vec<Outcome>, Failure> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(Failure::ShuttingDown)?;
        jobs.send(Job { proposals, reply }).map_err(|_| Failure::ShuttingDown)?;
        Ok(answer.await.map_err(|_| Failure::ShuttingDown)??)
    }

    /// Whether the thread still takes proposals.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Committer {
    /// Lets the thread finish what was sent to it.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(waiting: &Receiver<Job>, store: &dyn Store, memory: &Memory, cluster: Option<&Cluster>) {
    while let Ok(first) = waiting.recv() {
        let mut proposals = first.proposals;
        let mut replies = vec![(proposals.len(), first.reply)];
        while proposals.len() < LARGEST_GROUP
            && let Ok(mut job) = waiting.try_recv()
        {
            replies.push((job.proposals.len(), job.reply));
            proposals.append(&mut job.proposals);
        }
        // Who proposes nothing only waits for those before.
        let outcomes =
            if proposals.is_empty() { Ok(Vec::new()) } else { pollster::block_on(store.commit(proposals)) };
        let durable_at = cluster.map(|cluster| (cluster, cluster.elapsed()));
        if let Ok(outcomes) = &outcomes {
            follow(memory, cluster, outcomes);
        }
        for (part, reply) in parts(outcomes, replies) {
            answer(part, reply, durable_at);
        }
    }
}

/// From here on nothing can fail: what is durable becomes true.
fn follow(memory: &Memory, cluster: Option<&Cluster>, outcomes: &[Outcome]) {
    if let Some(cluster) = cluster {
        cluster.committed(outcomes);
    } else {
        let followed = memory.follow(outcomes.iter().filter_map(Outcome::change));
        debug_assert_eq!(followed, Ok(()), "one writer's changes follow one another");
    }
}

type Part = Result<Vec<Outcome>, StoreError>;

/// Everybody's part of what became of a group.
fn parts(outcomes: Part, replies: Vec<(usize, Reply)>) -> impl Iterator<Item = (Part, Reply)> {
    let mut outcomes = outcomes.map(Vec::into_iter);
    replies.into_iter().map(move |(count, reply)| {
        let part = match &mut outcomes {
            Ok(outcomes) => Ok(outcomes.take(count).collect()),
            Err(error) => Err(error.clone()),
        };
        (part, reply)
    })
}

/// Gives somebody their part: at once, or when no node of the cluster can contradict it any more. Who has hung up gets none,
/// and nothing else comes of it.
fn answer(part: Part, reply: Reply, durable_at: Option<(&Cluster, Duration)>) {
    let narrowing = |part: &Vec<Outcome>| {
        let changes = part.iter().filter_map(Outcome::change);
        changes.filter(|change| change.event.may_narrow()).map(|change| change.revision).max()
    };
    match (part.as_ref().ok().and_then(narrowing), durable_at) {
        (Some(revision), Some((cluster, since))) => {
            cluster.acknowledge(revision, since, move || drop(reply.send(part)));
        }
        _ => drop(reply.send(part)),
    }
}
