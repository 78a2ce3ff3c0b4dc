//! Watching everything in an account, as far as the watcher may see it: the change log, followed live.

use std::sync::Arc;

use jeton_core::change::{Change, Revision};
use jeton_core::rule;

use super::{Ended, Post, Watching};
use crate::Service;
use crate::error::Error;
use crate::feed::Topic;
use crate::session::Session;

/// A watch over the change log of an account.
pub struct ChangeWatch {
    post: Post,
}

/// A place that the change log does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotInLog {
    /// The oldest change that the log has.
    pub oldest: Revision,
    /// The newest.
    pub newest: Revision,
}

impl Service {
    /// Follows the change log after a revision, or from now on. The inner error says that the log does not have it:
    /// what comes next was compacted away, or the revision has never been.
    ///
    /// # Errors
    /// [`Failure::TooManyStreams`](crate::Failure::TooManyStreams); if the store fails.
    pub async fn watch_changes(
        &self,
        session: &Session,
        after: Option<Revision>,
    ) -> Result<Result<ChangeWatch, NotInLog>, Error> {
        let newest = self.inner.index.revision();
        let after = after.unwrap_or(newest);
        let next = self.inner.store.changes(after, 1).await?;
        let is_there = match next.first() {
            Some(next) => next.revision == after.next(),
            None => after <= self.inner.index.revision(),
        };
        if !is_there {
            let oldest = self.inner.store.changes(Revision::ZERO, 1).await?;
            let oldest = oldest.first().map_or(newest, |change| change.revision);
            return Ok(Err(NotInLog { oldest, newest }));
        }
        let post = Post::take(self, session, Topic::Account(session.caller().account), after)?;
        Ok(Ok(ChangeWatch { post }))
    }
}

impl Watching for ChangeWatch {
    type News = Vec<Arc<Change>>;

    async fn next(&mut self) -> Result<Option<Vec<Arc<Change>>>, Ended> {
        let mut changes = self.post.changes().await?;
        self.standing()?;
        let caller = self.post.session.caller();
        changes.retain(|change| rule::may_see_change(caller, change));
        if changes.is_empty() {
            self.post.subscription.woken().await;
            return Ok(None);
        }
        Ok(Some(changes))
    }

    fn post(&self) -> &Post {
        &self.post
    }

    fn standing(&mut self) -> Result<(), Ended> {
        self.post.renew()
    }
}
