//! What ten thousand open streams cost: memory while nothing happens, the time until the last of them has heard of a
//! change, and creates that go on beside them, compared with the same creates without them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::Fallible;
use crate::client::{self, Client};
use crate::figure::{Figure, Goal, Report};
use crate::options::Options;
use crate::rounds::{Series, take_turns};
use crate::scratch::Scratch;
use crate::server::{OWNER, Server};
use crate::spread::Spread;

/// Users whose lists are watched beside the creates: each create is told to the streams over one list.
const USERS: usize = 1000;
/// Creates by the second that are asked for.
const PACE: usize = 1000;
/// Clients that make them.
const CLIENTS: usize = 4;
/// For everything that has been said to have arrived.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn measure(options: &Options, jeton: &Path, report: &mut Report) -> Fallible<()> {
    let scratch = Scratch::new(options, "streams")?;
    let room = (options.streams + 100).to_string();
    let limits = ["--max-connections", &room, "--max-streams", &room];
    let server = Server::start_with(jeton, &scratch.join("data"), None, &limits)?;
    all_over_one_list(options, &server, report)?;
    beside_creates(options, &server, report)
}

/// Every stream is over the same list, and hears of every change to it.
fn all_over_one_list(options: &Options, server: &Server, report: &mut Report) -> Fallible<()> {
    // One that comes and goes first, so that what is made once is not counted.
    drop(Readers::connect(server.address, 1, |_| 1000)?);
    let before = server.resident_mib()?;
    let mut readers = Readers::connect(server.address, options.streams, |_| 1000)?;
    readers.read_until(|told| told.iter().all(|count| *count == 1))?;
    let each = (server.resident_mib()? - before) * 1024.0 / options.streams as f64;
    let name = format!("memory of the server by idle stream, {} of them", options.streams);
    report.add(Figure::plain(name, each, "KiB").goal(Goal::AtMost(20.0)))?;
    let mut client = server.client()?;
    let mut delays = Vec::new();
    for round in 1..=options.rounds.max(2) {
        client.ask_well(&create(1000))?;
        let answered = Instant::now();
        readers.read_until(|told| told.iter().all(|count| *count == round + 1))?;
        delays.push(answered.elapsed().as_secs_f64() * 1e3);
    }
    // The first finds everything cold.
    let delay = Spread::of(delays[1..].to_vec()).median;
    let name = format!("from the answer to a change until the last of {} streams has it", options.streams);
    report.add(Figure::plain(name, delay, "ms"))
}

