//! Where the server listens: a TCP address or a Unix socket, and every way in which that can fail, with what to do.
//!
//! A Unix socket outlives a process that was killed, so one that nobody answers on is replaced. One that is answered
//! on, or a file of another kind, is left alone. The socket is created for its owner and group (mode 0660) before it
//! takes connections: a proxy under another user is let in by adding it to the server's group.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixSocket, UnixStream};

use super::tls::Tls;

const SOCKET_MODE: u32 = 0o660;

/// Connections that the kernel keeps while we are at our cap; tokio asks for as many over TCP.
const BACKLOG: u32 = 1024;

/// What the system may take of an answer before the client has made room for it.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 * 1024;

/// An address to listen on: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// TCP. The host may be a name; the first of its addresses that can be bound is taken.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// 0 lets the system choose.
        port: u16,
    },
    /// A Unix socket at this path.
    Unix(PathBuf),
}

/// A text that is no [`ListenAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address to listen on: write HOST:PORT, [IPV6]:PORT or unix:PATH, for example 127.0.0.1:8080"
)]
pub struct BadListenAddress(String);

impl FromStr for ListenAddress {
    type Err = BadListenAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.strip_prefix("unix:") {
            Some("") => None,
            Some(path) => Some(Self::Unix(path.into())),
            None => tcp(text),
        };
        parsed.ok_or_else(|| BadListenAddress(text.to_owned()))
    }
}

fn tcp(text: &str) -> Option<ListenAddress> {
    let (host, port) = text.rsplit_once(':')?;
    let bracketed = host.strip_prefix('[').map(|rest| rest.strip_suffix(']'));
    let host = match bracketed {
        Some(inside) => inside.filter(|text| text.parse::<std::net::Ipv6Addr>().is_ok())?,
        None => host,
    };
    let plain = !host.is_empty()
        && !host.contains(['/', '[', ']', ' '])
        && (bracketed.is_some() || !host.contains(':'));
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    (plain && digits).then_some(ListenAddress::Tcp { host: host.to_owned(), port: port.parse().ok()? })
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why it is impossible to listen. The messages say what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("{0} is already in use: stop what is listening there or choose another address with --listen")]
    InUse(ListenAddress),
    /// The port is below 1024 and this process has no privilege for that.
    #[error(
        "ports under 1024 need a privilege that this process lacks, so {0} is out of reach: choose a higher port with \
         --listen, for example 127.0.0.1:8080"
    )]
    Privileged(ListenAddress),
    /// No network interface has the address.
    #[error(
        "{0} is not an address of this machine: use 127.0.0.1 for this machine alone or 0.0.0.0 for all networks with \
         --listen"
    )]
    NotHere(ListenAddress),
    /// The host's name leads nowhere.
    #[error("the host of {address} cannot be resolved ({source}): write an address instead with --listen")]
    UnknownHost {
        /// What was asked for.
        address: ListenAddress,
        /// What the resolver said.
        source: io::Error,
    },
    /// A file that is no socket has the path; it is never removed.
    #[error("{} exists and is not a socket: move it away or choose another path with --listen", .0.display())]
    NotASocket(PathBuf),
    /// The path leads through a directory that is not there.
    #[error("the directory for {0} does not exist: create it or choose another path with --listen")]
    NoDirectory(ListenAddress),
    /// The directory does not let this process create or replace the socket.
    #[error(
        "this process may not create {0}: give its user write access to the directory or choose another path with \
         --listen"
    )]
    Denied(ListenAddress),
    /// Anything else, in the system's words.
    #[error("listening on {address} failed: {source}")]
    Other {
        /// What was asked for.
        address: ListenAddress,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    fn of_tcp(address: &ListenAddress, source: io::Error) -> Self {
        let address = address.clone();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::AddrNotAvailable => Self::NotHere(address),
            io::ErrorKind::PermissionDenied => Self::Privileged(address),
            _ => Self::Other { address, source },
        }
    }

    fn of_unix(path: &Path, source: io::Error) -> Self {
        let address = ListenAddress::Unix(path.to_owned());
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::NotFound => Self::NoDirectory(address),
            io::ErrorKind::PermissionDenied => Self::Denied(address),
            _ => Self::Other { address, source },
        }
    }
}

