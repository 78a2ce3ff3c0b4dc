//! The load: connections that each ask again as soon as they are answered, all on one thread.
//!
//! The thread sleeps when there is nothing to read, as clients do. What it costs is on the other core, and never more
//! than that core has: every figure that could be bounded by it is given as processor time of the server instead.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::Fallible;
use crate::reply::{self, Head};

/// Longer than any answer that is asked for under load.
const BUFFER: usize = 64 * 1024;
/// No server that works takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Load {
    connections: Vec<Connection>,
    poll: OwnedFd,
    request: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
    filled: usize,
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
}

impl Load {
    /// Connects, to send this one request again and again.
    pub(crate) fn new(address: SocketAddr, connections: usize, request: Vec<u8>) -> Fallible<Self> {
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        let connect = |number: usize| -> Fallible<Connection> {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(&poll, &stream, EventData::new_u64(number as u64), EventFlags::IN)?;
            Ok(Connection { stream, buffer: vec![0; BUFFER].into_boxed_slice(), filled: 0 })
        };
        let connections = (0..connections).map(connect).collect::<Fallible<_>>()?;
        Ok(Self { connections, poll, request })
    }

    /// Asks for this long on every connection.
    pub(crate) fn run(&mut self, time: Duration) -> Fallible<Tally> {
        let started = Instant::now();
        let mut tally = Tally::default();
        for connection in &mut self.connections {
            connection.send(&self.request)?;
        }
        let mut under_way = self.connections.len();
        let mut events: Vec<Event> = Vec::with_capacity(under_way);
        while under_way > 0 {
            events.clear();
            epoll::wait(&self.poll, spare_capacity(&mut events), Some(&PATIENCE.try_into()?))?;
            if events.is_empty() {
                return Err(format!("no answer within {} s", PATIENCE.as_secs()).into());
            }
            let in_time = started.elapsed() < time;
            for event in &events {
                let connection = &mut self.connections[usize::try_from({ event.data }.u64())?];
                if !connection.receive()? {
                    continue;
                }
                tally.all += 1;
                if in_time {
                    tally.in_time += 1;
                    connection.send(&self.request)?;
                } else {
                    under_way -= 1;
                }
            }
        }
        tally.rate = f64::from(tally.in_time) / time.as_secs_f64();
        Ok(tally)
    }
}

impl Connection {
    /// Requests are short, and nothing else waits to be sent: there is always room for one.
    fn send(&mut self, request: &[u8]) -> Fallible<()> {
        Ok(self.stream.write_all(request)?)
    }

    /// Reads what has come. `true` once the answer is whole.
    fn receive(&mut self) -> Fallible<bool> {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => return Err("the server hung up under load".into()),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let Some(Head { status, end, .. }) = reply::head(&self.buffer[..self.filled])? else {
            return Ok(false);
        };
        if !matches!(status, 200 | 201) {
            let answer = String::from_utf8_lossy(&self.buffer[..self.filled]);
            return Err(format!("an answer under load that says no: {answer}").into());
        }
        if self.filled < end.ok_or("an answer in chunks under load")? {
            return Ok(false);
        }
        self.filled = 0;
        Ok(true)
    }
}
