//! The feed: who wants to hear of which changes, and how they do.
//!
//! ```text
//! committer ─▶ herald ─▶ inboxes of those concerned ─▶ subscriptions
//!                                    ▲ full                │
//!                                    └─── the log ◀────────┘
//! ```
//!
//! A change that is durable and in the index is handed to the herald, a thread of its own: that thousands are to be woken
//! costs the committer one message, and a write waits for no reader. The herald looks up who is concerned by the
//! change's [topics](topic), puts it into their inboxes, and wakes them.
//!
//! An inbox is short. What doesn't fit is thrown away, and its reader makes up for it from the change log, which has
//! everything: the log is the truth, and the inbox only saves asking for it. For the same reason a subscription begins by
//! reading the log: whatever happened around its registration is found there, so there is no instant at which a change
//! can slip through, and no lock under which a beginning would have to stand still.

mod subscription;
mod topic;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use jeton_core::change::{Change, Revision};

pub(crate) use subscription::{Interrupted, Subscription};
pub(crate) use topic::Topic;

use subscription::Inbox;

/// Carries changes to whoever wants to hear of them.
pub(crate) struct Feed {
    registry: Arc<Registry>,
    heard: Option<Sender<Vec<Arc<Change>>>>,
    herald: Option<JoinHandle<()>>,
}

/// Who is subscribed to what.
#[derive(Default)]
struct Registry {
    concerned: Mutex<HashMap<Topic, HashMap<u64, Concern>>>,
    /// Subscriptions there are, so that nothing is done where there is none.
    open: AtomicUsize,
    /// Subscriptions there ever were: their numbers.
    opened: AtomicU64,
    /// The last change that every inbox has been offered.
    published: AtomicU64,
    closed: AtomicBool,
}

/// What a subscription wants of a topic.
#[derive(Clone)]
enum Concern {
    /// The changes.
    News(Arc<Inbox>),
    /// To be woken: its own standing may have changed.
    Standing(Arc<Inbox>),
}

impl Feed {
    /// Starts the herald. Everything up to `revision` happened before.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn start(revision: Revision) -> std::io::Result<Self> {
        let registry = Arc::new(Registry::default());
        registry.published.store(revision.number(), Ordering::SeqCst);
        let (heard, waiting) = channel();
        let theirs = Arc::clone(&registry);
        let herald = std::thread::Builder::new()
            .name("herald".to_owned())
            .spawn(move || proclaim(&theirs, &waiting))?;
        Ok(Self { registry, heard: Some(heard), herald: Some(herald) })
    }

    /// Hands over what happened, in order, after the index has taken it in.
    pub(crate) fn publish<'a>(&self, changes: impl Iterator<Item = &'a Change>) {
        if self.registry.open.load(Ordering::SeqCst) == 0 {
            // Whoever subscribes after this look begins with the log, where these changes stand.
            let Some(last) = changes.last() else { return };
            self.registry.published.fetch_max(last.revision.number(), Ordering::SeqCst);
        } else if let Some(heard) = &self.heard {
            // The herald ends only after this.
            let _ = heard.send(changes.cloned().map(Arc::new).collect());
        }
    }

    /// Subscribes to the changes of one topic after a revision, and to being woken by any of `standing`.
    pub(crate) fn subscribe(&self, news: Topic, standing: &[Topic], after: Revision) -> Subscription {
        Subscription::open(Arc::clone(&self.registry), news, standing, after)
    }

    /// The last change that has been put into the inboxes of all whom it concerns.
    pub(crate) fn published(&self) -> Revision {
        self.registry.published()
    }

    /// How many subscriptions there are.
    pub(crate) fn subscriptions(&self) -> usize {
        self.registry.open.load(Ordering::SeqCst)
    }

    /// Ends every subscription, and all that are still to come.
    pub(crate) fn close(&self) {
        self.registry.closed.store(true, Ordering::SeqCst);
        for concern in self.registry.concerned().values().flat_map(HashMap::values) {
            concern.inbox().wake();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        drop(self.heard.take());
        if let Some(herald) = self.herald.take() {
            let _ = herald.join();
        }
    }
}

impl Registry {
    fn concerned(&self) -> MutexGuard<'_, HashMap<Topic, HashMap<u64, Concern>>> {
        self.concerned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn published(&self) -> Revision {
        Revision::new(self.published.load(Ordering::SeqCst))
    }

    fn register(&self, number: u64, topics: impl Iterator<Item = (Topic, Concern)>) {
        self.open.fetch_add(1, Ordering::SeqCst);
        let mut concerned = self.concerned();
        for (topic, concern) in topics {
            concerned.entry(topic).or_default().insert(number, concern);
        }
    }

    fn strike_out(&self, number: u64, topics: impl Iterator<Item = Topic>) {
        let mut concerned = self.concerned();
        for topic in topics {
            if let Some(them) = concerned.get_mut(&topic) {
                them.remove(&number);
                if them.is_empty() {
                    concerned.remove(&topic);
                }
            }
        }
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    /// Tells those whom it concerns of one change.
    fn tell(&self, change: &Arc<Change>) {
        let concerned = self.concerned();
        for topic in topic::topics(change) {
            for concern in concerned.get(&topic).into_iter().flat_map(HashMap::values) {
                match concern {
                    Concern::News(inbox) => inbox.put(change),
                    Concern::Standing(inbox) => inbox.wake(),
                }
            }
        }
    }
}

impl Concern {
    const fn inbox(&self) -> &Arc<Inbox> {
        match self {
            Self::News(inbox) | Self::Standing(inbox) => inbox,
        }
    }
}

/// The herald's whole life.
fn proclaim(registry: &Registry, waiting: &Receiver<Vec<Arc<Change>>>) {
    while let Ok(changes) = waiting.recv() {
        for change in changes {
            registry.tell(&change);
            registry.published.fetch_max(change.revision.number(), Ordering::SeqCst);
        }
    }
}
