//! What a million tokens cost: the start, the memory, and a page of the list at any offset.

use std::io::{Write as _, stderr};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::client::{self, Client};
use crate::figure::{Figure, Goal, Report};
use crate::options::Options;
use crate::population::{self, Population};
use crate::rounds::Dice;
use crate::scratch::Scratch;
use crate::server::{OWNER, Server};
use crate::spread;

/// Starts, of which the middle one counts.
const STARTS: usize = 5;
/// Pages of each kind.
const PAGES: u32 = 300;

pub(crate) fn measure(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let scratch = Scratch::new(options, "million")?;
    let data = scratch.join("data");
    let population = fill(options, &data)?;
    let server = starts(options, jeton, &data, report)?;
    report.add(memory("after the start", &server)?)?;
    let mut dice = Dice::new(options.seed);
    get_some(&server, &population, &mut dice)?;
    for limit in [25, 1000] {
        lists(&server, options.tokens, limit, &mut dice, report)?;
    }
    report.add(memory("after the lists", &server)?)
}

/// Makes a data directory with as many tokens as the options say.
pub(crate) fn fill(options: &Options, data: &Path) -> Fallible<Population> {
    std::fs::create_dir_all(data)?;
    let started = Instant::now();
    let population = population::fill(&data.join("jeton.db"), options.tokens, options.seed)?;
    let (tokens, seconds) = (options.tokens, started.elapsed().as_secs_f64());
    writeln!(stderr(), "filled   {tokens} tokens in {seconds:.0} s")?;
    Ok(population)
}

fn starts(options: &Options, jeton: &Path, data: &Path, report: &mut Report) -> Fallible<Server> {
    let mut server = Server::start(jeton, data, None)?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        drop(server);
        server = Server::start(jeton, data, None)?;
        times.push(server.ready_after.as_secs_f64());
    }
    let spread = spread::Spread::of(times);
    let name = format!("{} tokens: from exec to ready", options.tokens);
    report.add(Figure::plain(name, spread.median, "s").goal(Goal::AtMost(3.0)))?;
    Ok(server)
}

fn memory(when: &str, server: &Server) -> Fallible<Figure> {
    Ok(Figure::plain(format!("resident memory {when}"), server.resident_mib()?, "MiB")
        .goal(Goal::AtMost(150.0)))
}

/// Random tokens are found by both dialects, and secrets of their owners are good.
fn get_some(server: &Server, population: &Population, dice: &mut Dice) -> Fallible<()> {
    let mut client = server.client()?;
    for _ in 0..1000 {
        let id = population.ids[usize::try_from(dice.below(population.ids.len() as u64))?];
        let answer =
            client.ask_well(&client::get(&format!("/api/v2/tokens/{id}"), "authorization", OWNER))?;
        let token: serde_json::Value = serde_json::from_slice(&answer.body)?;
        if token["_id"] != id.to_string() {
            return Err(format!("another token than {id} came back").into());
        }
    }
    for (id, number, secret) in population.secrets.iter().take(1000) {
        let path = format!("/api/v1/users/{number}/access-tokens/{id}");
        client.ask_well(&client::get(&path, "private-token", secret))?;
    }
    Ok(())
}

fn lists(server: &Server, tokens: u32, limit: u32, dice: &mut Dice, report: &mut Report) -> Fallible<()> {
    let mut client = server.client()?;
    let end = u64::from(tokens - limit);
    for place in ["first", "middle", "last", "random"] {
        let mut times = Vec::new();
        for _ in 0..PAGES {
            let offset = match place {
                "first" => 0,
                "middle" => end / 2,
                "last" => end,
                _ => dice.below(end),
            };
            times.push(page(&mut client, limit, offset)?.as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let [middle, most, worst] = [0.5, 0.99, 1.0].map(|share| spread::at(&times, share));
        let name = format!("{place} page of {limit}");
        report.add(Figure::plain(format!("{name}, median"), middle, "ms"))?;
        report.add(Figure::plain(format!("{name}, 99 of 100"), most, "ms").goal(Goal::AtMost(5.0)))?;
        report.add(Figure::plain(format!("{name}, slowest of {PAGES}"), worst, "ms"))?;
    }
    Ok(())
}

fn page(client: &mut Client, limit: u32, offset: u64) -> Fallible<Duration> {
    let path = format!("/api/v2/tokens?showAll=true&limit={limit}&offset={offset}");
    let answer = client.ask_well(&client::get(&path, "authorization", OWNER))?;
    // Each token has this member once.
    let mark = br#""serviceToken":"#;
    let items = answer.body.windows(mark.len()).filter(|part| part == mark).count();
    if items != usize::try_from(limit)? {
        return Err(format!("a page of {items} tokens where {limit} were asked for").into());
    }
    Ok(answer.took)
}
