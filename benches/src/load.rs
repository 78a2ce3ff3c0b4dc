//! The load: traffic over some connections, all on one thread. Either each connection asks again as soon as it is answered,
//! or questions are asked at a steady pace, by whichever connection is free.
//!
//! What the thread costs is on the other core, and never more than that core has: every figure that could be bounded by
//! it is given as processor time of the server too. At a pace a question's time begins when it was due, so that one which
//! had to wait for a connection is not counted as quick.

mod connection;
mod grpc;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use crate::spread;
use crate::{Fallible, interrupt, machine};
use connection::Connection;

pub(crate) use grpc::{check_question, frames};

/// No server that works takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// A sleep is longer than asked for by about this much.
const OVERSLEPT: Duration = Duration::from_micros(100);
/// What a good answer may have as its status.
const GOOD: &[u16] = &[200, 201];

/// What is sent, and how it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wire {
    /// Whole requests of HTTP/1.1.
    Http1,
    /// Requests of gRPC, as [`frames`] makes them: one at a time on each connection.
    Grpc,
    /// Commands of Redis whose answer is a text.
    Redis,
}

/// Questions of one kind to one server.
pub(crate) struct Traffic {
    wire: Wire,
    address: SocketAddr,
    count: usize,
    /// Made anew for each turn: a server may cut one that waits too long between two.
    connections: Vec<Connection>,
    /// Those that wait, the longest first: each is to be asked before the server takes it for idle.
    idle: VecDeque<usize>,
    requests: Vec<Vec<u8>>,
    next: usize,
    gap: Option<Duration>,
    due: Instant,
    expected: &'static [u16],
    tally: Tally,
    took: Vec<u32>,
}

/// What came of a turn.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tally {
    /// Answers within the time.
    pub(crate) in_time: u32,
    /// Answers altogether: what was under way at the end is waited for.
    pub(crate) all: u32,
    /// Answers within the time, by the second.
    pub(crate) rate: f64,
    /// How long half of the answers took at most, in microseconds.
    pub(crate) p50: f64,
    /// How long 99 of 100 took at most.
    pub(crate) p99: f64,
}

impl Traffic {
    /// To send these requests in turn, again and again, over so many connections.
    pub(crate) fn new(wire: Wire, address: SocketAddr, count: usize, requests: Vec<Vec<u8>>) -> Self {
        Self {
            wire,
            address,
            count,
            connections: Vec::new(),
            idle: VecDeque::new(),
            requests,
            next: 0,
            gap: None,
            due: Instant::now(),
            expected: GOOD,
            tally: Tally::default(),
            took: Vec::new(),
        }
    }

    fn connect(&mut self) -> Fallible<()> {
        let open = |_| Connection::open(self.wire, self.address);
        self.connections = (0..self.count).map(open).collect::<Fallible<_>>()?;
        self.idle = (0..self.count).collect();
        Ok(())
    }

    /// To be refused, and how.
    pub(crate) fn refused_with(self, expected: &'static [u16]) -> Self {
        Self { expected, ..self }
    }

    /// So many questions by the second, or as many as are answered.
    pub(crate) fn pace(&mut self, pace: Option<f64>) {
        self.gap = pace.map(|pace| Duration::from_secs_f64(1.0 / pace));
    }

    fn begin(&mut self, now: Instant) {
        self.due = now;
        self.tally = Tally::default();
        self.took.clear();
    }

    /// Asks what is to be asked by now.
    fn ask(&mut self, now: Instant) -> Fallible<()> {
        while !self.idle.is_empty() && self.gap.is_none_or(|_| self.due <= now) {
            let Some(at) = self.idle.pop_front() else { break };
            let since = self.gap.map_or_else(Instant::now, |_| self.due);
            self.connections[at].send(&self.requests[self.next], since)?;
            self.next = (self.next + 1) % self.requests.len();
            self.due += self.gap.unwrap_or_default();
        }
        Ok(())
    }

