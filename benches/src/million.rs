//! What a million tokens cost: the start, the memory, a page of the list at any offset, and how long a gateway waits while
//! tokens are issued.

use std::hint::black_box;
use std::io::{Write as _, stderr};
use std::path::Path;
use std::time::{Duration, Instant};

use jeton_core::digest::Digest;
use rusqlite::{Connection, OpenFlags};

use crate::Fallible;
use crate::client::{self, Client};
use crate::figure::{Figure, Goal, Report};
use crate::load::{Load, Tally, Traffic, Wire};
use crate::options::Options;
use crate::population::{self, Population};
use crate::rounds::{Dice, Series, take_turns};
use crate::scratch::Scratch;
use crate::server::{OWNER, Server};
use crate::spread;
use crate::surfaces;
use crate::verify::BareTable;

/// Starts of each kind, of which the middle one counts.
const STARTS: usize = 5;
/// Pages of each kind.
const PAGES: u32 = 300;
/// Connections of those who ask, and of those who issue.
const CLIENTS: usize = 16;
/// Questions, and tokens issued, by the second.
const ASKED: f64 = 5000.0;
const ISSUED: f64 = 1000.0;

pub(crate) fn measure(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let scratch = Scratch::new(options, "million")?;
    let data = scratch.join("data");
    let population = fill(options, &data)?;
    let server = starts(options, jeton, &data, report)?;
    report.add(memory("after the start", options.tokens, &server)?)?;
    let mut dice = Dice::new(options.seed);
    get_some(&server, &population, &mut dice)?;
    for limit in [25, 1000] {
        lists(&server, options.tokens, limit, &mut dice, report)?;
    }
    report.add(memory("after the lists", options.tokens, &server)?)?;
    while_issuing(options, &server, &population, report)
}

/// How long a gateway waits for an answer while tokens are issued, beside the same without. One thread asks for both, so what
/// it takes to hear the others is in the time, too.
fn while_issuing(
    options: &Options,
    server: &Server,
    population: &Population,
    report: &mut Report,
) -> Fallible<()> {
    let questions: Vec<_> =
        population.secrets.iter().map(|(_, _, secret)| surfaces::forward(secret, None)).collect();
    let asked = || {
        let mut asked = Traffic::new(Wire::Http1, server.address, CLIENTS, questions.clone());
        asked.pace(Some(ASKED));
        asked
    };
    let body = r#"{"role":"reader","serviceToken":true}"#;
    let issue = client::post("/api/v2/tokens", "authorization", OWNER, body);
    let mut issued = Traffic::new(Wire::Http1, server.address, CLIENTS, vec![issue]);
    issued.pace(Some(ISSUED));
    let mut sides = [Load::of(vec![asked()]), Load::of(vec![asked(), issued])];
    let time = Duration::from_secs_f64(options.seconds);
    let series: Series<2, Vec<Tally>> =
        take_turns(options.rounds, options.seed, |side| sides[side].run_all(time))?;
    let p99 = |tallies: &Vec<Tally>| tallies[0].p99;
    let name = "verification while tokens are issued, p99";
    let figure = Figure::plain(name, series.spread_of(1, p99).median, "µs");
    report.add(figure.beside(series.spread_of(0, p99).median, series.ratio_of(1, 0, p99)))?;
    let rate = series.spread_of(1, |tallies| tallies[1].rate).median;
    report.add(Figure::plain("tokens issued meanwhile", rate, "/s"))
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

/// From exec to ready, on all cores and on one, beside a bare scan of the same rows into the barest table.
fn starts(options: &Options, jeton: &Path, data: &Path, report: &mut Report) -> Fallible<Server> {
    let tokens = f64::from(options.tokens);
    let mut on_one = None;
    let series: Series<3> = take_turns(STARTS, options.seed, |side| {
        on_one = None;
        let seconds = match side {
            0 => scan(&data.join("jeton.db"), options.tokens)?,
            1 => Server::start_on_all_cores(jeton, data)?.ready_after.as_secs_f64(),
            _ => on_one.insert(Server::start(jeton, data, None)?).ready_after.as_secs_f64(),
        };
        Ok(tokens / seconds)
    })?;
    for (side, cores) in [(1, "all cores"), (2, "one core")] {
        let rate = series.spread(side).median;
        let name = format!("{} tokens: from exec to ready, {cores}", options.tokens);
        let figure = Figure::plain(name, tokens / rate, "s");
        report.add(if side == 1 { figure.goal(Goal::AtMost(3.0 * tokens / 1e6)) } else { figure })?;
        let figure = Figure::plain(format!("start, {cores}: tokens loaded"), rate, "/s")
            .beside(series.spread(0).median, series.ratio(side, 0));
        report.add(if side == 1 { figure.goal(Goal::RatioAtLeast(0.75)) } else { figure })?;
    }
    match on_one {
        Some(server) => Ok(server),
        None => Server::start(jeton, data, None),
    }
}

/// Seconds for what an index can't be built without: every token's id, owner, end, revision and digest are read, and go
/// into a table.
fn scan(database: &Path, tokens: u32) -> Fallible<f64> {
    let started = Instant::now();
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut table = BareTable::with_room_for(tokens as usize);
    let mut statement = connection.prepare("SELECT digest, id, owner, expires_at, revision FROM tokens")?;
    let mut rows = statement.query([])?;
    let mut read = 0;
    while let Some(row) = rows.next()? {
        let (id, owner): ([u8; 12], [u8; 12]) = (row.get(1)?, row.get(2)?);
        black_box((id, owner, row.get::<_, Option<i64>>(3)?));
        table.put(&Digest::from_bytes(row.get(0)?), row.get(4)?);
        read += 1;
    }
    black_box(table);
    if read == tokens {
        Ok(started.elapsed().as_secs_f64())
    } else {
        Err(format!("{read} tokens were read").into())
    }
}

fn memory(when: &str, tokens: u32, server: &Server) -> Fallible<Figure> {
    let figure = Figure::plain(format!("resident memory {when}"), server.resident_mib()?, "MiB");
    // A hundred bytes a token, in whole.
    Ok(figure.goal(Goal::AtMost(f64::from(tokens) * 100.0 / f64::from(1 << 20))))
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
