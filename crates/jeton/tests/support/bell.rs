//! A bell that rings once: whoever has time to pass waits for it, and hears at once when everybody is to come to an end.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.ringing.notify_all();
    }

    /// Waits for so long, or until it rings. Whether it has rung.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let rung = self.rung.lock().unwrap();
        *self.ringing.wait_timeout_while(rung, at_most, |rung| !*rung).unwrap().0
    }

    pub(crate) fn has_rung(&self) -> bool {
        *self.rung.lock().unwrap()
    }
}

/// Rings when it is dropped, also by a failure: otherwise whoever failed would wait for ever for those who wait for the bell.
pub(crate) struct RingsAtTheEnd<'b>(pub(crate) &'b Bell);

impl Drop for RingsAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.ring();
    }
}
