//! What this process knows: the index, and the feed that tells of what it learns. Changes come to it in revision order from
//! whoever has them first, the committer or the follower of a cluster.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jeton_core::change::{Change, Revision};
use jeton_index::Index;

use crate::feed::Feed;

pub(crate) struct Memory {
    pub(crate) index: Arc<Index>,
    feed: Arc<Feed>,
    /// The last change that was taken in. `None` if nothing ever happened.
    last: Mutex<Option<Change>>,
    /// The last one of those by which somebody may do less.
    narrowed: AtomicU64,
}

/// Changes that do not follow what is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Misfit {
    /// Something between is missing.
    Gap,
    /// What is known to have happened is told in another way.
    OtherPast,
}

impl Memory {
    pub(crate) fn new(index: Arc<Index>, feed: Arc<Feed>, last: Option<Change>) -> Self {
        Self { index, feed, last: Mutex::new(last), narrowed: AtomicU64::new(0) }
    }

    pub(crate) fn revision(&self) -> Revision {
        self.index.revision()
    }

    /// The last change taken in by which somebody may do less.
    pub(crate) fn narrowed(&self) -> Revision {
        Revision::new(self.narrowed.load(Ordering::SeqCst))
    }

    /// Takes in changes, in order, and tells of them. What is known already is passed over, and has to be the same.
    ///
    /// # Errors
    /// [`Misfit`]; changes before it were taken in.
    pub(crate) fn follow<'a>(
        &self,
        changes: impl IntoIterator<Item = &'a Change> + Clone,
    ) -> Result<(), Misfit> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.revision();
        let mut fits = Ok(());
        let mut taken = None;
        for change in changes.clone() {
            let known = self.revision();
            if change.revision == known.next() {
                self.index.apply(change);
                if change.event.may_narrow() {
                    self.narrowed.store(change.revision.number(), Ordering::SeqCst);
                }
                taken = Some(change);
            } else if change.revision > known {
                fits = Err(Misfit::Gap);
                break;
            } else if last.as_ref().is_some_and(|last| last.revision == change.revision && last != change) {
                fits = Err(Misfit::OtherPast);
                break;
            }
        }
        if let Some(taken) = taken {
            *last = Some(taken.clone());
            let news = changes.into_iter().filter(|change| change.revision > before);
            self.feed.publish(news.take_while(|change| change.revision <= taken.revision));
        }
        fits
    }
}
