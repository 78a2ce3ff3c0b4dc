//! Jeton's vocabulary and rules.
//!
//! Everything that is true of tokens whatever the database, the protocol or the hour: what a secret looks like and
//! how it is digested, what a token, a member, a role and a policy are, who may do what, and what a change says.
//!
//! This crate is pure. It reads no clock, draws no randomness, opens nothing and knows no wire format: the time and
//! fresh random bytes are arguments, so every rule is a table that a test can walk.
//!
//! | to learn | read |
//! |---|---|
//! | what a secret is made of, and what is kept of it | [`secret`], [`digest`] |
//! | the records | [`account`], [`member`], [`role`], [`token`], [`credential`] |
//! | who may do what | [`policy`], [`authority`], [`caller`] |
//! | the decisions | [`rule`], answered by [`refusal`] |
//! | what is written down | [`change`] |

pub mod account;
pub mod authority;
pub mod caller;
pub mod change;
mod checksum;
pub mod command;
pub mod credential;
pub mod digest;
pub mod explain;
pub mod id;
pub mod kind;
pub mod limits;
pub mod member;
pub mod policy;
pub mod refusal;
pub mod revision;
pub mod role;
pub mod rule;
pub mod secret;
pub mod snapshot;
pub mod timestamp;
pub mod token;
