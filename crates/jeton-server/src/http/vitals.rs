//! What a connection is waiting for, seen from outside the HTTP engine.
//!
//! The engine's own timer can't tell an idle connection from one that drips a request head, knows nothing before it
//! has made out the version, and costs an allocation and a timer for every request. So the parts that see something
//! happen write it down here (the wire sees bytes, the service sees requests), and one watch over each connection
//! reads it ([`connection`](super::connection)).
//!
//! All of this is bookkeeping for time-outs: a value read a moment too old delays a decision and never makes a wrong
//! one, so no ordering between threads is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Whom a connection waits for. Each has its own time-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// For the rest of a request head.
    Head,
    /// For the next request, or for its first byte.
    Request,
    /// For our own answer, or for a body that a handler is reading and has its own deadline for.
    Us,
    /// For our own answer, or for a client that gives its streams no room for one: where streams have windows of their
    /// own (RFC 9113, section 5.2) nobody can tell, so only bytes in either direction prove that something goes on.
    Streams,
    /// For the client to take what was written.
    Reader,
    /// For the client to see that the connection is over.
    End,
}

/// A state of waiting, told apart from the same state entered again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) waiting: Waiting,
    turn: u64,
}

/// Written by the wire and the service of one connection, read by its watch.
#[derive(Debug)]
pub(super) struct Vitals {
    /// Requests answered so far: tells one idle time from the next.
    answered: AtomicU64,
    /// Writes that found room after one that did not: tells one stall from the next.
    moved: AtomicU64,
    /// Reads and writes that moved something: tells streams that go on from streams that stand still.
    moments: AtomicU64,
    /// Requests begun and not yet answered to the last byte of their body.
    running: AtomicU32,
    /// Bytes have come that belong to no request yet.
    head: AtomicBool,
    /// The connection speaks HTTP/2, where bytes between requests are not the beginning of one.
    multiplexed: AtomicBool,
    /// A request body was given up before its end.
    unread: AtomicBool,
    /// The last write found no room.
    blocked: AtomicBool,
    /// Our half is closed.
    ending: AtomicBool,
}

impl Vitals {
    /// A connection just accepted: the first head is due at once, since whoever connects has something to ask.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            answered: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            moments: AtomicU64::new(0),
            running: AtomicU32::new(0),
            head: AtomicBool::new(true),
            multiplexed: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            ending: AtomicBool::new(false),
        })
    }

    pub(super) fn moment(&self) -> Moment {
        let waiting = if self.ending.load(Relaxed) {
            Waiting::End
        } else if self.blocked.load(Relaxed) {
            Waiting::Reader
        } else if self.running.load(Relaxed) > 0 {
            if self.multiplexed.load(Relaxed) { Waiting::Streams } else { Waiting::Us }
        } else if self.head.load(Relaxed) && !self.multiplexed.load(Relaxed) {
            Waiting::Head
        } else {
            Waiting::Request
        };
        let counter = match waiting {
            Waiting::Reader => &self.moved,
            Waiting::Streams => &self.moments,
            _ => &self.answered,
        };
        Moment { waiting, turn: counter.load(Relaxed) }
    }

    /// Bytes went out or came in.
    pub(super) fn goes_on(&self) {
        self.moments.fetch_add(1, Relaxed);
    }

    pub(super) fn bytes_came(&self) {
        // Read before written: the flag is up already for all but the first bytes.
        if !self.head.load(Relaxed) {
            self.head.store(true, Relaxed);
        }
    }

    pub(super) fn is_multiplexed(&self) {
        self.multiplexed.store(true, Relaxed);
    }

    pub(super) fn write_blocked(&self) {
        self.blocked.store(true, Relaxed);
    }

    pub(super) fn write_moved(&self) {
        self.blocked.store(false, Relaxed);
        self.moved.fetch_add(1, Relaxed);
    }

    pub(super) fn body_given_up(&self) {
        self.unread.store(true, Relaxed);
    }

    pub(super) fn ends(&self) {
        self.ending.store(true, Relaxed);
    }

    /// Whether the client may be in the middle of sending something that nobody will read.
    pub(super) fn may_still_be_sending(&self) -> bool {
        !self.multiplexed.load(Relaxed) && (self.unread.load(Relaxed) || self.head.load(Relaxed))
    }
}

/// A request that is being answered, from its head until its response body is dropped.
#[derive(Debug)]
pub(super) struct Running(Arc<Vitals>);

impl Running {
    pub(super) fn begin(vitals: &Arc<Vitals>) -> Self {
        vitals.running.fetch_add(1, Relaxed);
        vitals.head.store(false, Relaxed);
        vitals.unread.store(false, Relaxed);
        Self(Arc::clone(vitals))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Vitals { answered, running, head, .. } = &*self.0;
        if running.fetch_sub(1, Relaxed) == 1 {
            // What came meanwhile was this request's body. Should it have been the beginning of the next head, that
            // head is given the idle time-out instead of its own.
            head.store(false, Relaxed);
            answered.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_followed_through_its_life() {
        let vitals = Vitals::new();
        let waiting = || vitals.moment().waiting;
        assert_eq!(waiting(), Waiting::Head, "the first head is due at once");
        let one = Running::begin(&vitals);
        vitals.bytes_came();
        assert_eq!(waiting(), Waiting::Us, "bytes of the body");
        let other = Running::begin(&vitals);
        drop(one);
        assert_eq!(waiting(), Waiting::Us);
        drop(other);
        assert_eq!(waiting(), Waiting::Request);
        vitals.bytes_came();
        assert_eq!(waiting(), Waiting::Head);
        vitals.is_multiplexed();
        assert_eq!(waiting(), Waiting::Request);
        vitals.write_blocked();
        assert_eq!(waiting(), Waiting::Reader);
        vitals.ends();
        assert_eq!(waiting(), Waiting::End);
    }

    #[test]
    fn the_same_state_entered_again_is_another_moment() {
        let vitals = Vitals::new();
        drop(Running::begin(&vitals));
        let first = vitals.moment();
        assert_eq!(vitals.moment(), first);
        drop(Running::begin(&vitals));
        assert_ne!(vitals.moment(), first);
        vitals.write_blocked();
        let stalled = vitals.moment();
        vitals.write_moved();
        vitals.write_blocked();
        assert_ne!(vitals.moment(), stalled);
    }

    /// A client that gives its streams no window would otherwise keep a connection for ever.
    #[test]
    fn streams_that_stand_still_are_told_from_streams_that_go_on() {
        let vitals = Vitals::new();
        vitals.is_multiplexed();
        let _running = Running::begin(&vitals);
        let still = vitals.moment();
        assert_eq!(still.waiting, Waiting::Streams);
        assert_eq!(vitals.moment(), still);
        vitals.goes_on();
        assert_ne!(vitals.moment(), still);
    }

    #[test]
    fn only_an_unfinished_upload_or_head_is_still_being_sent() {
        let vitals = Vitals::new();
        drop(Running::begin(&vitals));
        assert!(!vitals.may_still_be_sending());
        vitals.bytes_came();
        assert!(vitals.may_still_be_sending());
        drop(Running::begin(&vitals));
        vitals.body_given_up();
        assert!(vitals.may_still_be_sending());
        vitals.is_multiplexed();
        assert!(!vitals.may_still_be_sending(), "a stream is reset by itself");
    }
}
