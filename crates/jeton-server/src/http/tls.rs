//! TLS on a connection: what a server shows of itself, how a handshake goes, and what becomes of clients that speak
//! plain HTTP instead.
//!
//! Certificates are replaced while the server runs. A whole new configuration takes the place of the old one, and not
//! only its certificate: with the old one go the sessions that clients could resume, so that whoever connects after a
//! replacement sees the new certificate. Connections that are open keep what they began with.
//!
//! Nothing here reads a file or knows where one is: see `tls` in the crate `jeton`.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::wire::Outlet;

/// What is spoken over TLS, the better first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What a client gets that speaks plain HTTP.
const TURNED_AWAY: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 59\r\n\
    connection: close\r\n\
    \r\n\
    This port speaks HTTPS: write https:// in place of http://\n";

/// A certificate with the chain above it, and the key that belongs to it.
#[derive(Clone)]
pub struct Identity(Arc<ServerConfig>);

/// Why two texts are no [`Identity`]. The messages go on where the name of the file ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIdentity {
    /// There is none in the first text.
    #[error("holds no certificate: it has to be PEM, beginning with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// One of those in the first text can't be read or used.
    #[error("holds a certificate that cannot be used ({0}): make it anew, as X.509 version 3 in PEM")]
    BadCertificate(String),
    /// There is none in the second text.
    #[error("holds no private key: it has to be PEM, as PKCS#8, PKCS#1 or SEC1, and without a passphrase")]
    NoKey,
    /// The one in the second text is of no use.
    #[error(
        "holds a private key that cannot be used: it has to be RSA with 2048 bits or more, ECDSA over P-256, P-384 or \
         P-521, or Ed25519"
    )]
    BadKey,
    /// The key belongs to something else.
    #[error(
        "holds a private key that does not belong to the certificate: give the key for which the certificate was made, \
         and put the server's own certificate before those of its issuers"
    )]
    NotAPair,
}

impl Identity {
    /// Reads a chain of certificates, the server's own first, and its key, both PEM.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, BadIdentity> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| BadIdentity::NoKey)?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let mut config = config.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => BadIdentity::NotAPair,
            rustls::Error::InvalidCertificate(error) => BadIdentity::BadCertificate(format!("{error:?}")),
            _ => BadIdentity::BadKey,
        })?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// The certificates in a text, in order: at least one.
pub fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, BadIdentity> {
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain.map_err(|_| BadIdentity::BadCertificate("it is not whole".to_owned()))?;
    if chain.is_empty() { Err(BadIdentity::NoCertificate) } else { Ok(chain) }
}

/// The name by which clients have to call a server that shows this, unless this host will do. There is none either if the
/// certificate has only addresses in it, or patterns.
pub fn name_instead_of(host: &str, certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    let fits = |name| {
        ServerName::try_from(name)
            .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    };
    if fits(host) {
        return None;
    }
    certificate.valid_dns_names().find(|name| fits(*name)).map(str::to_owned)
}

/// What a server shows to whoever connects, and can be told to replace. Copies are the same one.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ArcSwap<ServerConfig>>);

impl Tls {
    /// Shows this.
    pub fn new(identity: Identity) -> Self {
        Self(Arc::new(ArcSwap::new(identity.0)))
    }

    /// Shows this to whoever connects from now on.
    pub fn replace(&self, identity: Identity) {
        self.0.store(identity.0);
    }

    /// Begins a connection. A client that speaks plain HTTP is told about it, and has `linger` to notice; then there is
    /// an error.
    pub(super) async fn greet(&self, outlet: Outlet, linger: Duration) -> io::Result<Channel> {
        // Every record of TLS begins with a small number (RFC 8446, section 5.1), every method with a letter.
        if outlet.first_byte().await?.is_some_and(|byte| byte.is_ascii_alphabetic()) {
            turn_away(outlet, linger).await?;
            return Err(io::Error::other("it spoke plain HTTP where TLS is due"));
        }
        let stream = TlsAcceptor::from(self.0.load_full()).accept(outlet).await?;
        Ok(Channel::Tls(Box::new(stream)))
    }
}

async fn turn_away(mut outlet: Outlet, linger: Duration) -> io::Result<()> {
    outlet.write_all(TURNED_AWAY).await?;
    outlet.shutdown().await?;
    let mut scratch = [0; 1024];
    let rest = async { while outlet.read(&mut scratch).await.is_ok_and(|length| length > 0) {} };
    // A client that is still sending must not have the answer destroyed by a reset.
    let _ = timeout(linger, rest).await;
    Ok(())
}

/// What a connection is spoken through.
#[derive(Debug)]
pub(super) enum Channel {
    Plain(Outlet),
    Tls(Box<TlsStream<Outlet>>),
}

impl Channel {
    /// The socket under it, for who wants its bytes as they come.
    pub(super) fn outlet(&mut self) -> &mut Outlet {
        match self {
            Self::Plain(outlet) => outlet,
            Self::Tls(stream) => stream.get_mut().0,
        }
    }
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(outlet) => Pin::new(outlet).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(outlet) => Pin::new(outlet).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(outlet) => Pin::new(outlet).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// TLS takes more than the socket has room for, and may have to be asked again to hand it on.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(outlet) => Pin::new(outlet).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(outlet) => Pin::new(outlet).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_turned_away_gets_a_whole_answer() {
        let text = std::str::from_utf8(TURNED_AWAY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{text}");
    }

    #[test]
    fn a_certificate_tells_by_which_name_to_call_it() {
        let instead = |host: &str, names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let made = rcgen::generate_simple_self_signed(names).unwrap();
            name_instead_of(host, made.cert.der())
        };
        assert_eq!(instead("127.0.0.1", &["localhost", "127.0.0.1"]), None);
        assert_eq!(instead("::1", &["::1"]), None);
        assert_eq!(instead("a.example.com", &["*.example.com"]), None);
        let names = ["*.example.com", "jeton.example.com", "other.example.com"];
        assert_eq!(instead("127.0.0.1", &names).as_deref(), Some("jeton.example.com"));
        assert_eq!(instead("127.0.0.1", &["::1", "*.example.com"]), None, "there is none to call it by");
    }

    #[test]
    fn a_text_without_certificate_or_key_says_so() {
        let from = |chain: &str, key: &str| Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!(from("", ""), BadIdentity::NoCertificate);
        assert_eq!(from("nonsense", "nonsense"), BadIdentity::NoCertificate);
        let broken = from("-----BEGIN CERTIFICATE-----\nAAAA", "");
        assert!(matches!(broken, BadIdentity::BadCertificate(_)), "{broken:?}");
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(from(certificate, certificate), BadIdentity::NoKey);
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(from(certificate, key), BadIdentity::BadKey);
    }
}
