//! Watching: what is there now, then each change to it, once and in order, for as long as the watcher may see it.
//!
//! A watch subscribes first and looks second, so that nothing falls in between. What it sees is read record by record
//! while others write, and so may mix several instants; the change log of that while is then played over it, which makes
//! it the state as of one revision exactly. Changes up to that revision are passed over, all later ones are told. A list
//! that is too long for one piece is told in parts, each as of a revision of its own: of every single thing it holds that
//! nothing is left out or told twice.
//!
//! The watcher's standing is asked about after the changes were taken and before they are told. The index is at or past
//! them by then, so that nothing that happened after a revocation is ever told to the secret that was revoked.

mod changes;
mod members;
mod tokens;

use std::sync::Arc;

use jeton_core::change::{Change, Revision};
use jeton_core::timestamp::Timestamp;

use crate::error::{Error, Failure};
use crate::feed::{Interrupted, Subscription, Topic};
use crate::session::Session;
use crate::{Inner, Service};

pub use changes::{ChangeWatch, NotInLog};
pub use members::{MemberNews, MemberView, MemberWatch};
pub use tokens::{TokenEvent, TokenNews, TokenWatch};

/// Why a watch ends.
#[derive(Debug)]
pub enum Ended {
    /// The secret that began it is dead, or may no longer see this.
    Standing,
    /// What was watched is gone.
    Gone,
    /// The watcher was away for longer than the change log reaches back.
    Compacted,
    /// The server is going down.
    ShuttingDown,
    /// The machinery broke.
    Failed(Failure),
}

impl From<Interrupted> for Ended {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Closed => Self::ShuttingDown,
            Interrupted::Compacted => Self::Compacted,
            Interrupted::Failed(error) => Self::Failed(error.into()),
        }
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        match error {
            Error::Failed(failure) => Self::Failed(failure),
            Error::Unauthenticated(_) | Error::Refused(_) => Self::Standing,
        }
    }
}

/// Something that can be watched.
pub trait Watching: Send {
    /// What is told.
    type News: Send;

    /// What there is to tell; where that is nothing, waits until there may be something and gives back `None`: look at
    /// [`Post::ends_at`] and ask again. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::News>, Ended>> + Send;

    /// Who watches, and from where.
    fn post(&self) -> &Post;

    /// Asks again whether the watcher may go on: to be called when nothing was told for a while, and when
    /// [`Post::ends_at`] has come. Before anything is told it is asked anyway.
    ///
    /// # Errors
    /// [`Ended::Standing`].
    fn standing(&mut self) -> Result<(), Ended>;
}

/// Where a watcher stands: their session, and their subscription.
pub struct Post {
    service: Service,
    session: Session,
    subscription: Subscription,
    ends_at: Option<Timestamp>,
}

impl Post {
    /// Takes up a post. Refused where too many are taken already.
    fn take(service: &Service, session: &Session, news: Topic, after: Revision) -> Result<Self, Failure> {
        let Inner { feed, limits, .. } = &*service.inner;
        if feed.subscriptions() >= limits.streams {
            return Err(Failure::TooManyStreams);
        }
        let caller = session.caller();
        let standing =
            [Topic::Token(caller.token), Topic::Member(caller.member.id), Topic::Roles(caller.account)];
        let subscription = feed.subscribe(news, &standing, after);
        let ends_at = service.ends_at(session);
        Ok(Self { service: service.clone(), session: session.clone(), subscription, ends_at })
    }

    /// When the secret that began the watch ends by itself, if it does.
    pub const fn ends_at(&self) -> Option<Timestamp> {
        self.ends_at
    }

    /// The time, by the clock that secrets end by.
    pub fn now(&self) -> Timestamp {
        self.service.now()
    }

    /// Every change up to here has been told, as far as it is of interest.
    pub const fn told(&self) -> Revision {
        self.subscription.after()
    }

    /// Asks the index again who the watcher is.
    fn renew(&mut self) -> Result<(), Ended> {
        self.session = self.service.renewed(&self.session)?;
        self.ends_at = self.service.ends_at(&self.session);
        Ok(())
    }

    /// Changes that have not been told; perhaps none.
    async fn changes(&mut self) -> Result<Vec<Arc<Change>>, Ended> {
        let changes = self.subscription.take(&*self.service.inner.store).await?;
        // What comes from the log of a cluster may be ahead of the index, and the watcher's standing is asked there.
        if changes.last().is_some_and(|last| last.revision > self.service.index().revision()) {
            self.service.catch_up().await.map_err(Ended::Failed)?;
        }
        Ok(changes)
    }

    /// The changes of everything that the log holds after a revision, to be played over what was read meanwhile, and
    /// the revision as of which it is then.
    async fn meanwhile(&self, before: Revision) -> Result<(Vec<Change>, Revision), Error> {
        const PAGE: usize = 1000;
        let mut log: Vec<Change> = Vec::new();
        loop {
            let after = log.last().map_or(before, |change| change.revision);
            let page = self.service.inner.store.changes(after, PAGE).await?;
            let full = page.len() == PAGE;
            log.extend(page);
            if !full {
                let as_of = log.last().map_or(before, |change| change.revision);
                return Ok((log, as_of));
            }
        }
    }
}

impl Service {
    /// Ends every watch, and all that are still to come: the server is going down.
    pub fn end_watches(&self) {
        self.inner.feed.close();
    }

    /// How many watches there are.
    pub fn watches(&self) -> usize {
        self.inner.feed.subscriptions()
    }

    /// The last change that every watcher whom it concerns has been offered.
    pub fn published(&self) -> Revision {
        self.inner.feed.published()
    }
}
