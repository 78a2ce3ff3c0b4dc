//! What a service asks of the world besides a store: the time, and fresh randomness.

use jeton_core::rule::Fresh;
use jeton_core::timestamp::Timestamp;

/// A clock.
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;
}

/// A source of randomness.
pub trait Entropy: Send + Sync {
    /// Bytes for one decision, never given twice.
    fn fresh(&self) -> Fresh;
}
