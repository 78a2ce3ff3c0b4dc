//! Until when this node may answer from memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One part in so many of a lease is left out by whoever lives by it, because monotonic clocks go at slightly different rates.
const DRIFT: u32 = 50;

/// Until when this node may answer. It only grows.
#[derive(Default)]
pub(crate) struct Freshness {
    /// In nanoseconds of the monotonic clock.
    until: AtomicU64,
}

impl Freshness {
    /// A beat that was begun at this instant was answered, and all that was committed by then has been taken in.
    pub(crate) fn renew(&self, begun: Duration, lease: Duration) {
        self.until.fetch_max(nanos((begun + lease).saturating_sub(lease / DRIFT)), Ordering::SeqCst);
    }

    /// By how much it has passed, if it has.
    pub(crate) fn overdue(&self, now: Duration) -> Option<Duration> {
        let until = self.until.load(Ordering::SeqCst);
        let now = nanos(now);
        (now >= until).then(|| Duration::from_nanos(now - until))
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
        let freshness = Freshness::default();
        assert_eq!(freshness.overdue(at(0)), Some(at(0)), "nobody begins fresh");
        freshness.renew(at(100), at(1000));
        assert_eq!(freshness.overdue(at(1079)), None);
        assert_eq!(freshness.overdue(at(1080)), Some(at(0)));
        freshness.renew(at(50), at(1000));
        assert_eq!(freshness.overdue(at(1079)), None, "an older answer takes nothing back");
        freshness.renew(at(200), at(1000));
        assert_eq!(freshness.overdue(at(1200)), Some(at(20)));
    }
}
