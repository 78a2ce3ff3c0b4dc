//! TLS to the database: the driver's two traits over rustls, and whose certificate is believed.
//!
//! It is written here because the crate that joins the two brings a second parser of certificates along, to learn one
//! thing of them that takes a page.

mod binding;
mod verifier;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use super::encryption::{Encryption, Trust};
use verifier::Verifier;

/// Why no encrypted connection came about. What is broken about the way itself stays an error of input and output.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("{word} {path} cannot be used ({why}): name a PEM file with {content} in it")]
    File { word: &'static str, path: PathBuf, why: String, content: &'static str },
    #[error(
        "this machine trusts nobody, so no certificate can be checked: install its root certificates (Debian: \
         ca-certificates), or name a root with sslrootcert=FILE"
    )]
    NoRoots,
    #[error("no certificate can be for `{0}`: write the host as the server's certificate names it")]
    Name(String),
    #[error("the server's certificate is not believed ({0}): {advice}", advice = advice(.0))]
    Untrusted(CertificateError),
    #[error("{0}")]
    Handshake(rustls::Error),
}

fn advice(error: &CertificateError) -> &'static str {
    match error {
        // A root that was made anew under its old name has another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "name who signed it with sslrootcert=FILE, or check that this is the server that you mean"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "write the host as one of its subject alternative names, or make it a certificate for this name (what stands \
             in its common name alone does not count)"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "renew it",
        _ => "give the server another one",
    }
}

/// Makes connections encrypted. The files are read for each, so that a renewed root needs no restart.
#[derive(Clone)]
pub(super) struct Tls(pub(super) Encryption);

impl Tls {
    fn config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(Verifier::new(&self.0.trust, Arc::clone(&provider))?);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Handshake)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let Some((cert, key)) = &self.0.own else { return Ok(config.with_no_client_auth()) };
        let chain = certificates("sslcert", cert)?;
        let unusable = |why: String| TlsError::File {
            word: "sslkey",
            path: key.clone(),
            why,
            content: "the key of sslcert, without a password,",
        };
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(error.to_string()))?;
        config.with_client_auth_cert(chain, secret).map_err(|error| unusable(error.to_string()))
    }
}

/// The certificates in a PEM file: at least one.
fn certificates(word: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |why: String| TlsError::File { word, path: path.to_owned(), why, content: "certificates" };
    let read = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    let found: Result<Vec<_>, _> = read.collect();
    let found = found.map_err(|error| unusable(error.to_string()))?;
    if found.is_empty() { Err(unusable("there is no certificate in it".to_owned())) } else { Ok(found) }
}

impl<S> MakeTlsConnect<S> for Tls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type TlsConnect = Handshake;
    type Error = TlsError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, TlsError> {
        let name = match ServerName::try_from(host.to_owned()) {
            Ok(name) => name,
            Err(_) if matches!(self.0.trust, Trust::Named(_)) => return Err(TlsError::Name(host.to_owned())),
            // Nobody looks at it, and an address is not told to the server.
            Err(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED).into(),
        };
        Ok(Handshake { config: Arc::new(self.config()?), name })
    }
}

/// A handshake to come.
pub(super) struct Handshake {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

impl<S> TlsConnect<S> for Handshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type Error = Boxed;
    type Future = Pin<Box<dyn Future<Output = Result<Encrypted<S>, Boxed>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let connector = tokio_rustls::TlsConnector::from(self.config);
            connector.connect(self.name, stream).await.map(Encrypted).map_err(refusal)
        })
    }
}

fn refusal(error: io::Error) -> Boxed {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).cloned() {
        Some(rustls::Error::InvalidCertificate(why)) => TlsError::Untrusted(why).into(),
        Some(other) => TlsError::Handshake(other).into(),
        None => error.into(),
    }
}

/// An encrypted connection.
pub(super) struct Encrypted<S>(tokio_rustls::client::TlsStream<S>);

impl<S> TlsStream for Encrypted<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn channel_binding(&self) -> ChannelBinding {
        let certificate = self.0.get_ref().1.peer_certificates().and_then(<[_]>::first);
        certificate
            .and_then(|certificate| binding::end_point(certificate))
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
