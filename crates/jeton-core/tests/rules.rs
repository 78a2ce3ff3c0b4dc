//! The rules, row by row: who asks, for what, and what is answered.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

#[path = "rules/actions.rs"]
mod actions;
#[path = "rules/cast.rs"]
mod cast;
#[path = "rules/ceilings.rs"]
mod ceilings;
#[path = "rules/drawn.rs"]
mod drawn;
#[path = "rules/effective.rs"]
mod effective;
#[path = "rules/escape.rs"]
mod escape;
#[path = "rules/founding.rs"]
mod founding;
#[path = "rules/limits.rs"]
mod limits;
#[path = "rules/model.rs"]
mod model;
#[path = "rules/people.rs"]
mod people;
#[path = "rules/proposals.rs"]
mod proposals;
#[path = "rules/ranks.rs"]
mod ranks;
#[path = "rules/requests.rs"]
mod requests;
#[path = "rules/rotation.rs"]
mod rotation;
#[path = "rules/walls.rs"]
mod walls;
