//! What a durable create costs over HTTP, beside a bare loop of inserts on the same disk.

use std::path::Path;
use std::time::Duration;

use crate::Fallible;
use crate::bare_loop::BareLoop;
use crate::client;
use crate::figure::{Figure, Goal, Report};
use crate::load::Load;
use crate::options::Options;
use crate::rounds::{Series, take_turns};
use crate::scratch::Scratch;
use crate::server::{OWNER, Server};
use crate::slow_disk;
use crate::spread::Spread;

const PATH: &str = "/api/v1/users/1000/access-tokens";
const BODY: &str = r#"{"description":"A token of the benchmark"}"#;

pub(crate) fn measure(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    on_this_disk(options, jeton, report)?;
    on_a_slow_disk(options, jeton, report)
}

/// One side of a comparison, and what its processor time per create was in each turn.
struct Clients {
    load: Load,
    cost: Vec<f64>,
}

impl Clients {
    fn new(server: &Server, count: usize) -> Self {
        let request = client::post(PATH, "private-token", OWNER, BODY);
        Self { load: Load::new(server.address, count, request), cost: Vec::new() }
    }

    /// Creates by the second.
    fn turn(&mut self, server: &Server, time: Duration) -> Fallible<f64> {
        let before = server.processor_time()?;
        let tally = self.load.run(time)?;
        let used = server.processor_time()?.saturating_sub(before);
        self.cost.push(used.as_secs_f64() * 1e6 / f64::from(tally.all));
        Ok(tally.rate)
    }

    /// Microseconds of the server's processor time per create, without the turn that warmed up.
    fn cost(&self) -> Spread {
        Spread::of(self.cost[1..].to_vec())
    }
}

fn on_this_disk(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let scratch = Scratch::new(options, "creates")?;
    let server = Server::start(jeton, &scratch.join("data"), None)?;
    let mut floor = BareLoop::start(&scratch.join("bare.db"), None)?;
    let time = Duration::from_secs_f64(options.seconds);
    let mut clients = [1, 16, 128].map(|count| Clients::new(&server, count));
    let series: Series<4> = take_turns(options.rounds, options.seed, |side| match side {
        0 => floor.turn(time),
        side => clients[side - 1].turn(&server, time),
    })?;
    let create = |name: &str, side| {
        Figure::plain(format!("creates, {name}"), series.spread(side).median, "/s")
            .beside(series.spread(0).median, series.ratio(side, 0))
    };
    report.add(create("1 client", 1).goal(Goal::RatioAtLeast(0.6)))?;
    report.add(create("16 clients", 2).goal(Goal::RatioAtLeast(1.5)))?;
    report.add(create("128 clients", 3))?;
    for (count, clients) in [1, 16, 128].into_iter().zip(clients) {
        let name = format!("create, server's processor time, {count} clients");
        let figure = Figure::plain(name, clients.cost().median, "µs");
        report.add(if count == 16 { figure.goal(Goal::AtMost(100.0)) } else { figure })?;
    }
    Ok(())
}

fn on_a_slow_disk(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let scratch = Scratch::new(options, "slow-creates")?;
    let library = slow_disk::build(&scratch)?;
    let server = Server::start(jeton, &scratch.join("data"), Some(&library))?;
    let mut floor = BareLoop::start(&scratch.join("bare.db"), Some(&library))?;
    let time = Duration::from_secs_f64(options.seconds);
    let mut clients = Clients::new(&server, 128);
    let series: Series<2> = take_turns(options.rounds, options.seed, |side| match side {
        0 => floor.turn(time),
        _ => clients.turn(&server, time),
    })?;
    let figure = Figure::plain("creates, 128 clients, fsync 5 ms slower", series.spread(1).median, "/s")
        .beside(series.spread(0).median, series.ratio(1, 0))
        .goal(Goal::RatioAtLeast(50.0));
    report.add(figure)
}
