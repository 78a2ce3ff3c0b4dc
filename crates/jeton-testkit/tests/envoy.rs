//! Envoy's questions over gRPC, without Envoy: what it is told, word by word.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::ext_authz::v3::pb::{
    Address, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue,
    HeaderValueOption, HttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::config::core::v3::{Address as Place, HeaderMap, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::attribute_context;
use jeton_core::limits::Limits;
use jeton_server::Settings;
use jeton_server::http::rate_limit::RateLimit;
use jeton_server::verify::{RouteMap, VerifySettings};
use jeton_testkit::Jeton;
use jeton_testkit::envoy::{check_request, status_of};
use serde_json::json;
use tonic::Code;
use tonic::metadata::MetadataMap;

const MAP: &str = r#"
    [[route]]
    path = "/public/{*rest}"
    open = true

    [[route]]
    path = "/me"

    [[route]]
    method = "PUT"
    path = "/projects/{project}"
    action = "updateProject"
    resource = "proj/{project}"
"#;

const HERE: [u8; 4] = [127, 0, 0, 1];
const ELSEWHERE: [u8; 4] = [203, 0, 113, 7];

async fn jeton() -> Jeton {
    let verify = VerifySettings {
        route_map: Some(Arc::new(RouteMap::parse(MAP).unwrap())),
        ..VerifySettings::default()
    };
    let failed_authentications = RateLimit { requests: 3, window: Duration::from_secs(10) };
    Jeton::with(Settings { verify, failed_authentications, ..Settings::default() }, Limits::default()).await
}

/// Makes a service token with a base role: its id, and its secret.
async fn service(jeton: &Jeton, role: &str) -> (String, String) {
    let body = json!({ "name": role, "serviceToken": true, "role": role }).to_string();
    let made = jeton.call(&jeton.owner.secret, "POST", "/api/v2/tokens", Some(&body)).await.expect(201);
    (made.string("_id"), made.string("token"))
}

fn put(secret: &str) -> CheckRequest {
    check_request("PUT", "/projects/web?x=1", &[("authorization", secret)])
}

fn ok(answer: CheckResponse) -> OkHttpResponse {
    assert_eq!(answer.status.unwrap().code, i32::from(Code::Ok));
    match answer.http_response.unwrap() {
        HttpResponse::OkResponse(ok) => ok,
        other => panic!("{other:?}"),
    }
}

fn denied(answer: CheckResponse, code: Code, status: i32) -> DeniedHttpResponse {
    assert_eq!((answer.status.as_ref().unwrap().code, status_of(&answer)), (code.into(), status));
    match answer.http_response.unwrap() {
        HttpResponse::DeniedResponse(denied) => denied,
        other => panic!("{other:?}"),
    }
}

fn pairs(headers: &[HeaderValueOption]) -> Vec<(&str, &str)> {
    for header in headers {
        assert_eq!(header.append_action(), HeaderAppendAction::OverwriteIfExistsOrAdd);
    }
    let headers = headers.iter().map(|header| header.header.as_ref().unwrap());
    headers.map(|header| (header.key.as_str(), header.value.as_str())).collect()
}

#[tokio::test]
async fn a_good_token_is_named_over_whatever_the_client_says() {
    let jeton = jeton().await;
    let (id, secret) = service(&jeton, "writer").await;
    let headers = [
        ("authorization", secret.as_str()),
        ("x-jeton-subject", "mallory"),
        ("x_jeton_subject", "mallory"),
        ("x-jeton_kind", "mallory"),
        ("x-jeton-credential", "mallory"),
        ("x-jetonish", "kept"),
        (":path", "/public/x"),
    ];
    let mut answer = ok(jeton.check(check_request("PUT", "/projects/web", &headers)).await);
    let account = jeton.account.to_string();
    let expected = [
        ("x-jeton-subject", id.as_str()),
        ("x-jeton-token-id", &id),
        ("x-jeton-kind", "service"),
        ("x-jeton-account", &account),
        ("x-jeton-email", "-"),
        ("x-jeton-scopes", "writer"),
        ("x-jeton-expires", "-"),
    ];
    assert_eq!(pairs(&answer.headers), expected);
    // None of those that are set is among them: Envoy removes last.
    answer.headers_to_remove.sort();
    assert_eq!(answer.headers_to_remove, ["x-jeton-credential", "x-jeton_kind", "x_jeton_subject"]);
    // Where nobody has to say who they are, nobody is named.
    let open = ok(jeton.check(check_request("GET", "/public/x", &headers)).await);
    assert!(pairs(&open.headers).iter().all(|(_, value)| *value == "-"));
    assert_eq!((open.headers.len(), open.headers_to_remove.len()), (7, 3));
}

#[tokio::test]
async fn a_denial_has_a_status_headers_and_words() {
    let jeton = jeton().await;
    let (_, reader) = service(&jeton, "reader").await;
    let challenged = |answer: &DeniedHttpResponse, challenge: &str, detail: &str| {
        let headers = pairs(&answer.headers);
        assert!(headers.contains(&("www-authenticate", challenge)), "{headers:?}");
        assert!(headers.contains(&("content-type", "application/problem+json")), "{headers:?}");
        assert!(headers.contains(&("cache-control", "no-store")), "{headers:?}");
        assert!(answer.body.contains(detail), "{}", answer.body);
    };
    let answer = jeton.check(check_request("GET", "/me", &[])).await;
    challenged(&denied(answer, Code::Unauthenticated, 401), r#"Bearer realm="jeton""#, "Invalid token");
    let answer = jeton.check(put("nothing-that-anybody-has-ever-issued")).await;
    let bad = r#"Bearer realm="jeton", error="invalid_token""#;
    challenged(&denied(answer, Code::Unauthenticated, 401), bad, "Invalid token");
    let narrow = r#"Bearer realm="jeton", error="insufficient_scope""#;
    for (method, path) in [("PUT", "/projects/web"), ("GET", "/nowhere"), ("GET", "/public/../me")] {
        let answer = jeton.check(check_request(method, path, &[("private-token", &reader)])).await;
        challenged(&denied(answer, Code::PermissionDenied, 403), narrow, "The token is good, but");
    }
    // Nothing at all was said of the request.
    denied(jeton.check(CheckRequest::default()).await, Code::Unauthenticated, 401);
    let answer = denied(jeton.check(put("wrong")).await, Code::ResourceExhausted, 429);
    assert!(pairs(&answer.headers).iter().any(|(name, _)| *name == "retry-after"), "{answer:?}");
}

/// As Envoy sends them where it was told to `encode_raw_headers`.
#[tokio::test]
async fn headers_may_come_as_they_were() {
    let jeton = jeton().await;
    let (_, secret) = service(&jeton, "writer").await;
    let raw = |key: &str, value: &str| HeaderValue {
        key: key.to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..HeaderValue::default()
    };
    let mut question = check_request("PUT", "/projects/web", &[]);
    let headers = vec![raw(":method", "GET"), raw("authorization", &secret), raw("x_jeton_kind", "mallory")];
    http(&mut question).header_map = Some(HeaderMap { headers });
    assert_eq!(ok(jeton.check(question).await).headers_to_remove, ["x_jeton_kind"]);
}

fn http(question: &mut CheckRequest) -> &mut attribute_context::HttpRequest {
    question.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap()
}

/// From elsewhere Envoy shows a token of its own, beside the message: what is in it is its client's.
#[tokio::test]
async fn who_may_ask() {
    let jeton = jeton().await;
    let (_, gateway) = service(&jeton, "reader").await;
    let (_, secret) = service(&jeton, "writer").await;
    let with = |credential: &str| {
        let mut metadata = MetadataMap::new();
        if !credential.is_empty() {
            metadata.insert("x-jeton-credential", credential.parse().unwrap());
        }
        metadata
    };
    let by_client = check_request(
        "PUT",
        "/projects/web",
        &[("authorization", &secret), ("x-jeton-credential", &gateway)],
    );
    for (from, credential, question, status) in [
        (HERE, "", put(&secret), 200),
        (ELSEWHERE, gateway.as_str(), put(&secret), 200),
        (ELSEWHERE, "", put(&secret), 401),
        (ELSEWHERE, "nothing-that-anybody-has-ever-issued", put(&secret), 401),
        (ELSEWHERE, "", by_client, 401),
    ] {
        let answer = jeton.check_from(IpAddr::from(from), with(credential), question).await;
        assert_eq!(status_of(&answer), status, "{from:?} {credential}");
    }
}

/// Failures are counted against whoever is connected to Envoy, and not against Envoy.
#[tokio::test]
async fn who_fails_too_often_holds_up_nobody_else() {
    let jeton = jeton().await;
    let from = |address: &str| {
        let mut question = put("wrong");
        let socket = SocketAddress { address: address.to_owned(), ..SocketAddress::default() };
        let place = Place { address: Some(Address::SocketAddress(socket)) };
        let source = attribute_context::Peer { address: Some(place), ..attribute_context::Peer::default() };
        question.attributes.as_mut().unwrap().source = Some(source);
        question
    };
    for _ in 0..3 {
        assert_eq!(status_of(&jeton.check(from("203.0.113.7")).await), 401);
    }
    assert_eq!(status_of(&jeton.check(from("203.0.113.7")).await), 429);
    assert_eq!(status_of(&jeton.check(from("203.0.113.8")).await), 401);
}
