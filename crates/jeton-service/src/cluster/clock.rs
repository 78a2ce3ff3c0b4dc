//! The database's clock, carried forward by the monotonic one: so that all nodes agree on what has expired, and none by a wall
//! clock of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jeton_core::timestamp::Timestamp;

use crate::ports::{Clock, Monotonic};

pub(crate) struct DatabaseClock {
    monotonic: Arc<dyn Monotonic>,
    /// What has to be added to the monotonic clock, in milliseconds.
    ahead: AtomicI64,
    /// Time does not go back behind this: what has expired stays so, also after a fail-over to a clock that is slow.
    floor: AtomicI64,
}

impl DatabaseClock {
    pub(crate) fn new(monotonic: Arc<dyn Monotonic>) -> Self {
        Self { monotonic, ahead: AtomicI64::new(0), floor: AtomicI64::new(0) }
    }

    /// The database says this by now: it is at least so late.
    pub(crate) fn reach(&self, said: Timestamp) {
        if self.now() < said {
            let elapsed = millis(self.monotonic.elapsed());
            self.ahead.store(said.as_millis().saturating_sub(elapsed), Ordering::SeqCst);
        }
    }

    /// The database said this, having been asked at `asked`. Whatever time the answer took is counted as passed before it
    /// was written: an expiry comes a little early rather than late.
    pub(crate) fn set(&self, said: Timestamp, asked: Duration) {
        self.floor.fetch_max(self.now().as_millis(), Ordering::SeqCst);
        self.ahead.store(said.as_millis().saturating_sub(millis(asked)), Ordering::SeqCst);
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        let carried = self.ahead.load(Ordering::SeqCst).saturating_add(millis(self.monotonic.elapsed()));
        Timestamp::from_millis(carried.max(self.floor.load(Ordering::SeqCst)))
    }
}

fn millis(instant: Duration) -> i64 {
    i64::try_from(instant.as_millis()).unwrap_or(i64::MAX)
}
