//! Turns of the follower, counted: so that whoever needs one that began after they came can wait for it, together with all who
//! need the same.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

pub(crate) struct Turns {
    begun: AtomicU64,
    ended: watch::Sender<Ended>,
}

/// The last turn that has ended.
#[derive(Clone, Copy, Default)]
struct Ended {
    number: u64,
    well: bool,
}

impl Default for Turns {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), ended: watch::Sender::new(Ended::default()) }
    }
}

impl Turns {
    /// The number of a turn that begins now.
    pub(crate) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The turn with this number is over.
    pub(crate) fn end(&self, number: u64, well: bool) {
        self.ended.send_replace(Ended { number, well });
    }

    /// The end of a turn that has not begun yet: whether it was well. Whoever waits is registered by the time this returns.
    pub(crate) fn next(&self) -> impl Future<Output = bool> + Send + use<> {
        let after = self.begun.load(Ordering::SeqCst);
        let mut ended = self.ended.subscribe();
        async move { ended.wait_for(|ended| ended.number > after).await.is_ok_and(|ended| ended.well) }
    }
}