/// The streams are spread over the lists of many users, and so are the creates.
fn beside_creates(options: &Options, server: &Server, report: &mut Report) -> Fallible<()> {
    let mut client = server.client()?;
    let mut numbers = Vec::with_capacity(USERS);
    for at in 0..USERS {
        let body = format!(r#"{{"email":"u{at}@example.com","name":"U"}}"#);
        let answer = client.ask_well(&client::post("/api/v1/users", "private-token", OWNER, &body))?;
        let user: serde_json::Value = serde_json::from_slice(&answer.body)?;
        numbers.push(user["id"].as_u64().ok_or("a user without a number")?);
    }
    let (time, address) = (Duration::from_secs_f64(options.seconds), server.address);
    let mut told = (0, 0);
    let series: Series<2> = take_turns(options.rounds, options.seed, |side| {
        if side == 0 {
            return Ok(paced(address, &numbers, time)?.0);
        }
        let mut readers =
            Readers::connect(server.address, options.streams, |at| numbers[at % numbers.len()])?;
        let begun = readers.settled()?;
        let over = AtomicBool::new(false);
        let (rate, count) = std::thread::scope(|scope| {
            let creating = scope.spawn(|| {
                let outcome = paced(address, &numbers, time).map_err(|error| error.to_string());
                over.store(true, Ordering::SeqCst);
                outcome
            });
            readers.read_while(|| !over.load(Ordering::SeqCst))?;
            let figures = creating.join().map_err(|_| "the creates panicked")??;
            Fallible::Ok(figures)
        })?;
        let each = options.streams / numbers.len();
        let due = begun + count * each;
        readers.read_until(|told| told.iter().sum::<usize>() >= due)?;
        told = (told.0 + count * each, told.1 + readers.told.iter().sum::<usize>() - begun);
        Ok(rate)
    })?;
    let name = format!("creates beside {} streams, {PACE}/s asked for", options.streams);
    let figure = Figure::plain(name, series.spread(1).median, "/s")
        .beside(series.spread(0).median, series.ratio(1, 0))
        .goal(Goal::RatioAtLeast(0.7));
    report.add(figure)?;
    report.add(Figure::plain("changes told to them, of those due", told.1 as f64 / told.0 as f64, "x"))
}

fn create(user: u64) -> Vec<u8> {
    let path = format!("/api/v1/users/{user}/access-tokens");
    client::post(&path, "private-token", OWNER, r#"{"description":"A token of the benchmark"}"#)
}

/// Creates at a steady pace, over all users in turn: how many by the second, and how many in all.
#[expect(clippy::disallowed_methods, reason = "a pace is kept by waiting")]
fn paced(address: SocketAddr, users: &[u64], time: Duration) -> Fallible<(f64, usize)> {
    let started = Instant::now();
    let between = Duration::from_secs(1) * CLIENTS as u32 / PACE as u32;
    let work = |client: usize| -> Result<usize, String> {
        let mut connection = Client::connect(address).map_err(|error| error.to_string())?;
        let mut made = 0;
        while started.elapsed() < time {
            let due = started + between * made as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let user = users[(made * CLIENTS + client) % users.len()];
            connection.ask_well(&create(user)).map_err(|error| error.to_string())?;
            made += 1;
        }
        Ok(made)
    };
    let made: Result<usize, String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || work(client))).collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".to_owned())))
            .sum()
    });
    let made = made?;
    Ok((made as f64 / started.elapsed().as_secs_f64(), made))
}

/// Streams over lists, and how many tokens each was told.
struct Readers {
    streams: Vec<TcpStream>,
    told: Vec<usize>,
    poll: OwnedFd,
}

impl Readers {
    /// Opens streams, each over the tokens of the user that it is given.
    fn connect(address: SocketAddr, count: usize, user: impl Fn(usize) -> u64) -> Fallible<Self> {
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut streams = Vec::with_capacity(count);
        for at in 0..count {
            let mut stream = TcpStream::connect(address)?;
            let path = format!("/api/v1/users/{}/access-tokens?subscribe", user(at));
            stream.write_all(&client::get(&path, "private-token", OWNER))?;
            stream.set_nonblocking(true)?;
            epoll::add(&poll, &stream, EventData::new_u64(at as u64), EventFlags::IN)?;
            streams.push(stream);
        }
        Ok(Self { streams, told: vec![0; count], poll })
    }

    /// Reads until what was told is as it should be.
    fn read_until(&mut self, done: impl Fn(&[usize]) -> bool) -> Fallible<()> {
        let started = Instant::now();
        while !done(&self.told) {
            if started.elapsed() > PATIENCE {
                return Err(format!("not everything was told within {} s", PATIENCE.as_secs()).into());
            }
            self.read(Duration::from_millis(100))?;
        }
        Ok(())
    }

    fn read_while(&mut self, going: impl Fn() -> bool) -> Fallible<()> {
        while going() {
            self.read(Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// Reads until nothing has come for a while, and counts what was told by then: how the streams begin.
    fn settled(&mut self) -> Fallible<usize> {
        while self.read(Duration::from_millis(300))? {}
        Ok(self.told.iter().sum())
    }

    /// Reads what has come, or waits this long for something. `false` if nothing has.
    fn read(&mut self, patience: Duration) -> Fallible<bool> {
        let mut events: Vec<Event> = Vec::with_capacity(1024);
        epoll::wait(&self.poll, spare_capacity(&mut events), Some(&patience.try_into()?))?;
        let mut buffer = [0; 16 * 1024];
        for event in &events {
            let at = event.data.u64() as usize;
            match self.streams[at].read(&mut buffer) {
                Ok(0) => return Err("the server has ended a stream".into()),
                // Every token that is told ends in a brace, and nothing else does.
                Ok(count) => self.told[at] += buffer[..count].split(|byte| *byte == b'}').count() - 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(!events.is_empty())
    }
}
