//! `jeton healthcheck`: asks a running server whether it is ready, for places that have no curl.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use jeton_server::http::ListenAddress;
use jeton_server::http::tls::certificates;
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;

use super::print;
use crate::config::layers::Layers;
use crate::config::{NamedFile, Resolver};
use crate::fault::Fault;
use crate::{pinned, tls};

/// For each step of the exchange.
const PATIENCE: Duration = Duration::from_secs(5);

const REQUEST: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

pub(crate) fn run(layers: &Layers) -> Result<(), Fault> {
    let mut resolver = Resolver::new(layers);
    let address = resolver.listen()?;
    let trusted = resolver.tls_cert()?.as_ref().map(trusted).transpose()?;
    let over_tls = trusted.is_some();
    let status = ask(&address, trusted).map_err(|error| explain(&address, &error))?;
    match status.split_whitespace().nth(1) {
        Some("200") => print("ready\n"),
        Some("400") if !over_tls => Err(Fault::failed(format!(
            "what answers at {address} wants something else than plain HTTP: give --tls-cert as the server has it"
        ))),
        code => Err(Fault::failed(format!(
            "jeton at {address} is not ready (status {}): its log says why",
            code.unwrap_or("unknown")
        ))),
    }
}

/// The server's own certificate, which stands first among those in the file.
fn trusted(file: &NamedFile) -> Result<CertificateDer<'static>, Fault> {
    let chain = certificates(&tls::read_chain(file)?);
    let first = chain.map(|chain| chain.into_iter().next().expect("there is at least one"));
    first.map_err(|error| Fault::usage(format!("{file} {error}")))
}

fn explain(address: &ListenAddress, error: &io::Error) -> Fault {
    let of_tls = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
    Fault::failed(match of_tls {
        Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => format!(
            "what answers at {address} has another certificate than the first one in the file of --tls-cert: name the \
             server's own file, or have the server reload it with SIGHUP"
        ),
        Some(rustls::Error::InvalidMessage(_)) => {
            format!(
                "what answers at {address} speaks no TLS: leave --tls-cert out, or give it to the server too"
            )
        }
        _ => {
            format!("no jeton answers at {address} ({error}): start it, or name its address with --listen")
        }
    })
}

fn ask(address: &ListenAddress, trusted: Option<CertificateDer<'static>>) -> io::Result<String> {
    match address {
        ListenAddress::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            ask_over(stream, trusted)
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
            ask_over(stream, trusted)
        }
    }
}

fn ask_over(stream: impl Read + Write, trusted: Option<CertificateDer<'static>>) -> io::Result<String> {
    match trusted {
        Some(certificate) => status_line(pinned::connect(certificate, stream)?),
        None => status_line(stream),
    }
}

fn status_line(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(REQUEST)?;
    let mut line = String::new();
    BufReader::new(stream.take(1024)).read_line(&mut line)?;
    Ok(line)
}
