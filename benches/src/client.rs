//! One connection, asked one thing at a time: for set-up, for checks, and where each answer's time matters.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::reply;

pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, and how long it took to come whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) took: Duration,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Fallible<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, buffer: vec![0; 4 << 20] })
    }

    pub(crate) fn ask(&mut self, request: &[u8]) -> Fallible<Answer> {
        let started = Instant::now();
        self.stream.write_all(request)?;
        let mut filled = 0;
        let mut head = None;
        loop {
            let count = match self.stream.read(&mut self.buffer[filled..]) {
                // A signal, which whoever takes turns will hear of.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read?,
            };
            if count == 0 {
                return Err("the server hung up, or its answer is longer than any that was asked for".into());
            }
            filled += count;
            if head.is_none() {
                head = reply::head(&self.buffer[..filled])?;
            }
            let Some(head) = head else { continue };
            let whole = match head.end {
                Some(end) => filled >= end,
                None => self.buffer[..filled].ends_with(reply::LAST_CHUNK),
            };
            if whole {
                let (status, took) = (head.status, started.elapsed());
                let body = &self.buffer[head.body..filled];
                let body = if head.end.is_some() { body.to_vec() } else { reply::joined(body)? };
                return Ok(Answer { status, body, took });
            }
        }
    }

    /// As [`Client::ask`], where nothing but 200 will do.
    pub(crate) fn ask_well(&mut self, request: &[u8]) -> Fallible<Answer> {
        let answer = self.ask(request)?;
        if answer.status == 200 {
            return Ok(answer);
        }
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        Err(format!("status {} where 200 was expected: {body}", answer.status).into())
    }
}

/// A GET with the owner's secret, if there is one to be sent.
pub(crate) fn get(path: &str, header: &str, secret: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n{header}: {secret}\r\n\r\n")
        .into_bytes()
}

/// A POST with the owner's secret and a JSON body.
pub(crate) fn post(path: &str, header: &str, secret: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n{header}: {secret}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
