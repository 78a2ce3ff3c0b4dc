//! Jeton's benchmarks: the real server beside what the machine can do at best, in one table.
//!
//! Absolute figures belong to the machine and the minute they were taken in. What travels is a ratio: both sides run on
//! the same core and the same disk, take turns in random order, and are compared within each round.
//!
//! `jeton bench` is the part that everybody has who has jeton ([`Overview`]). `scripts/bench` is all of it
//! ([`command_line`]). They share everything below.
//!
//! | to learn | read |
//! |---|---|
//! | what everybody can measure | [`overview`], [`picture`] |
//! | what can be measured in a checkout, and how it is asked for | [`options`] |
//! | how two things are compared | [`rounds`], [`spread`] |
//! | what a verification costs on each surface, beside answers that are a constant | [`surfaces`], [`fixed_route`] |
//! | what a verification costs in the process, beside its digest and a bare table | [`verify`] |
//! | what a flood of bad secrets does to good ones | [`floods`] |
//! | what a create costs, beside a bare loop of inserts | [`creates`], [`bare_loop`], [`slow_disk`] |
//! | what a read costs, beside a route that answers with a constant | [`reads`] |
//! | what a decision by policy costs, beside a naive evaluator | [`policies`] |
//! | what a million tokens cost | [`million`], [`population`] |
//! | what ten thousand streams cost | [`streams`] |
//! | what a cluster costs, and how soon a revocation is answered in one | [`cluster`], [`postgres`] |
//! | whether the time of a refusal tells its reason | [`timing`] |
//! | how the server is run, and how it is asked | [`server`], [`load`], [`client`] |
//! | what is printed | [`figure`] |

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::duration_suboptimal_units,
    clippy::float_cmp,
    clippy::neg_cmp_op_on_partial_ord,
    clippy::unchecked_time_subtraction,
    reason = "figures are measured, rounded and compared by people"
)]
#![allow(rustdoc::private_intra_doc_links, reason = "the table above is for whoever reads this crate")]

mod bare_loop;
mod changing;
mod client;
mod cluster;
mod command_line;
mod creates;
mod figure;
mod fixed_route;
mod floods;
mod interrupt;
mod load;
mod machine;
mod million;
mod options;
mod overview;
mod picture;
mod policies;
mod population;
mod postgres;
mod reads;
mod redis;
mod reply;
mod rounds;
mod scratch;
mod server;
mod slow_disk;
mod spread;
mod streams;
mod subprocess;
mod surfaces;
mod timing;
mod verify;

use std::error::Error;

pub use command_line::command_line;
pub use fixed_route::fixed_route;
pub use interrupt::interrupt;
pub use overview::Overview;

/// What ends a benchmark early. Its text is for whoever started it.
type Fallible<T> = Result<T, Box<dyn Error>>;
