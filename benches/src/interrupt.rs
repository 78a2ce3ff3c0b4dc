//! How a benchmark is stopped before its end: whoever started it says so once, and the next look ends it with an error,
//! which drops what it had started and made.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::Fallible;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Asks the benchmark of this process to stop. It does within a second.
pub fn interrupt() {
    ASKED.store(true, Ordering::Relaxed);
}

/// An error once somebody has asked for the end.
pub(crate) fn check() -> Fallible<()> {
    if ASKED.load(Ordering::Relaxed) {
        Err("stopped before the end, and nothing is left behind".into())
    } else {
        Ok(())
    }
}
