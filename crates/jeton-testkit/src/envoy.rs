//! Asks as Envoy does over gRPC: with its own messages and a real client of it, without sockets between.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::body::Body;
use axum::http::{Request, Response};
use envoy_types::ext_authz::v3::pb::{CheckRequest, CheckResponse, HttpResponse};
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request as Asked};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use jeton_server::http::Peer;
use tonic::metadata::MetadataMap;
use tower::{ServiceExt as _, service_fn};

use crate::Jeton;

/// What Envoy says of a client's request.
pub fn check_request(method: &str, path: &str, headers: &[(&str, &str)]) -> CheckRequest {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let http =
        HttpRequest { method: method.to_owned(), path: path.to_owned(), headers, ..HttpRequest::default() };
    let request = Some(Asked { http: Some(http), ..Asked::default() });
    CheckRequest { attributes: Some(AttributeContext { request, ..AttributeContext::default() }) }
}

/// What Envoy answers its client, or 200 where it lets the request through.
pub fn status_of(answer: &CheckResponse) -> i32 {
    match answer.http_response.as_ref().expect("Envoy makes 403 of a bare code") {
        HttpResponse::OkResponse(_) => 200,
        HttpResponse::DeniedResponse(denied) | HttpResponse::ErrorResponse(denied) => {
            denied.status.as_ref().expect("Envoy makes 403 of a missing status").code
        }
    }
}

impl Jeton {
    /// Asks from this machine.
    pub async fn check(&self, question: CheckRequest) -> CheckResponse {
        self.check_from(IpAddr::from([127, 0, 0, 1]), MetadataMap::new(), question).await
    }

    /// Asks from an address, with something to say besides.
    pub async fn check_from(
        &self,
        from: IpAddr,
        metadata: MetadataMap,
        question: CheckRequest,
    ) -> CheckResponse {
        let app = self.apps.grpc.clone();
        let transport = service_fn(move |request: Request<tonic::body::Body>| {
            let (mut head, body) = request.into_parts();
            head.extensions.insert(Peer::Tcp(from, 1));
            let answered = app.clone().oneshot(Request::from_parts(head, Body::new(body)));
            async move { Ok::<Response<Body>, Infallible>(answered.await.unwrap()) }
        });
        let mut request = tonic::Request::new(question);
        *request.metadata_mut() = metadata;
        AuthorizationClient::new(transport).check(request).await.unwrap().into_inner()
    }
}
