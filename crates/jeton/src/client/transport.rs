//! One request and its answer, whole or line by line: over TCP, TLS or a socket of this machine.
//!
//! There is no pool, no proxy from the environment and no redirect: a command asks a few times and ends, and a token goes
//! where it was sent or nowhere. Every step has its time.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use zeroize::Zeroizing;

use super::address::Address;
use super::lines::Lines;
use crate::fault::Fault;

/// For a name, a connection and its encryption.
const TO_CONNECT: Duration = Duration::from_secs(10);

/// For the answer.
const TO_ANSWER: Duration = Duration::from_mins(1);

/// More than a page of a thousand tokens, and less than what would hurt this machine.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// A request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path and query, below the server's address.
    pub(super) path: String,
    /// JSON.
    pub(super) body: Option<String>,
}

impl Call {
    /// Asks for something.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None }
    }

    /// Removes something.
    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), body: None }
    }

    /// Makes something; without a body, makes something happen.
    pub(super) fn post(path: impl Into<String>, body: Option<&serde_json::Value>) -> Self {
        Self { method: Method::POST, path: path.into(), body: body.map(ToString::to_string) }
    }

    /// Changes something.
    pub(super) fn patch(path: impl Into<String>, body: &serde_json::Value) -> Self {
        Self { method: Method::PATCH, path: path.into(), body: Some(body.to_string()) }
    }

    fn changes_something(&self) -> bool {
        self.method != Method::GET
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// How the server's log names the request.
    pub(super) request_id: Option<String>,
    /// How long to wait, if it says so; in seconds.
    pub(super) retry_after: Option<String>,
    /// Where else to ask, if it says so.
    pub(super) location: Option<String>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// What came back, or comes.
pub(super) enum Opened {
    /// A success, whose lines come for as long as somebody listens.
    Stream(Lines),
    /// Anything else.
    Refused(Answer),
}

/// A way to a server.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) address: Address,
    /// Roots to trust besides the machine's.
    pub(super) ca_cert: Option<PathBuf>,
}

impl Transport {
    /// Asks once.
    pub(super) fn send(&self, call: &Call, token: Option<&str>) -> Result<Answer, Fault> {
        let request = self.request(call, token)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answered = runtime.block_on(self.exchange(request, call));
        // A look-up of a name that nobody answers is not waited for.
        runtime.shutdown_background();
        answered
    }

