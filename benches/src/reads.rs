//! What GET of one token costs, beside routes that answer with a constant: one of the same server, and one of plain axum
//! with a document of the same length.

use std::path::Path;
use std::time::Duration;

use crate::Fallible;
use crate::client::{self, Client};
use crate::figure::{Figure, Goal, Report};
use crate::fixed_route::{self, FixedRoute};
use crate::load::Load;
use crate::options::Options;
use crate::rounds::{Series, take_turns};
use crate::scratch::Scratch;
use crate::server::{OWNER, Server};

/// Keep-alive connections.
const CLIENTS: usize = 16;
const LIST: &str = "/api/v1/users/1000/access-tokens";

const LAUNCHDARKLY: usize = 0;
const CANVUS: usize = 1;
const HEALTHZ: usize = 2;
/// Constants as long as the answers of the first two.
const AXUM: [usize; 2] = [3, 4];

pub(crate) fn measure(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let scratch = Scratch::new(options, "reads")?;
    let server = Server::start(jeton, &scratch.join("data"), None)?;
    let mut client = server.client()?;
    let id = create(&mut client)?;
    let requests = [
        client::get(&format!("/api/v2/tokens/{id}"), "authorization", OWNER),
        client::get(&format!("{LIST}/{id}"), "private-token", OWNER),
    ];
    let mut lengths = [0; 2];
    for (length, request) in lengths.iter_mut().zip(&requests) {
        *length = client.ask_well(request)?.body.len();
    }
    let fixed = FixedRoute::start(options.fixed_route, &lengths)?;
    let [of_launchdarkly, of_canvus] = requests;
    let constant = |length| {
        Load::new(fixed.address, CLIENTS, client::get(&fixed_route::path(length), "authorization", OWNER))
    };
    let mut sides = [
        Load::new(server.address, CLIENTS, of_launchdarkly),
        Load::new(server.address, CLIENTS, of_canvus),
        Load::new(server.address, CLIENTS, client::get("/healthz", "authorization", OWNER)),
        constant(lengths[0]),
        constant(lengths[1]),
    ];
    let time = Duration::from_secs_f64(options.seconds);
    let series: Series<5> = take_turns(options.rounds, options.seed, |side| {
        let used = || if AXUM.contains(&side) { fixed.processor_time() } else { server.processor_time() };
        let before = used()?;
        let tally = sides[side].run(time)?;
        Ok(used()?.saturating_sub(before).as_secs_f64() * 1e6 / f64::from(tally.all))
    })?;
    for (dialect, side) in [("LaunchDarkly", LAUNCHDARKLY), ("Canvus", CANVUS)] {
        for (floor, by) in [("/healthz of jeton", HEALTHZ), ("plain axum, same length", AXUM[side])] {
            let name = format!("GET of a token, {dialect}, processor time, beside {floor}");
            let figure = Figure::plain(name, series.spread(side).median, "µs")
                .beside(series.spread(by).median, series.ratio(side, by));
            report.add(figure.goal(Goal::RatioAtMost(1.5)))?;
        }
    }
    Ok(())
}

/// Makes a token, and gives its id.
fn create(client: &mut Client) -> Fallible<String> {
    let body = r#"{"description":"A token of the benchmark"}"#;
    let answer = client.ask_well(&client::post(LIST, "private-token", OWNER, body))?;
    let token: serde_json::Value = serde_json::from_slice(&answer.body)?;
    Ok(token["id"].as_str().ok_or("a token without an id")?.to_owned())
}