impl ListenAddress {
    /// Starts to listen. Must be called inside a runtime.
    pub async fn bind(&self) -> Result<Listener, BindError> {
        match self {
            Self::Tcp { host, port } => self.bind_tcp(host, *port).await,
            Self::Unix(path) => bind_unix(path).await,
        }
    }

    async fn bind_tcp(&self, host: &str, port: u16) -> Result<Listener, BindError> {
        let found = tokio::net::lookup_host((host, port)).await;
        let found = found.map_err(|source| BindError::UnknownHost { address: self.clone(), source })?;
        let addresses: Vec<_> = found.collect();
        let bound =
            TcpListener::bind(&*addresses).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (local, listener) = bound.map_err(|source| BindError::of_tcp(self, source))?;
        keep_little_unsent(&listener);
        let address = Self::Tcp { host: local.ip().to_string(), port: local.port() };
        Ok(Listener { socket: Bound::Tcp(listener), address, tls: None })
    }
}

/// Has the system take no more of an answer than is on its way to the client, and a little. By itself it takes megabytes:
/// a client that does not read would only be noticed behind them, and thousands of those would take the memory that all
/// connections of the machine share. Connections inherit it from the listener.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux has to be told"))]
fn keep_little_unsent(listener: &TcpListener) {
    // Where it can't be had the server works all the same.
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(listener).set_tcp_notsent_lowat(UNSENT_BYTES) {
        tracing::warn!(%error, "clients that do not read may cost more memory than they should");
    }
}

async fn bind_unix(path: &Path) -> Result<Listener, BindError> {
    clear_away(path).await?;
    let (listener, file) = create_socket(path).map_err(|source| BindError::of_unix(path, source))?;
    let address = ListenAddress::Unix(path.to_owned());
    Ok(Listener { socket: Bound::Unix(listener, file), address, tls: None })
}

/// Removes a socket that no process listens on any more.
async fn clear_away(path: &Path) -> Result<(), BindError> {
    let Ok(found) = path.symlink_metadata() else {
        return Ok(());
    };
    // Asked first, because connecting to an ordinary file is refused just as connecting to a dead socket is.
    if !found.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path).await.map_err(|error| error.kind()) {
        Err(io::ErrorKind::ConnectionRefused) => {
            std::fs::remove_file(path).map_err(|source| BindError::of_unix(path, source))
        }
        Err(io::ErrorKind::NotFound) => Ok(()),
        // Answered, too busy to answer, or not ours to ask: somebody is there.
        _ => Err(BindError::InUse(ListenAddress::Unix(path.to_owned()))),
    }
}

fn create_socket(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let file = SocketFile::at(path)?;
    // Between bind and listen nobody can connect, so there is no moment with a wider mode.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok((socket.listen(BACKLOG)?, file))
}

/// A socket's place in the file system, given up when dropped, unless another process has put its own there since.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // A failure leaves a dead socket, which the next start replaces.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    path.symlink_metadata().map(|found| (found.dev(), found.ino()))
}

/// A socket that takes connections. Dropping it stops that, and removes the file of a Unix socket.
#[derive(Debug)]
pub struct Listener {
    socket: Bound,
    address: ListenAddress,
    tls: Option<Tls>,
}

#[derive(Debug)]
enum Bound {
    Tcp(TcpListener),
    Unix(UnixListener, #[expect(dead_code, reason = "held for its drop")] SocketFile),
}

impl Listener {
    /// Where it listens: resolved, and with the port that the system chose if it was asked to.
    pub const fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Has every connection begin with TLS. Without this none does.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    pub(super) const fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(super) async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match &self.socket {
            Bound::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Answers are written whole: waiting for more to send would only delay them. It fails only on a
                // connection that is gone, and that shows at the first read.
                let _ = stream.set_nodelay(true);
                Ok((Socket::Tcp(stream), Peer::Tcp(address.ip().to_canonical(), address.port())))
            }
            Bound::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(stream), Peer::Unix))
            }
        }
    }
}

