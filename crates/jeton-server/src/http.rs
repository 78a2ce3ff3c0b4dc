//! The plumbing under every surface that speaks HTTP.
//!
//! Sockets, limits, time-outs, request ids, rate limits, bodies and JSON are the same whoever asks, so they live here
//! once. Nothing below this line knows a token, an account or a dialect: what an error looks like on the wire is for
//! the surface to say, and this folder hands it typed refusals ([`body::BodyRefused`], [`json::BadJson`],
//! [`rate_limit::Verdict`]) to say it with.
//!
//! The way of a request through it:
//!
//! ```text
//! listen ─ accept ─▶ serve ─ one task a connection ─ tls? ─▶ edge ─▶ lanes of the surfaces
//!                      │ caps, time-outs, drain                │ request id, method override, panics
//! ```
//!
//! What a request carries when it reaches a handler: [`Peer`] and [`RequestId`] in its extensions.

pub mod body;
pub mod cors;
pub mod edge;
pub mod json;
pub mod listen;
pub mod method_override;
pub mod panic;
pub mod query;
pub mod rate_limit;
pub mod request_id;
pub mod serve;
pub mod tls;

pub(crate) mod object;
pub(crate) mod pulled;

mod connection;
mod vitals;
mod wire;

pub use edge::{Dialects, Edge};
pub use listen::{ListenAddress, Listener, Peer};
pub use request_id::{RequestId, RequestIds};
pub use serve::{ConnectionLimits, Drained, serve};
pub use tls::{Identity, Tls};
