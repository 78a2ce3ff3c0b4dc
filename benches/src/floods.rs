//! What a flood of bad secrets does to good ones: garbage, well-formed secrets that nobody was given, and revoked ones, each
//! as fast as the server refuses them, beside good traffic at a steady pace through the same gateway. Its rate and the time
//! of its answers stand beside what they are without a flood, in the same rounds.
//!
//! Twice: with the limits that a server has by itself, where a flooder is soon told to wait, and without any, where every
//! one of its questions is looked into.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use crate::Fallible;
use crate::figure::{Figure, Goal, Report};
use crate::load::{Load, Tally, Traffic, Wire};
use crate::options::Options;
use crate::rounds::{Dice, Series, take_turns};
use crate::scratch::Scratch;
use crate::server::Server;
use crate::surfaces;
use crate::timing;

/// Connections that the good traffic has, and the flood as many.
const CLIENTS: usize = 16;
/// So much of what the server can answer is asked by the good.
const MODERATE: f64 = 0.2;
/// Bad and good secrets of each kind.
const SECRETS: usize = 200;
const GOOD_CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FLOODER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const FLOODS: [&str; 3] = ["garbage", "unknown secrets", "revoked secrets"];

pub(crate) fn measure(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let scratch = Scratch::new(options, "floods")?;
    let limited = Server::start(jeton, &scratch.join("limited"), None)?;
    beside_floods(options, &limited, "held up", report)?;
    drop(limited);
    let unlimited =
        Server::start_with(jeton, &scratch.join("unlimited"), None, &["--failed-auth-rate", "0"])?;
    beside_floods(options, &unlimited, "never held up", report)
}

fn beside_floods(options: &Options, server: &Server, flooder: &str, report: &mut Report) -> Fallible<()> {
    let mut client = server.client()?;
    let mut dice = Dice::new(options.seed);
    let [unknown, revoked, _] = timing::classes(&mut client, &mut dice)?;
    let good: Vec<_> = (0..SECRETS).map(|_| timing::issue(&mut client)).collect::<Fallible<_>>()?;
    let garbage: Vec<_> = (0..SECRETS).map(|_| format!("{:032x}", u128::from(dice.next()))).collect();
    let time = Duration::from_secs_f64(options.seconds);
    let pace = good_traffic(server, &good, None).run(time)?.rate * MODERATE;
    let quiet = good_traffic(server, &good, Some(pace));
    let flood = |secrets: &[String]| {
        let mut good = traffic(server, GOOD_CLIENT, &good);
        good.pace(Some(pace));
        Load::of(vec![good, traffic(server, FLOODER, secrets).refused_with(&[401, 429])])
    };
    let mut sides = [quiet, flood(&garbage), flood(&unknown), flood(&revoked)];
    let series: Series<4, Vec<Tally>> =
        take_turns(options.rounds, options.seed, |side| sides[side].run_all(time))?;
    for (at, flood) in FLOODS.iter().enumerate() {
        let side = at + 1;
        let name = format!("good traffic beside {flood}, {flooder}");
        let beside = |what: &str, unit, figure: fn(&Tally) -> f64| {
            let of = move |tallies: &Vec<Tally>| figure(&tallies[0]);
            Figure::plain(format!("{name}: {what}"), series.spread_of(side, of).median, unit)
                .beside(series.spread_of(0, of).median, series.ratio_of(side, 0, of))
        };
        report.add(beside("answers", "/s", |good| good.rate).goal(Goal::RatioAtLeast(0.9)))?;
        report.add(beside("p99", "µs", |good| good.p99).goal(Goal::RatioAtMost(2.0)))?;
        let refused = series.spread_of(side, |tallies| tallies[1].rate).median;
        report.add(Figure::plain(format!("{flood}, {flooder}: refused"), refused, "/s"))?;
    }
    Ok(())
}

fn good_traffic(server: &Server, secrets: &[String], pace: Option<f64>) -> Load {
    let mut traffic = traffic(server, GOOD_CLIENT, secrets);
    traffic.pace(pace);
    Load::of(vec![traffic])
}

/// What a gateway asks for a client at this address.
fn traffic(server: &Server, from: Ipv4Addr, secrets: &[String]) -> Traffic {
    let requests = secrets.iter().map(|secret| surfaces::forward(secret, Some(from))).collect();
    Traffic::new(Wire::Http1, server.address, CLIENTS, requests)
}