/// Who is at the other end of a connection; in the extensions of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// An address and a port. An IPv4 address is never written as IPv6 here.
    Tcp(IpAddr, u16),
    /// Someone on this machine.
    Unix,
}

impl Peer {
    /// Who sent what has these extensions. Every connection writes it down; a request that came over none, as in a test, is
    /// somebody's on this machine.
    pub fn of(extensions: &http::Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self::Unix)
    }

    /// The address, if there is one.
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Tcp(ip, _) => Some(ip),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Tcp(ip, port) => std::net::SocketAddr::new(ip, port).fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// A connection of either kind, so that everything above is compiled once.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

macro_rules! either {
    ($socket:expr, $name:ident => $call:expr) => {
        match $socket.get_mut() {
            Socket::Tcp(stream) => {
                let $name = Pin::new(stream);
                $call
            }
            Socket::Unix(stream) => {
                let $name = Pin::new(stream);
                $call
            }
        }
    };
}

impl Socket {
    /// Waits for the first byte, and leaves it to be read. There is none at the end, nor over a Unix socket, where
    /// nobody can look ahead.
    pub(super) async fn first_byte(&self) -> io::Result<Option<u8>> {
        let Self::Tcp(stream) = self else {
            return Ok(None);
        };
        let mut byte = [0];
        let length = stream.peek(&mut byte).await?;
        Ok((length > 0).then_some(byte[0]))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is kept back: what was written is the kernel's.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in
            ["127.0.0.1:8080", "[::1]:80", "localhost:8080", "0.0.0.0:0", "unix:/run/jeton.sock", "unix:here"]
        {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]:80".parse(), Ok(ListenAddress::Tcp { host: "::1".to_owned(), port: 80 }));
    }

    #[test]
    fn anything_else_is_refused_with_a_hint() {
        let bad = [
            "",
            "8080",
            ":8080",
            "localhost",
            "localhost:",
            "localhost:http",
            "localhost:65536",
            "localhost:+1",
            "::1:80",
            "[::1]",
            "[::1:80",
            "[localhost]:80",
            "http://localhost:80",
            "unix:",
            "a b:1",
            "[]:1",
        ];
        for text in bad {
            let error = text.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is not an address")), "{error}");
        }
    }

    #[test]
    fn the_systems_errors_are_told_apart() {
        let address: ListenAddress = "127.0.0.1:80".parse().unwrap();
        let tcp = |kind: io::ErrorKind| BindError::of_tcp(&address, kind.into()).to_string();
        assert!(tcp(io::ErrorKind::PermissionDenied).starts_with("ports under 1024 need a privilege"));
        assert!(
            tcp(io::ErrorKind::AddrNotAvailable)
                .starts_with("127.0.0.1:80 is not an address of this machine")
        );
        assert!(tcp(io::ErrorKind::OutOfMemory).starts_with("listening on 127.0.0.1:80 failed: "));
        let unix = |kind: io::ErrorKind| BindError::of_unix(Path::new("/x"), kind.into()).to_string();
        assert!(unix(io::ErrorKind::PermissionDenied).starts_with("this process may not create unix:/x: "));
        assert!(unix(io::ErrorKind::NotFound).starts_with("the directory for unix:/x does not exist: "));
    }

    #[test]
    fn peers_print_as_addresses() {
        assert_eq!(Peer::Tcp("::1".parse().unwrap(), 5).to_string(), "[::1]:5");
        assert_eq!(Peer::Unix.to_string(), "unix");
        assert_eq!(Peer::Unix.ip(), None);
    }
}
