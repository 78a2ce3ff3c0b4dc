//! What a cluster costs, and what it promises in milliseconds: revocations with all nodes well and with one cut off, how
//! soon an issued token works elsewhere, commits by several nodes, a verification beside one on SQLite, a node's start.
//!
//! Every node is a real process, all on one PostgreSQL that is started for this. They share this machine, so that more nodes
//! are no more machines: what several commit together says what they cost each other, and nothing about what they gain.

use std::io::{Write as _, stderr};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client::{self, Answer, Client};
use crate::figure::{Figure, Goal, Report};
use crate::load::{Load, Tally};
use crate::machine::Core;
use crate::options::Options;
use crate::population;
use crate::postgres::Postgres;
use crate::rounds::{Series, take_turns};
use crate::scratch::Scratch;
use crate::server::{OWNER, Server};
use crate::spread::{self, Spread};
use crate::{Fallible, interrupt};

const TOKENS: &str = "/api/v2/tokens";
const BODY: &str = r#"{"role":"reader","serviceToken":true}"#;
const LEASE: f64 = 1000.0;
/// What a revocation may take beyond the wait for those that are cut off, in milliseconds.
const SOON: f64 = 50.0;
/// Tokens that are issued and revoked with all nodes well, and with one cut off for each.
const WELL: usize = 400;
const CUT_OFF: usize = 30;
/// Connections that create, together.
const CREATORS: usize = 32;
/// Connections that ask for verifications.
const ASKERS: usize = 16;
/// Starts, of which the middle one counts.
const STARTS: usize = 3;

pub(crate) fn measure(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let scratch = Scratch::new(options, "cluster")?;
    let Some(postgres) = Postgres::start(&scratch)? else {
        let mut out = stderr();
        writeln!(
            out,
            "LEFT OUT: a cluster needs PostgreSQL, and there is none; JETON_TEST_POSTGRES_BIN names its programs"
        )?;
        return Ok(());
    };
    let setting = Setting { options, jeton, scratch: &scratch, postgres: &postgres };
    three_nodes(&setting, report)?;
    for nodes in [1, 2, 4] {
        commits(&setting, nodes, report)?;
    }
    verifications(&setting, report)?;
    starts(&setting, report)
}

struct Setting<'a> {
    options: &'a Options,
    jeton: &'a Path,
    scratch: &'a Scratch,
    postgres: &'a Postgres,
}

impl Setting<'_> {
    /// Nodes on a database.
    fn nodes(&self, core: Core, database: &str, count: usize) -> Fallible<Vec<Server>> {
        let lease = format!("{LEASE}ms");
        let start = |number| {
            let data = self.scratch.join(&format!("{number} of {count}"));
            let flags = ["--database", database, "--lease", &lease, "--failed-auth-rate", "0"];
            Server::start_on(core, self.jeton, &data, None, &flags)
        };
        (0..count).map(start).collect()
    }
}

fn three_nodes(setting: &Setting<'_>, report: &mut Report) -> Fallible<()> {
    let database = setting.postgres.database("three_nodes")?;
    let nodes = setting.nodes(Core::Any, &database, 3)?;
    let mut clients = nodes.iter().map(Server::client).collect::<Fallible<Vec<_>>>()?;
    let (mut revoked, mut works) = (Vec::new(), Vec::new());
    for number in 0..WELL {
        interrupt::check()?;
        let (here, there) = (number % 3, (number + 1) % 3);
        let token = issue(&mut clients[here])?;
        works.push(clients[there].ask_well(&token.question())?.took);
        revoked.push(token.revoke(&mut clients[there])?);
    }
    percentiles("issued at one node, accepted at another", works, None, report)?;
    percentiles("revoke, three nodes", revoked, Some(SOON), report)?;
    let mut revoked = Vec::new();
    for _ in 0..CUT_OFF {
        interrupt::check()?;
        let token = issue(&mut clients[0])?;
        until_ready(&mut clients[2])?;
        let stopped = Stopped::stop(&nodes[2])?;
        revoked.push(token.revoke(&mut clients[0])?);
        drop(stopped);
    }
    percentiles("revoke, one of three nodes stopped", revoked, Some(LEASE + SOON), report)
}

/// Creates by the second, over as many connections however many nodes there are.
fn commits(setting: &Setting<'_>, count: usize, report: &mut Report) -> Fallible<()> {
    let database = setting.postgres.database(&format!("commits_{count}"))?;
    let nodes = setting.nodes(Core::Any, &database, count)?;
    let request = client::post(TOKENS, "authorization", OWNER, BODY);
    let load = |node: &Server| Load::new(node.address, CREATORS / count, request.clone());
    let mut loads = nodes.iter().map(load).collect::<Vec<_>>();
    let time = Duration::from_secs_f64(setting.options.seconds);
    let mut rates = Vec::new();
    for _ in 0..=setting.options.rounds {
        interrupt::check()?;
        rates.push(at_once(&mut loads, time)?.iter().map(|tally| tally.rate).sum());
    }
    // The first one warmed up.
    let rate = Spread::of(rates.split_off(1)).median;
    report.add(Figure::plain(format!("creates, {count} nodes on PostgreSQL"), rate, "/s"))
}

