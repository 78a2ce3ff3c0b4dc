//! What a gateway's question costs beside a `GET` from Redis on the same core: the cache that people put in front of a
//! server of tokens whose verifications are slow. The cache has to be asked over the network all the same, and goes on
//! saying yes for as long as an entry lives.
//!
//! Each entry is what jeton would say of the token, 150 bytes, under its secret. Redis speaks its own protocol, which costs
//! less than HTTP. Both are asked about the same six thousand tokens, which are all that Redis holds and stay in the
//! processor's cache on either side; jeton knows all the others, too.

use std::io::{Read as _, Write as _, stderr};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Fallible;
use crate::figure::{Figure, Goal, Report};
use crate::load::{Load, Traffic, Wire};
use crate::machine::{self, Core};
use crate::million;
use crate::options::Options;
use crate::rounds::{Series, take_turns};
use crate::scratch::Scratch;
use crate::server::Server;
use crate::subprocess::{Subprocess, Voice};
use crate::surfaces;

/// Keep-alive connections.
const CLIENTS: usize = 16;
/// Bytes of an entry.
const ENTRY: usize = 150;

pub(crate) fn measure(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let Some(redis) = Redis::start()? else {
        writeln!(stderr(), "LEFT OUT: there is no redis-server, which Debian has as a package")?;
        return Ok(());
    };
    let scratch = Scratch::new(options, "redis")?;
    let data = scratch.join("data");
    let population = million::fill(options, &data)?;
    let secrets: Vec<String> = population.secrets.into_iter().map(|(_, _, secret)| secret).collect();
    let server = Server::start(jeton, &data, None)?;
    redis.fill(&secrets)?;
    let questions = secrets.iter().map(|secret| surfaces::forward(secret, None)).collect();
    let gets = secrets.iter().map(|secret| command(&["GET", secret])).collect();
    let mut loads = [
        Load::of(vec![Traffic::new(Wire::Http1, server.address, CLIENTS, questions)]),
        Load::of(vec![Traffic::new(Wire::Redis, redis.address, CLIENTS, gets)]),
    ];
    let time = Duration::from_secs_f64(options.seconds);
    let series: Series<2> = take_turns(options.rounds, options.seed, |side| {
        let process = [server.process_id(), redis.process.id()][side];
        let before = machine::processor_time(process)?;
        let tally = loads[side].run(time)?;
        let used = machine::processor_time(process)?.saturating_sub(before);
        Ok(used.as_secs_f64() * 1e6 / f64::from(tally.all))
    })?;
    let name = "GET /verify/x-forwarded, beside GET from Redis: processor time";
    let figure = Figure::plain(name, series.spread(0).median, "µs");
    report.add(figure.beside(series.spread(1).median, series.ratio(0, 1)).goal(Goal::RatioAtMost(1.1)))
}

/// A Redis that keeps nothing, on the server's core.
struct Redis {
    process: Subprocess,
    address: SocketAddr,
}

impl Redis {
    /// `None` where there is none.
    fn start() -> Fallible<Option<Self>> {
        if Command::new("redis-server").arg("--version").output().is_err() {
            return Ok(None);
        }
        // It can't choose a port by itself. Nobody else on this machine is likely to take this one in between.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut redis = Command::new("redis-server");
        redis.args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"]);
        redis.args(["--save", "", "--appendonly", "no"]);
        let mut process = Subprocess::start(&mut redis, Voice::Output, Core::Server)?;
        while !process.line()?.contains("Ready to accept connections") {}
        process.leave_lines_to(|_| {});
        Ok(Some(Self { process, address }))
    }

    fn fill(&self, secrets: &[String]) -> Fallible<()> {
        let entry = "x".repeat(ENTRY);
        let mut stream = TcpStream::connect(self.address)?;
        for secret in secrets {
            stream.write_all(&command(&["SET", secret, &entry]))?;
            let mut answer = [0; 5];
            stream.read_exact(&mut answer)?;
            if &answer != b"+OK\r\n" {
                return Err("Redis took no entry".into());
            }
        }
        Ok(())
    }
}

/// A command as an array of texts.
fn command(words: &[&str]) -> Vec<u8> {
    let each: Vec<_> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{}", each.len(), each.concat()).into_bytes()
}
