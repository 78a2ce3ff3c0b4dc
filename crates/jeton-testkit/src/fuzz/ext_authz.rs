//! Envoy's questions over gRPC: what they say in any words, and messages of any bytes.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request};
use envoy_types::ext_authz::v3::pb::HttpResponse;
use jeton_server::http::Peer;
use jeton_server::verify::RouteMap;
use tonic::metadata::MetadataMap;

use super::draw::Draw;
use super::forward::{HEADERS, METHODS, PATHS, let_through};
use super::presented::{may_ask, named};
use super::world::{self, World};
use crate::envoy::check_request;

/// The server's own map; what it means is the business of another check.
static ROUTES: LazyLock<Arc<RouteMap>> = LazyLock::new(world::route_map);

const NEAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));

pub(super) fn check(input: &[u8]) {
    world::with(|world| {
        let mut draw = Draw::new(input);
        if draw.rarely(4) { bytes(world, draw.rest()) } else { words(world, &mut draw) }
    });
}

/// A message of any bytes is answered in gRPC's way, and what holds no secret of ours is let through nowhere but where
/// that is open: an answer that lets through names no token.
fn bytes(world: &World, body: &[u8]) {
    let mut request = Request::new(Body::from(body.to_vec()));
    *request.method_mut() = axum::http::Method::POST;
    *request.uri_mut() = axum::http::Uri::from_static("/envoy.service.auth.v3.Authorization/Check");
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
    request.extensions_mut().insert(Peer::Tcp(NEAR, 1));
    let (status, said) = world.ask_over_grpc(request);
    assert_eq!(status, 200, "gRPC has statuses of its own");
    let told = said.windows(b"x-jeton-subject".len()).any(|part| part == b"x-jeton-subject");
    // Every id has 24 digits, and stands in the answer as text.
    let digits = said.split(|byte| !byte.is_ascii_hexdigit()).any(|run| run.len() >= 24);
    assert!(!(told && digits), "somebody is named who has shown nothing: {said:?}");
}

fn words(world: &World, draw: &mut Draw<'_>) {
    let from = if draw.rarely(3) { FAR } else { NEAR };
    let (method, path) = (draw.one_of(&METHODS).to_owned(), draw.text_like(&PATHS));
    let mut credential = None;
    let mut lines: Vec<(String, String)> = Vec::new();
    while !draw.is_empty() && lines.len() < 9 {
        let (name, value) = HEADERS[draw.number(0..=13)];
        let value = if draw.rarely(6) { draw.bytes(60) } else { value.as_bytes() };
        let value = String::from_utf8_lossy(&named(world, value)).into_owned();
        match name {
            // Of Envoy's own, which has it in its metadata; the client's is a header like any other.
            "x-jeton-credential" if credential.is_none() => credential = Some(value),
            // A map has each name once.
            _ if lines.iter().all(|(other, _)| other != name) => lines.push((name.to_owned(), value)),
            _ => {}
        }
    }
    let credential = credential.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
    let expected = expected(world, from, credential.as_ref(), &method, &path, &lines);
    let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut metadata = HeaderMap::new();
    metadata.extend(credential.map(|value| (HeaderName::from_static("x-jeton-credential"), value)));
    let answer =
        world.check(from, MetadataMap::from_headers(metadata), check_request(&method, &path, &lines));
    let found = match answer.http_response.as_ref().expect("Envoy makes 403 of a bare code") {
        HttpResponse::OkResponse(ok) => {
            let headers = ok.headers.iter().filter_map(|option| option.header.as_ref());
            let mut ids = headers.filter(|header| header.key == "x-jeton-token-id");
            Some(ids.next().expect("who asks is always said").value.clone())
        }
        HttpResponse::DeniedResponse(_) | HttpResponse::ErrorResponse(_) => None,
    };
    assert_eq!(found, expected, "{answer:?}");
}

/// The id of the token that the request is let through with, `-` if it needs none, and `None` if it is not let through.
fn expected(
    world: &World,
    from: IpAddr,
    credential: Option<&HeaderValue>,
    method: &str,
    path: &str,
    lines: &[(String, String)],
) -> Option<String> {
    if !from.is_loopback() {
        may_ask(&world.session(credential?.to_str().ok()?)?).then_some(())?;
    }
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        if let Ok(value) = HeaderValue::from_str(value).or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.append(HeaderName::try_from(name).unwrap(), value);
        }
    }
    let_through(world, ROUTES.need(method, path), &headers)
}
