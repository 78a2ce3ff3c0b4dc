//! The bytes of one connection, watched.
//!
//! Tells [`Vitals`] when bytes come, when a write finds no room, and which version is spoken. At the end it lingers:
//! closing a socket while the client still sends makes the kernel reset the connection, and a reset destroys the very
//! answer (413, 401) that the client should stop for. So our half is closed first, and what still comes is read and
//! thrown away until the client has finished too, or the watch loses patience.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::listen::Socket;
use super::tls::Channel;
use super::vitals::Vitals;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that keeps [`Vitals`].
#[derive(Debug)]
pub(super) struct Wire {
    channel: Channel,
    vitals: Arc<Vitals>,
    /// What is left of the preface to be seen; `None` once the version is known.
    preface: Option<&'static [u8]>,
    /// The client has closed its half.
    ended: bool,
    closed: bool,
}

impl Wire {
    pub(super) const fn new(channel: Channel, vitals: Arc<Vitals>) -> Self {
        Self { channel, vitals, preface: Some(PREFACE), ended: false, closed: false }
    }

    fn received(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.ended = true;
            return;
        }
        self.vitals.bytes_came();
        self.vitals.goes_on();
        if let Some(left) = self.preface {
            self.sniff(left, bytes);
        }
    }

    fn sniff(&mut self, left: &'static [u8], bytes: &[u8]) {
        let common = left.len().min(bytes.len());
        let (seen, rest) = left.split_at(common);
        let matches = seen == &bytes[..common];
        if matches && rest.is_empty() {
            self.vitals.is_multiplexed();
        }
        self.preface = Some(rest).filter(|rest| matches && !rest.is_empty());
    }

    /// Reads and forgets until the client's half is closed as well. What was encrypted is not worth being made out.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [MaybeUninit::uninit(); 4096];
        while !self.ended {
            let mut buffer = ReadBuf::uninit(&mut scratch);
            let outcome = ready!(Pin::new(self.channel.outlet()).poll_read(cx, &mut buffer));
            self.ended = outcome.is_err() || buffer.filled().is_empty();
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.channel).poll_read(cx, buf))?;
        this.received(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().channel).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().channel).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.channel.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().channel).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.closed {
            ready!(Pin::new(&mut this.channel).poll_shutdown(cx))?;
            this.closed = true;
        }
        if this.vitals.may_still_be_sending() {
            this.vitals.ends();
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// A socket that tells [`Vitals`] whether the client takes what is written. It lies under TLS, which takes whatever it
/// is given and shows only here that nobody wants it.
#[derive(Debug)]
pub(super) struct Outlet {
    socket: Socket,
    vitals: Arc<Vitals>,
    blocked: bool,
}

impl Outlet {
    pub(super) const fn new(socket: Socket, vitals: Arc<Vitals>) -> Self {
        Self { socket, vitals, blocked: false }
    }

    /// Waits for the first byte, and leaves it to be read. There is none at the end, nor where the system has no way of
    /// telling.
    pub(super) async fn first_byte(&self) -> io::Result<Option<u8>> {
        self.socket.first_byte().await
    }

    fn sent(&mut self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Pending => {
                self.blocked = true;
                self.vitals.write_blocked();
            }
            Poll::Ready(_) if self.blocked => {
                self.blocked = false;
                self.vitals.write_moved();
            }
            Poll::Ready(_) => self.vitals.goes_on(),
        }
        outcome
    }
}

impl AsyncRead for Outlet {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Outlet {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.sent(outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.sent(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
