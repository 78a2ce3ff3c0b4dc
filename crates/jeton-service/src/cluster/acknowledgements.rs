//! Acknowledgements that wait until no node can answer any more from before what they acknowledge.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jeton_core::change::Revision;

use super::roll::Roll;

/// What is to be done when it may be acknowledged.
type Say = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub(crate) struct Acknowledgements {
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    revision: Revision,
    /// No earlier than the commit was answered.
    since: Duration,
    say: Say,
}

impl Acknowledgements {
    /// Says it once everybody has taken in this revision, which was durable at `since`.
    pub(crate) fn wait(&self, revision: Revision, since: Duration, say: impl FnOnce() + Send + 'static) {
        self.waiting().push(Waiting { revision, since, say: Box::new(say) });
    }

    /// Says what may be said after a look at the other nodes that was begun at `asked`. A look from before the commit proves
    /// nothing: a node that registered in between has loaded what was there before.
    pub(crate) fn after_look(
        &self,
        asked: Duration,
        now: Duration,
        own: Revision,
        roll: &Roll,
        lease: Duration,
    ) {
        self.say(|it| asked >= it.since && own >= it.revision && roll.is_past(it.revision, now, lease));
    }

    /// Says what may be said because a whole lease has passed: whoever has not heard answers nobody any more.
    pub(crate) fn after_lease(&self, now: Duration, lease: Duration) {
        self.say(|it| now >= it.since + lease);
    }

    pub(crate) fn are_waited_for(&self) -> bool {
        !self.waiting().is_empty()
    }

    fn say(&self, may: impl Fn(&Waiting) -> bool) {
        let said: Vec<Waiting> = self.waiting().extract_if(.., |it| may(it)).collect();
        said.into_iter().for_each(|it| (it.say)());
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
