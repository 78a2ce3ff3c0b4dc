//! Turns the panic of a handler into an answer.
//!
//! A panic is a bug, and a bug in one request must not take down the connection that carries others. What is logged is
//! the panic's own message and the request id; headers and body stay out, because they hold secrets. The answer says
//! nothing but that something broke: its text is the surface's.
//!
//! This needs `panic = "unwind"`, Rust's default.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::request_id::RequestId;

/// A panic's message in the log, at most.
const LONGEST: usize = 300;

/// What a panic left behind.
pub type Payload = Box<dyn Any + Send>;

/// Polls `future` once and catches a panic, after which it must not be polled again.
// Asserting unwind safety is sound here because the future is dropped after a panic, and what handlers share is
// guarded by transactions and atomics instead of by their getting to the end of a function.
pub fn poll_caught<F: Future + Unpin>(
    future: &mut F,
    cx: &mut Context<'_>,
) -> Result<Poll<F::Output>, Payload> {
    catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(cx)))
}

/// Writes the one log line about a panic.
pub fn log(payload: &(dyn Any + Send), request: &RequestId) {
    tracing::error!(request_id = %request, panic = message(payload), "a handler panicked");
}

/// The text of a panic, cut to a length that a log line can bear.
pub fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)");
    &text[..text.floor_char_boundary(LONGEST)]
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[test]
    fn both_kinds_of_message_are_found() {
        assert_eq!(message(&"static"), "static");
        assert_eq!(message(&String::from("made")), "made");
        assert_eq!(message(&7_u8), "(no message)");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = "ü".repeat(400);
        assert_eq!(message(&long).len(), LONGEST);
        let odd = format!("x{long}");
        assert_eq!(message(&odd).len(), LONGEST - 1);
    }

    #[test]
    fn only_a_panic_is_caught() {
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        assert!(matches!(poll_caught(&mut ready(5), cx), Ok(Poll::Ready(5))));
        assert!(matches!(poll_caught(&mut pending::<()>(), cx), Ok(Poll::Pending)));
        let mut failing = std::future::poll_fn(|_| -> Poll<()> { panic!("the {}", "reason") });
        assert_eq!(message(&*poll_caught(&mut failing, cx).unwrap_err()), "the reason");
    }
}
