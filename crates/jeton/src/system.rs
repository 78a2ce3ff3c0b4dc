//! The wall clock and the system's randomness. Everything else is given them as arguments, so that a test can give it
//! others; this is the only place that may ask the machine.
#![expect(clippy::disallowed_methods, reason = "this is the place that the ban points to")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jeton_core::rule::Fresh;
use jeton_core::timestamp::Timestamp;
use jeton_service::{Clock, Entropy, Monotonic};
use rustix::time::{ClockId, clock_gettime};
use zeroize::Zeroizing;

use crate::fault::Fault;

/// The machine's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock that is set to before 1970 counts as 1970: nothing has expired then, and nothing was issued.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The machine's clock that nobody sets. It counts the time during which the machine sleeps, so that a node that was put to
/// sleep with it knows how old what it knows is.
pub(crate) struct SystemMonotonic;

impl Monotonic for SystemMonotonic {
    fn elapsed(&self) -> Duration {
        let since = clock_gettime(ClockId::Boottime);
        let (seconds, nanos) = (u64::try_from(since.tv_sec), u32::try_from(since.tv_nsec));
        Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
    }
}

/// What the machine is called.
pub(crate) fn machine() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.trim().is_empty() { "localhost".to_owned() } else { name }
}

/// The machine's randomness.
pub(crate) struct SystemEntropy(());

impl SystemEntropy {
    /// Asks once, so that a machine without randomness is found at start-up and not by the first request.
    pub(crate) fn new() -> Result<Self, Fault> {
        getrandom::fill(&mut [0; 1]).map_err(|error| {
            Fault::failed(format!(
                "the operating system gives no randomness ({error}): if a sandbox surrounds jeton, let it call getrandom"
            ))
        })?;
        Ok(Self(()))
    }

    /// Fresh bytes.
    #[expect(clippy::unused_self, reason = "who has one knows that the system answers")]
    pub(crate) fn bytes<const N: usize>(&self) -> Zeroizing<[u8; N]> {
        let mut bytes = Zeroizing::new([0; N]);
        getrandom::fill(bytes.as_mut_slice()).expect("the operating system gave randomness at start-up");
        bytes
    }
}

impl Entropy for SystemEntropy {
    fn fresh(&self) -> Fresh {
        // One system call for both.
        let bytes = self.bytes::<54>();
        let (mut id, mut secret) = ([0; 6], Zeroizing::new([0; 48]));
        id.copy_from_slice(&bytes[..6]);
        secret.copy_from_slice(&bytes[6..]);
        Fresh { id, secret }
    }
}

/// An instant as people write it: UTC, to the second.
pub(crate) fn utc(at: Timestamp) -> String {
    let instant = jiff::Timestamp::from_second(at.as_millis().div_euclid(1000));
    instant.map_or_else(|_| "an unknown time".to_owned(), |instant| instant.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_to_the_second() {
        assert_eq!(utc(Timestamp::from_millis(1_790_000_000_999)), "2026-09-21T14:13:20Z");
        assert_eq!(utc(Timestamp::from_millis(i64::MAX)), "an unknown time");
    }

    #[test]
    fn no_two_decisions_get_the_same_randomness() {
        let entropy = SystemEntropy::new().unwrap();
        let (one, other) = (entropy.fresh(), entropy.fresh());
        assert_ne!(one.secret, other.secret);
        assert_ne!(one.id, other.id);
    }
}
