//! What a service asks of the world besides a store: the time, and fresh randomness.

use std::time::Duration;

use jeton_core::rule::Fresh;
use jeton_core::timestamp::Timestamp;

/// A clock.
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;
}

/// A clock that only goes forward, and at the rate of time: what nodes of a cluster measure their leases with. Wall clocks
/// are set, so nothing is promised by them.
pub trait Monotonic: Send + Sync {
    /// How much time has passed since some instant that stays the same.
    fn elapsed(&self) -> Duration;
}

/// A source of randomness.
pub trait Entropy: Send + Sync {
    /// Bytes for one decision, never given twice.
    fn fresh(&self) -> Fresh;
}