fn at_once(loads: &mut [Load], time: Duration) -> Fallible<Vec<Tally>> {
    std::thread::scope(|scope| {
        // What goes wrong is told from thread to thread as text.
        let run = |load: &mut Load| load.run(time).map_err(|error| error.to_string());
        let running: Vec<_> = loads.iter_mut().map(|load| scope.spawn(move || run(load))).collect();
        let ended = running.into_iter().map(|it| it.join().map_err(|_| "a load panicked".to_owned())?);
        Ok(ended.collect::<Result<_, _>>()?)
    })
}

/// Processor time for a verification on a node, its beats and its looks at the log included, beside a server on SQLite.
fn verifications(setting: &Setting<'_>, report: &mut Report) -> Fallible<()> {
    let database = setting.postgres.database("verifications")?;
    let nodes = setting.nodes(Core::Server, &database, 2)?;
    let alone = Server::start(setting.jeton, &setting.scratch.join("alone"), None)?;
    let servers = [&nodes[0], &alone];
    let load = |server: &&Server| {
        let question = issue(&mut server.client()?)?.question();
        Ok(Load::new(server.address, ASKERS, question))
    };
    let mut loads = servers.iter().map(load).collect::<Fallible<Vec<_>>>()?;
    let time = Duration::from_secs_f64(setting.options.seconds);
    let series: Series<2> = take_turns(setting.options.rounds, setting.options.seed, |side| {
        let before = servers[side].processor_time()?;
        let tally = loads[side].run(time)?;
        let used = servers[side].processor_time()?.saturating_sub(before);
        Ok(used.as_secs_f64() * 1e6 / f64::from(tally.all))
    })?;
    let figure =
        Figure::plain("verification at a node, processor time, beside SQLite", series.spread(0).median, "µs");
    report.add(figure.beside(series.spread(1).median, series.ratio(0, 1)))
}

/// From exec to ready, of a node that comes to one that is there.
fn starts(setting: &Setting<'_>, report: &mut Report) -> Fallible<()> {
    let (tokens, database) = (setting.options.tokens, setting.postgres.database("starts")?);
    let started = Instant::now();
    population::fill_postgres(&database, tokens, setting.options.seed)?;
    writeln!(stderr(), "filled   {tokens} tokens in {:.0} s", started.elapsed().as_secs_f64())?;
    let _first = setting.nodes(Core::Any, &database, 1)?;
    let mut took = Vec::new();
    for _ in 0..STARTS {
        interrupt::check()?;
        took.extend(
            setting.nodes(Core::Any, &database, 1)?.iter().map(|node| node.ready_after.as_secs_f64()),
        );
    }
    let name = format!("{tokens} tokens on PostgreSQL: from exec to ready");
    report.add(Figure::plain(name, Spread::of(took).median, "s"))
}

fn percentiles(name: &str, took: Vec<Duration>, goal: Option<f64>, report: &mut Report) -> Fallible<()> {
    let mut millis: Vec<f64> = took.into_iter().map(|took| took.as_secs_f64() * 1e3).collect();
    millis.sort_by(f64::total_cmp);
    report.add(Figure::plain(format!("{name}, p50"), spread::at(&millis, 0.5), "ms"))?;
    let most = Figure::plain(format!("{name}, p99 of {}", millis.len()), spread::at(&millis, 0.99), "ms");
    report.add(match goal {
        Some(goal) => most.goal(Goal::AtMost(goal)),
        None => most,
    })
}

/// A token, as it was made.
struct Token {
    id: String,
    secret: String,
}

fn issue(client: &mut Client) -> Fallible<Token> {
    let answer = well(client.ask(&client::post(TOKENS, "authorization", OWNER, BODY))?, 201)?;
    let token: Value = serde_json::from_slice(&answer.body)?;
    let text = |name: &str| token[name].as_str().map(str::to_owned).ok_or("a token without it");
    Ok(Token { id: text("_id")?, secret: text("token")? })
}

impl Token {
    /// A gateway's question.
    fn question(&self) -> Vec<u8> {
        format!(
            "GET /verify/x-forwarded HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
             x-forwarded-method: GET\r\nx-forwarded-uri: /\r\n\r\n",
            self.secret
        )
        .into_bytes()
    }

    /// How long it took to be answered.
    fn revoke(&self, client: &mut Client) -> Fallible<Duration> {
        let request = format!(
            "DELETE {TOKENS}/{} HTTP/1.1\r\nhost: localhost\r\nauthorization: {OWNER}\r\n\r\n",
            self.id
        );
        Ok(well(client.ask(request.as_bytes())?, 204)?.took)
    }
}

fn well(answer: Answer, status: u16) -> Fallible<Answer> {
    if answer.status == status {
        return Ok(answer);
    }
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    Err(format!("status {} where {status} was expected: {body}", answer.status).into())
}

/// A node that woke up says when it is fresh again.
fn until_ready(client: &mut Client) -> Fallible<()> {
    let began = Instant::now();
    while client.ask(&client::get("/readyz", "authorization", OWNER))?.status != 200 {
        if began.elapsed() > Duration::from_secs(30) {
            return Err("a node has not become ready again".into());
        }
    }
    Ok(())
}

/// A node whose process is stopped, until this is dropped.
struct Stopped(Pid);

impl Stopped {
    fn stop(node: &Server) -> Fallible<Self> {
        let process = Pid::from_raw(i32::try_from(node.process_id())?).ok_or("no process")?;
        kill_process(process, Signal::STOP)?;
        Ok(Self(process))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}
