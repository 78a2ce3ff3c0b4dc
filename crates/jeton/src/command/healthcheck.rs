//! `jeton healthcheck`: asks a running server whether it is ready, for places that have no curl.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use jeton_server::http::ListenAddress;

use super::print;
use crate::config::Resolver;
use crate::config::layers::Layers;
use crate::fault::Fault;

/// For each step of the exchange.
const PATIENCE: Duration = Duration::from_secs(5);

const REQUEST: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

pub(crate) fn run(layers: &Layers) -> Result<(), Fault> {
    let address = Resolver::new(layers).listen()?;
    let status = ask(&address).map_err(|error| {
        Fault::failed(format!(
            "no jeton answers at {address} ({error}): start it, or name its address with --listen"
        ))
    })?;
    match status.split_whitespace().nth(1) {
        Some("200") => print("ready\n"),
        code => Err(Fault::failed(format!(
            "jeton at {address} is not ready (status {}): its log says why",
            code.unwrap_or("unknown")
        ))),
    }
}

fn ask(address: &ListenAddress) -> io::Result<String> {
    match address {
        ListenAddress::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            status_line(stream)
        }
        ListenAddress::Tcp { host, port } => {
            let host = match host.as_str() {
                "0.0.0.0" => "127.0.0.1",
                "::" => "::1",
                host => host,
            };
            let target = (host, *port).to_socket_addrs()?.next();
            let target = target.ok_or_else(|| io::Error::other("the name has no address"))?;
            let stream = TcpStream::connect_timeout(&target, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            status_line(stream)
        }
    }
}

fn status_line(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(REQUEST)?;
    let mut line = String::new();
    BufReader::new(stream.take(1024)).read_line(&mut line)?;
    Ok(line)
}
