//! How old what this node knows may be, and whether it may still answer from it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One part in so many of a lease is left out by whoever lives by it, because monotonic clocks go at slightly different rates.
const DRIFT: u32 = 50;

/// Since when this node's knowledge is its own: everything that had been committed by then is known. It only grows.
pub(crate) struct Freshness {
    lasts: Duration,
    /// In nanoseconds of the monotonic clock, and one more: zero is never.
    since: AtomicU64,
}

impl Freshness {
    /// Of a node that knows nothing yet.
    pub(crate) fn of(lease: Duration) -> Self {
        Self { lasts: lease.saturating_sub(lease / DRIFT), since: AtomicU64::new(0) }
    }

    /// A beat that was begun at this instant was answered, and all that was committed by then has been taken in.
    pub(crate) fn renew(&self, begun: Duration) {
        self.since.fetch_max(nanos(begun).saturating_add(1), Ordering::SeqCst);
    }

    /// How old what is known may be. `None` if nothing is.
    pub(crate) fn age(&self, now: Duration) -> Option<Duration> {
        let since = self.since.load(Ordering::SeqCst).checked_sub(1)?;
        Some(Duration::from_nanos(nanos(now).saturating_sub(since)))
    }

    /// By how much its time has passed, if it has.
    pub(crate) fn overdue(&self, now: Duration) -> Option<Duration> {
        match self.age(now) {
            None => Some(Duration::MAX),
            Some(age) => age.checked_sub(self.lasts),
        }
    }
}

fn nanos(instant: Duration) -> u64 {
    u64::try_from(instant.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_lived_by_a_little_less_than_it_lasts() {
        let at = Duration::from_millis;
        let freshness = Freshness::of(at(1000));
        assert_eq!((freshness.age(at(0)), freshness.overdue(at(0))), (None, Some(Duration::MAX)));
        freshness.renew(at(100));
        assert_eq!((freshness.age(at(1079)), freshness.overdue(at(1079))), (Some(at(979)), None));
        assert_eq!(freshness.overdue(at(1080)), Some(at(0)));
        freshness.renew(at(50));
        assert_eq!(freshness.overdue(at(1079)), None, "an older answer takes nothing back");
        freshness.renew(at(200));
        assert_eq!(freshness.overdue(at(1200)), Some(at(20)));
    }
}