    fn request(&self, call: &Call, token: Option<&str>) -> Result<Request<Full<Bytes>>, Fault> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.address.base(), call.path))
            .header(header::HOST, self.address.host_header())
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("jeton/", env!("CARGO_PKG_VERSION")))
            // The version whose answers this program reads, whatever the token was made for.
            .header("LD-API-Version", "20240415");
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token).map_err(|_| {
                Fault::usage(
                    "the token holds characters that no token has: copy it again, all of it and nothing else",
                )
            })?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = Bytes::from(call.body.clone().unwrap_or_default());
        request.body(Full::new(body)).map_err(|error| {
            Fault::usage(format!(
                "this cannot be asked ({error}): look for strange characters in what was given"
            ))
        })
    }

    /// Asks for something that goes on. It has the time of any answer to begin, and to end only if it is no.
    pub(super) async fn open(&self, call: &Call, token: Option<&str>) -> Result<Opened, Fault> {
        let request = self.request(call, token)?;
        let stream = self.connect_in_time().await?;
        let opening = async {
            let response = begin(stream, request).await?;
            if response.status().is_success() {
                return Ok(Opened::Stream(Lines::of(response.into_body())));
            }
            whole(response).await.map(Opened::Refused)
        };
        self.in_time(call, opening).await
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, call: &Call) -> Result<Answer, Fault> {
        let stream = self.connect_in_time().await?;
        self.in_time(call, async { whole(begin(stream, request).await?).await }).await
    }

    async fn in_time<T>(
        &self,
        call: &Call,
        answering: impl Future<Output = Result<T, String>>,
    ) -> Result<T, Fault> {
        let answered = tokio::time::timeout(TO_ANSWER, answering).await;
        answered.unwrap_or_else(|_| Err("no answer within a minute".to_owned())).map_err(|why| {
            let unknown = if call.changes_something() {
                "; whether it was done is not known, so look before doing it again"
            } else {
                ""
            };
            Fault::failed(format!(
                "the server at {} did not answer as one does ({why}): check that a jeton listens there, and how (http \
                 or https){unknown}",
                self.address
            ))
        })
    }

    async fn connect_in_time(&self) -> Result<Box<dyn Stream>, Fault> {
        let connected = tokio::time::timeout(TO_CONNECT, self.connect());
        connected.await.map_err(|_| self.unreachable(&"no answer within 10 s"))?
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Fault> {
        match &self.address {
            Address::Unix(path) => {
                Ok(Box::new(UnixStream::connect(path).await.map_err(|error| self.unreachable(&error))?))
            }
            Address::Network { tls, host, port, .. } => {
                // Before anything is asked, so that a file that can't be read is told as that.
                let trust = if *tls { Some(trust(self.ca_cert.as_deref())?) } else { None };
                let stream = TcpStream::connect((host.as_str(), *port));
                let stream = stream.await.map_err(|error| self.unreachable(&error))?;
                stream.set_nodelay(true)?;
                let Some(trust) = trust else { return Ok(Box::new(stream)) };
                let name = ServerName::try_from(host.clone()).map_err(|_| {
                    Fault::usage(format!(
                        "no certificate can be for `{host}`: name the server as its certificate does"
                    ))
                })?;
                let connector = tokio_rustls::TlsConnector::from(Arc::new(trust));
                let stream = connector.connect(name, stream).await.map_err(|error| self.untrusted(&error))?;
                Ok(Box::new(stream))
            }
        }
    }

    fn unreachable(&self, why: &dyn std::fmt::Display) -> Fault {
        Fault::failed(format!(
            "no server answers at {} ({why})\n  hint: is it running? `jeton serve` starts one here; --url, JETON_URL and \
             `jeton login` name another",
            self.address
        ))
    }

    fn untrusted(&self, error: &io::Error) -> Fault {
        let about_trust = error
            .get_ref()
            .and_then(|error| error.downcast_ref::<rustls::Error>())
            .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)));
        let (cannot, hint) = if about_trust {
            (
                "be trusted",
                "if its certificate is signed by a root of your own, name that with --ca-cert FILE or JETON_CA_CERT",
            )
        } else {
            (
                "be reached through TLS",
                "jeton itself speaks http, and the proxy before it https: check the address",
            )
        };
        Fault::failed(format!("the server at {} cannot {cannot} ({error})\n  hint: {hint}", self.address))
    }
}

/// A connection, of whatever kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Asks, and waits for the head of the answer.
async fn begin(stream: Box<dyn Stream>, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends with the runtime, and what goes wrong in it is told by the answer that does not come.
    tokio::spawn(async move { drop(connection.await) });
    sender.send_request(request).await.map_err(|error| error.to_string())
}

/// Reads an answer to its end.
async fn whole(response: Response<Incoming>) -> Result<Answer, String> {
    let (head, body) = response.into_parts();
    let text = |name: header::HeaderName| {
        head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(|error| error.to_string())?;
    Ok(Answer {
        status: head.status.as_u16(),
        request_id: text(header::HeaderName::from_static("x-request-id")),
        retry_after: text(header::RETRY_AFTER),
        location: text(header::LOCATION),
        body: Zeroizing::new(body.to_bytes().to_vec()),
    })
}

/// Whom to believe: the machine's roots, and those that were named.
fn trust(ca_cert: Option<&Path>) -> Result<ClientConfig, Fault> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_cert {
        let wrong = |why: &dyn std::fmt::Display| {
            Fault::usage(format!(
                "{} holds no roots to trust ({why}): name a PEM file with certificates in it",
                path.display()
            ))
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
        let mut added = 0;
        for certificate in certificates {
            roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
            added += 1;
        }
        if added == 0 {
            return Err(wrong(&"there is no certificate in it"));
        }
    }
    if roots.is_empty() {
        return Err(Fault::failed(
            "this machine trusts nobody, so no certificate can be checked: install its root certificates (Debian: \
             ca-certificates), or name a root with --ca-cert FILE",
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| Fault::failed(format!("no TLS is possible here: {error}")))?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}
