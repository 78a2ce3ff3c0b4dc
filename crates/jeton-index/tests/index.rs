//! The verification index: against a second one that is built from a snapshot, against a naive model, and against
//! readers that look while it is written.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

#[path = "index/following.rs"]
mod following;
#[path = "index/growing.rs"]
mod growing;
#[path = "index/instants.rs"]
mod instants;
#[path = "index/naive.rs"]
mod naive;
#[path = "index/removal.rs"]
mod removal;
#[path = "index/rescoping.rs"]
mod rescoping;
#[path = "index/step.rs"]
mod step;
#[path = "index/threads.rs"]
mod threads;