    /// Hears what a connection has to say.
    fn hear(&mut self, at: usize, end: Instant) -> Fallible<()> {
        let Some(answer) = self.connections[at].receive()? else { return Ok(()) };
        if !self.expected.contains(&answer.status) {
            let (status, text) = (answer.status, String::from_utf8_lossy(answer.bytes));
            return Err(format!(
                "status {status} under load, where {:?} was expected: {text}",
                self.expected
            )
            .into());
        }
        let now = Instant::now();
        self.tally.all += 1;
        self.tally.in_time += u32::from(now < end);
        self.took.push(now.saturating_duration_since(self.connections[at].since).as_nanos() as u32);
        self.idle.push_back(at);
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        self.idle.len() == self.connections.len()
    }

    fn end(&mut self, time: Duration) -> Tally {
        self.connections.clear();
        let mut took: Vec<f64> = self.took.iter().map(|nanos| f64::from(*nanos) / 1e3).collect();
        took.sort_by(f64::total_cmp);
        let rate = f64::from(self.tally.in_time) / time.as_secs_f64();
        Tally { rate, p50: spread::at(&took, 0.5), p99: spread::at(&took, 0.99), ..self.tally }
    }
}

/// One kind of traffic, or several at once.
pub(crate) struct Load(Vec<Traffic>);

impl Load {
    /// To send this one request of HTTP/1.1 again and again.
    pub(crate) fn new(address: SocketAddr, connections: usize, request: Vec<u8>) -> Self {
        Self::of(vec![Traffic::new(Wire::Http1, address, connections, vec![request])])
    }

    pub(crate) fn of(traffic: Vec<Traffic>) -> Self {
        Self(traffic)
    }

    fn connect(&mut self) -> Fallible<OwnedFd> {
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        for (kind, traffic) in self.0.iter_mut().enumerate() {
            traffic.connect()?;
            for (at, connection) in traffic.connections.iter().enumerate() {
                let data = EventData::new_u64((kind as u64) << 32 | at as u64);
                epoll::add(&poll, connection.socket(), data, EventFlags::IN)?;
            }
        }
        Ok(poll)
    }

    /// Sets the pace of the first kind of traffic. See [`Traffic::pace`].
    pub(crate) fn pace(&mut self, pace: Option<f64>) {
        self.0[0].pace(pace);
    }

    /// Asks for this long. What came of the first kind of traffic.
    pub(crate) fn run(&mut self, time: Duration) -> Fallible<Tally> {
        Ok(self.run_all(time)?[0])
    }

    /// Asks for this long. What came of each kind of traffic.
    pub(crate) fn run_all(&mut self, time: Duration) -> Fallible<Vec<Tally>> {
        let poll = self.connect()?;
        let started = Instant::now();
        let end = started + time;
        self.0.iter_mut().for_each(|traffic| traffic.begin(started));
        let mut events: Vec<Event> = Vec::with_capacity(256);
        let mut heard = started;
        loop {
            let now = Instant::now();
            if now < end {
                self.0.iter_mut().try_for_each(|traffic| traffic.ask(now))?;
            } else if self.0.iter().all(Traffic::is_quiet) {
                break;
            }
            events.clear();
            let patience = self.patience(now, end).try_into()?;
            match epoll::wait(&poll, spare_capacity(&mut events), Some(&patience)) {
                // A signal, which will have been heard of by the next look.
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let data = event.data.u64();
                self.0[(data >> 32) as usize].hear((data & 0xffff_ffff) as usize, end)?;
            }
            if !events.is_empty() {
                heard = now;
            } else if now.saturating_duration_since(heard) > PATIENCE {
                return Err(format!("no answer within {} s", PATIENCE.as_secs()).into());
            }
            interrupt::check()?;
        }
        Ok(self.0.iter_mut().map(|traffic| traffic.end(time)).collect())
    }

    /// How long to wait for an answer before there is something to be asked.
    fn patience(&self, now: Instant, end: Instant) -> Duration {
        let paced = self.0.iter().filter(|traffic| traffic.gap.is_some() && !traffic.idle.is_empty());
        let due = paced.map(|traffic| traffic.due).min().filter(|_| now < end);
        match due.map(|due| due.saturating_duration_since(now)) {
            // With a core of its own the load does not sleep for so little, and so asks in time.
            Some(wait) if wait <= OVERSLEPT && machine::cores().is_some() => Duration::ZERO,
            Some(wait) => wait,
            None if now < end => end - now,
            None => Duration::from_millis(100),
        }
    }
}
