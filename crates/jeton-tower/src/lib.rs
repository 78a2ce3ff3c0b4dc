#![doc = include_str!("../README.md")]
//!
//! # In this crate
//!
//! [`JetonLayer`] wraps a service, and says what its requests [`Need`]. [`JetonClient`] asks, and can be used by itself,
//! for what comes in no request: a message on a connection that has been open for an hour. [`Verified`] is who it was.

mod address;
mod answer;
mod client;
mod layer;
mod need;
mod presented;
mod refusal;

pub use answer::{Answer, Kind, Verified};
pub use client::{BadClient, JetonClient, Unavailable};
pub use layer::{AnswerBody, JetonLayer, JetonService, Unverified};
pub use need::{Need, plain};

#[cfg(test)]
mod tests {
    /// What the README shows is the example, which is run against a jeton.
    #[test]
    fn the_readme_shows_the_example() {
        let (_, example) = include_str!("../examples/axum.rs").split_once("\n\n").expect("a head");
        let (_, shown) = include_str!("../README.md").split_once("```rust,no_run\n").expect("a block");
        assert_eq!(shown.split("```").next(), Some(example));
    }
}
