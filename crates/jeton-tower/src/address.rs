//! Where jeton is, and the way there: TCP or a Unix socket.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tower_service::Service;

/// Where jeton listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// The host without brackets.
    Tcp(Arc<str>, u16),
    Unix(Arc<PathBuf>),
}

impl Address {
    /// Reads `http://HOST[:PORT]` or `unix:/PATH`, and says by what authority the server is to be addressed.
    pub(crate) fn read(text: &str) -> Option<(Self, Uri)> {
        if let Some(path) = text.strip_prefix("unix:") {
            let address = Self::Unix(Arc::new(PathBuf::from(path)));
            return path.starts_with('/').then_some((address, Uri::from_static("http://localhost/verify")));
        }
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        let plain = uri.scheme_str() == Some("http")
            && matches!(uri.path_and_query().map_or("/", |path| path.as_str()), "/")
            && !authority.as_str().contains('@');
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let address = Self::Tcp(host.into(), authority.port_u16().unwrap_or(80));
        let question = Uri::builder().scheme("http").authority(authority.clone()).path_and_query("/verify");
        Some((address, question.build().ok()?)).filter(|_| plain && !host.is_empty())
    }
}

/// Opens connections to one address, whatever the request says.
impl Service<Uri> for Address {
    type Response = TokioIo<Socket>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let address = self.clone();
        Box::pin(async move {
            let socket: Box<dyn Stream> = match address {
                Self::Tcp(host, port) => {
                    let stream = TcpStream::connect((&*host, port)).await?;
                    stream.set_nodelay(true)?;
                    Box::new(stream)
                }
                Self::Unix(path) => Box::new(UnixStream::connect(&*path).await?),
            };
            Ok(TokioIo::new(Socket(socket)))
        })
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection of either sort.
pub(crate) struct Socket(Box<dyn Stream>);

impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_to_and_nothing_else() {
        for (text, place) in [
            ("http://127.0.0.1:8080", "Tcp(\"127.0.0.1\", 8080) http://127.0.0.1:8080/verify"),
            ("http://jeton/", "Tcp(\"jeton\", 80) http://jeton/verify"),
            ("http://[::1]:1", "Tcp(\"::1\", 1) http://[::1]:1/verify"),
            ("unix:/run/jeton.sock", "Unix(\"/run/jeton.sock\") http://localhost/verify"),
        ] {
            let (address, question) = Address::read(text).unwrap();
            assert_eq!(format!("{address:?} {question}"), place);
        }
        for bad in [
            "",
            "jeton",
            "127.0.0.1:8080",
            "https://jeton",
            "http://user@jeton",
            "http://jeton/verify",
            "http://jeton/?a",
            "unix:jeton.sock",
            "/verify",
        ] {
            assert!(Address::read(bad).is_none(), "{bad}");
        }
    }
}
