//! Envoy's external authorization over gRPC: `envoy.service.auth.v3.Authorization/Check`.
//!
//! Envoy says everything about the client's request in one message, so nothing has to be configured there but the address,
//! and the answer says what becomes of every header. The decision is [`decide`]'s, as for every gateway.
//!
//! A denial always has a status, headers and words: Envoy makes 403 of a bare one, whatever its code. What goes wrong here
//! is an `error_response`, which Envoy counts as a failure of ours and not as a denial.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use envoy_types::ext_authz::v3::pb::{
    Address, Authorization, AuthorizationServer, CheckRequest, CheckResponse, DeniedHttpResponse,
    HeaderAppendAction, HeaderValue as EnvoyHeader, HeaderValueOption, HttpResponse, HttpStatus,
    OkHttpResponse,
};
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use envoy_types::pb::google::rpc;
use jeton_service::Verified;
use tonic::{Code, Status};
use tower::Service;

use super::asker::Asker;
use super::decision::{Question, decide};
use super::headers;
use crate::Shared;
use crate::gate::PRIVATE_TOKEN;
use crate::http::listen::Peer;
use crate::http::query::Query;
use crate::metrics::Surface;
use crate::operations::tell;
use crate::origin::{FORWARDED_FOR, Origin};
use crate::trouble::Trouble;

/// How the names of all headers begin that say who asks.
const OURS: &str = "x-jeton-";

/// More than any refusal has to say, in bytes.
const WORDS: usize = 64 * 1024;

/// The service, over our own listeners and limits.
#[derive(Clone)]
pub struct Grpc(AuthorizationServer<Checker>);

impl Grpc {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(AuthorizationServer::new(Checker(shared)))
    }
}

impl fmt::Debug for Grpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grpc").finish_non_exhaustive()
    }
}

impl Service<Request<Body>> for Grpc {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answered = self.0.call(request);
        Box::pin(async move { answered.await.map(|response| response.map(Body::new)) })
    }
}

/// Whoever answers.
struct Checker(Arc<Shared>);

#[tonic::async_trait]
impl Authorization for Checker {
    async fn check(
        &self,
        request: tonic::Request<CheckRequest>,
    ) -> Result<tonic::Response<CheckResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let peer = Peer::of(&extensions);
        let attributes = message.attributes.unwrap_or_default();
        let answer = match self.decided(&metadata.into_headers(), peer, &attributes).await {
            Ok((verified, forged)) => allowed(verified.as_ref(), forged),
            Err(trouble) => denied(&trouble).await,
        };
        Ok(tonic::Response::new(answer))
    }
}

impl Checker {
    /// Who asks, if that had to be known, and which headers of the client have to go.
    async fn decided(
        &self,
        metadata: &HeaderMap,
        peer: Peer,
        attributes: &AttributeContext,
    ) -> Result<(Option<Verified>, Vec<String>), Trouble> {
        let Self(shared) = self;
        let asker = Asker::gateway(shared, Origin { peer, headers: metadata }).await?;
        let nothing = HttpRequest::default();
        let asked = attributes.request.as_ref().and_then(|request| request.http.as_ref()).unwrap_or(&nothing);
        let headers = read_headers(asked);
        let question = Question {
            surface: Surface::ExtAuthz,
            asker,
            origin: Origin { peer: source_of(attributes).unwrap_or(peer), headers: &headers },
            method: &asked.method,
            uri: &asked.path,
            query: Query::from_text(""),
        };
        let verified = decide(shared, &question).await?;
        Ok((verified, forged(asked)))
    }
}

/// What is looked at of the client's headers, here and wherever a [`Question`] leads to. There are many more on every request.
static READ: [HeaderName; 3] = [AUTHORIZATION, PRIVATE_TOKEN, FORWARDED_FOR];

