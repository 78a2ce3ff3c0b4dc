//! A subscription: the changes of one topic, each once, in the order in which they were committed.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use jeton_core::change::{Change, Revision};
use jeton_store::{Store, StoreError};
use tokio::sync::Notify;

use super::{Concern, Registry, Topic};

/// Changes that an inbox holds. A reader that keeps up never has more than a few; one that does not costs this much and
/// no more, until it comes back and reads the log.
const ROOM: usize = 256;
/// Changes that are read from the log at once.
const PAGE: usize = 256;

/// Where the herald leaves changes for a subscription.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    woken: Notify,
}

#[derive(Default)]
struct Waiting {
    changes: VecDeque<Arc<Change>>,
    /// Something did not fit, and was thrown away.
    overflown: bool,
}

impl Inbox {
    pub(super) fn put(&self, change: &Arc<Change>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.changes.len() == ROOM {
            *waiting = Waiting { changes: VecDeque::new(), overflown: true };
        }
        // After an overflow nothing is kept until the reader has noticed: it will find all of it in the log.
        if !waiting.overflown {
            waiting.changes.push_back(Arc::clone(change));
        }
        drop(waiting);
        self.wake();
    }

    pub(super) fn wake(&self) {
        self.woken.notify_one();
    }

    fn empty(&self) -> Waiting {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why a subscription can't go on.
#[derive(Debug)]
pub(crate) enum Interrupted {
    /// The server is going down.
    Closed,
    /// The log no longer reaches back to where the reader is.
    Compacted,
    /// The log could not be read.
    Failed(StoreError),
}

/// The changes of one topic after a revision. Struck out of the feed when it is dropped.
pub(crate) struct Subscription {
    registry: Arc<Registry>,
    inbox: Arc<Inbox>,
    number: u64,
    news: Topic,
    standing: Vec<Topic>,
    /// Every change of the topic up to here has been given out.
    after: Revision,
    /// The inbox does not have all of what comes next: the log has.
    behind: bool,
}

impl Subscription {
    pub(super) fn open(registry: Arc<Registry>, news: Topic, standing: &[Topic], after: Revision) -> Self {
        let number = registry.opened.fetch_add(1, Ordering::SeqCst);
        let inbox = Arc::new(Inbox::default());
        let wakes = standing.iter().map(|topic| (*topic, Concern::Standing(Arc::clone(&inbox))));
        registry.register(number, wakes.chain([(news, Concern::News(Arc::clone(&inbox)))]));
        Self { registry, inbox, number, news, standing: standing.to_vec(), after, behind: true }
    }

    /// Every change of the topic up to here has been given out.
    pub(crate) const fn after(&self) -> Revision {
        self.after
    }

    /// Passes over everything up to a revision: the reader knows it already.
    pub(crate) fn skip_to(&mut self, revision: Revision) {
        self.after = self.after.max(revision);
    }

    /// What has happened since the last time, some hundreds of changes at the most; perhaps nothing.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub(crate) async fn take(&mut self, store: &dyn Store) -> Result<Vec<Arc<Change>>, Interrupted> {
        if self.registry.is_closed() {
            return Err(Interrupted::Closed);
        }
        // Read before the inbox: what it says was put there by then.
        let published = self.registry.published();
        let waiting = self.inbox.empty();
        // Kept in the subscription itself, so that whoever drops this future in the middle loses nothing.
        self.behind |= waiting.overflown;
        let mut changes = Vec::new();
        if self.behind {
            self.behind = !self.catch_up(store, published, &mut changes).await?;
            if self.behind {
                // The log will be read on from here, and has what was in the inbox.
                self.inbox.wake();
                return Ok(changes);
            }
        }
        changes.extend(waiting.changes.into_iter().filter(|change| change.revision > self.after));
        let last = changes.last().map_or(self.after, |change| change.revision);
        self.after = self.after.max(last).max(published);
        Ok(changes)
    }

    /// Waits until there may be something to take, or the reader's standing may have changed.
    pub(crate) async fn woken(&self) {
        self.inbox.woken.notified().await;
    }

    /// Reads a page of the log, which reaches to this revision at least. `true` if that was its end.
    async fn catch_up(
        &mut self,
        store: &dyn Store,
        at_least: Revision,
        found: &mut Vec<Arc<Change>>,
    ) -> Result<bool, Interrupted> {
        let page = store.changes(self.after, PAGE).await.map_err(Interrupted::Failed)?;
        if page.first().is_some_and(|first| first.revision != self.after.next()) {
            return Err(Interrupted::Compacted);
        }
        let full = page.len() == PAGE;
        if !full && page.last().map_or(self.after, |last| last.revision) < at_least {
            return Err(Interrupted::Failed(StoreError::Broken(
                "the log ends before what is known: it was read from a database that was replaced".to_owned(),
            )));
        }
        self.after = page.last().map_or(self.after, |last| last.revision);
        found.extend(page.into_iter().filter(|change| self.news.holds(change)).map(Arc::new));
        Ok(!full)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let topics = self.standing.iter().copied().chain([self.news]);
        self.registry.strike_out(self.number, topics);
    }
}
