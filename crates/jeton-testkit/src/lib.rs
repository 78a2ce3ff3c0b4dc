//! What jeton's tests are made with: a clock that stands until it is moved, randomness that comes from a seed, and a
//! whole server in the process, asked through its outer door.
//!
//! A [`Jeton`] checks itself when it is dropped: the index that followed the changes equals one that is built anew from
//! the store, the change log is dense and complete, and no secret that was ever shown stands in anything that was
//! stored or answered elsewhere. Every single reply is looked at too, as the strictest clients would, and
//! compared with the OpenAPI document.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "it is used by tests only, where a panic is the report"
)]

mod clock;
pub mod cluster;
mod entropy;
pub mod envoy;
pub mod fuzz;
pub mod history;
mod lines;
pub mod openapi;
mod registry;
mod reply;
mod server;
mod strict;
mod unreliable;

pub use clock::FakeClock;
pub use entropy::SeededEntropy;
pub use lines::{End, Lines};
pub use registry::Registry;
pub use reply::Reply;
pub use server::{Jeton, Person, check_store, request};
pub use unreliable::Unreliable;