/// The client's headers as Envoy says them.
fn headers_of(asked: &HttpRequest) -> impl Iterator<Item = (&str, &[u8])> {
    let headers = asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    // In this form where Envoy was told to send headers as they came (`encode_raw_headers`).
    let raw = asked.header_map.iter().flat_map(|map| &map.headers).map(|header| {
        let value = if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value };
        (header.key.as_str(), value)
    });
    headers.chain(raw)
}

/// Those of the client's headers that are looked at. What can't be a header's value is left out: it holds no secret of ours.
fn read_headers(asked: &HttpRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in headers_of(asked) {
        if let Some(name) = READ.iter().find(|read| read.as_str().eq_ignore_ascii_case(name))
            && let Ok(value) = HeaderValue::from_bytes(value)
        {
            headers.append(name, value);
        }
    }
    headers
}

/// Whoever is connected to Envoy.
fn source_of(attributes: &AttributeContext) -> Option<Peer> {
    let address = attributes.source.as_ref()?.address.as_ref()?.address.as_ref()?;
    let Address::SocketAddress(socket) = address else { return None };
    let address: IpAddr = socket.address.parse().ok()?;
    Some(Peer::Tcp(address.to_canonical(), 0))
}

/// Headers of the client that a program behind could take for ours. Those that we set are overwritten, and must not be
/// named: Envoy removes last.
fn forged(asked: &HttpRequest) -> Vec<String> {
    let plain = |sign: u8| if sign == b'_' { b'-' } else { sign.to_ascii_lowercase() };
    let alike = |name: &&str| name.bytes().map(plain).take(OURS.len()).eq(OURS.bytes());
    let names = headers_of(asked).map(|(name, _)| name).filter(alike).map(str::to_ascii_lowercase);
    let theirs: BTreeSet<String> = names.filter(|name| !headers::NAMES.contains(&name.as_str())).collect();
    theirs.into_iter().collect()
}

fn allowed(verified: Option<&Verified>, forged: Vec<String>) -> CheckResponse {
    let headers = headers::texts(verified).map(|(name, value)| header(name, value)).collect();
    let response = OkHttpResponse { headers, headers_to_remove: forged, ..OkHttpResponse::default() };
    answer(Code::Ok, HttpResponse::OkResponse(response))
}

async fn denied(trouble: &Trouble) -> CheckResponse {
    let (head, body) = tell(trouble).into_parts();
    let words = to_bytes(body, WORDS).await.unwrap_or_default();
    let response = DeniedHttpResponse {
        status: Some(HttpStatus { code: head.status.as_u16().into() }),
        headers: written(&head.headers),
        body: String::from_utf8_lossy(&words).into_owned(),
    };
    let code = match head.status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        429 => Code::ResourceExhausted,
        500..=599 => Code::Unavailable,
        _ => Code::InvalidArgument,
    };
    let response = match code {
        Code::Unavailable => HttpResponse::ErrorResponse(response),
        _ => HttpResponse::DeniedResponse(response),
    };
    answer(code, response)
}

fn answer(code: Code, response: HttpResponse) -> CheckResponse {
    let status = rpc::Status { code: code.into(), ..rpc::Status::default() };
    CheckResponse { status: Some(status), http_response: Some(response), ..CheckResponse::default() }
}

/// Headers in Envoy's words.
fn written(headers: &HeaderMap) -> Vec<HeaderValueOption> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| header(name.as_str(), text(value))).collect()
}

/// A header in Envoy's words, in the place of whatever has its name.
fn header(name: &str, value: String) -> HeaderValueOption {
    let header = EnvoyHeader { key: name.to_owned(), value, ..EnvoyHeader::default() };
    HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing that a client does leads there, so it is tried here.
    #[tokio::test]
    async fn what_goes_wrong_here_is_no_denial() {
        let answer = denied(&Trouble::Internal).await;
        assert_eq!(answer.status.unwrap().code, i32::from(Code::Unavailable));
        let Some(HttpResponse::ErrorResponse(error)) = answer.http_response else { panic!() };
        assert_eq!(error.status.unwrap().code, 500);
        assert!(error.body.contains("The server made a mistake"), "{}", error.body);
    }
}
