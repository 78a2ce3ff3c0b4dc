//! A connection of the load: sends a request, and knows when its answer is whole.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::{Wire, grpc};
use crate::Fallible;
use crate::reply::{self, Head};

/// Longer than any answer that is asked for under load.
const BUFFER: usize = 64 * 1024;

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
    filled: usize,
    /// From when on its answer's time counts.
    pub(crate) since: Instant,
    wire: Wire,
    grpc: Option<grpc::Streams>,
}

/// A whole answer.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// What it consists of, to be shown to people.
    pub(crate) bytes: &'a [u8],
}

impl Connection {
    pub(crate) fn open(wire: Wire, address: SocketAddr) -> Fallible<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        if wire == Wire::Grpc {
            stream.write_all(grpc::GREETING)?;
        }
        stream.set_nonblocking(true)?;
        let buffer = vec![0; BUFFER].into_boxed_slice();
        let grpc = (wire == Wire::Grpc).then(grpc::Streams::default);
        Ok(Self { stream, buffer, filled: 0, since: Instant::now(), wire, grpc })
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Requests are short, and nothing else waits to be sent: there is always room for one.
    pub(crate) fn send(&mut self, request: &[u8], since: Instant) -> Fallible<()> {
        self.since = since;
        match &mut self.grpc {
            None => Ok(self.stream.write_all(request)?),
            Some(streams) => Ok(self.stream.write_all(streams.numbered(request))?),
        }
    }

    /// Reads what has come. An answer once it is whole.
    pub(crate) fn receive(&mut self) -> Fallible<Option<Answer<'_>>> {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => return Err("the server hung up under load".into()),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if let Some(streams) = &mut self.grpc {
            let (status, reply) = streams.take(&mut self.buffer, &mut self.filled);
            if !reply.is_empty() {
                self.stream.write_all(&reply)?;
            }
            return Ok(status.map(|status| Answer { status, bytes: b"over gRPC" }));
        }
        let bytes = &self.buffer[..self.filled];
        let (status, end) = match self.wire {
            Wire::Redis => match text_of_redis(bytes)? {
                Some(end) => (200, end),
                None => return Ok(None),
            },
            Wire::Http1 | Wire::Grpc => match reply::head(bytes)? {
                Some(Head { status, end, .. }) => (status, end.ok_or("an answer in chunks under load")?),
                None => return Ok(None),
            },
        };
        if self.filled < end {
            return Ok(None);
        }
        self.filled = 0;
        Ok(Some(Answer { status, bytes: &self.buffer[..end] }))
    }
}

/// Where a text ends that Redis answers: `$`, its length, a line's end, the text, a line's end.
fn text_of_redis(bytes: &[u8]) -> Fallible<Option<usize>> {
    let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..at])?.trim_end();
    let length = head.strip_prefix('$').and_then(|length| length.parse::<usize>().ok());
    Ok(Some(at + 1 + length.ok_or("Redis answers something else than a text")? + 2))
}
