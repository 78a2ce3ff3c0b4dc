//! Gateways, as they are asked for: who may ask without a credential, whose word on its client is taken, what is answered to
//! a client that fails too often, and for how long an answer may be kept.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::net::IpAddr;
use std::time::Duration;

use jeton_core::limits::Limits;
use jeton_core::role::BaseRole;
use jeton_server::Settings;
use jeton_server::http::Peer;
use jeton_server::http::rate_limit::RateLimit;
use jeton_server::verify::VerifySettings;
use jeton_service::ports::Clock as _;
use jeton_testkit::envoy::{check_request, status_of};
use jeton_testkit::{Jeton, request};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::metadata::MetadataMap;

/// What nobody has been issued.
const BAD: &str = "nothing-that-anybody-has-ever-issued";

fn limit(requests: u32) -> RateLimit {
    RateLimit { requests, window: Duration::from_secs(10) }
}

/// A server that takes the word of gateways in one network besides those on this machine.
async fn trusting(network: &str, failures: u32) -> Jeton {
    let verify =
        VerifySettings { trusted_proxies: vec![network.parse().unwrap()], ..VerifySettings::default() };
    let settings = Settings { verify, failed_authentications: limit(failures), ..Settings::default() };
    Jeton::with(settings, Limits::default()).await
}

fn from(address: &str) -> Peer {
    address.parse::<IpAddr>().map_or(Peer::Unix, |ip| Peer::Tcp(ip, 40_000))
}

/// On this machine and where the operator said, nobody has to say who they are. Everybody else does, and it does not matter
/// how good the client's own token is.
#[tokio::test]
async fn who_may_ask_as_a_gateway() {
    let jeton = trusting("10.1.0.0/16", 1000).await;
    let owner = jeton.owner.secret.clone();
    let reader = jeton.add_member(1001, BaseRole::Reader).await.secret;
    let body = json!({ "serviceToken": true, "role": "reader" }).to_string();
    let made = jeton.call(&owner, "POST", "/api/v2/tokens", Some(&body)).await.expect(201);
    let service = made.string("token");
    let (near, far) =
        (["127.0.0.1", "127.8.8.8", "::1", "10.1.2.3", "::ffff:10.1.2.3", "unix"], ["10.2.0.1", "::2"]);
    let anywhere = near.map(|address| (address, true)).into_iter().chain(far.map(|address| (address, false)));
    for (address, is_near) in anywhere {
        for (credential, status) in [
            (None, 401),
            (Some(BAD), 401),
            // A person's, who may not ask about others.
            (Some(reader.as_str()), 403),
            (Some(service.as_str()), 200),
            (Some(owner.as_str()), 200),
        ] {
            let status = if is_near { 200 } else { status };
            let mut headers = vec![("authorization", owner.as_str())];
            headers.extend(credential.map(|credential| ("x-jeton-credential", credential)));
            for path in ["/verify/x-forwarded", "/verify/x-original", "/ext-authz/a"] {
                let mut asked = request("GET", path, &headers, "");
                asked.extensions_mut().insert(from(address));
                let reply = jeton.exchange(asked).await;
                assert_eq!(reply.status.as_u16(), status, "{path} from {address} with {credential:?}");
            }
            if let Ok(ip) = address.parse() {
                let mut metadata = MetadataMap::new();
                if let Some(credential) = credential {
                    metadata.insert("x-jeton-credential", credential.parse().unwrap());
                }
                let question = check_request("GET", "/a", &[("authorization", &owner)]);
                let answer = jeton.check_from(ip, metadata, question).await;
                assert_eq!(status_of(&answer), i32::from(status), "gRPC from {address} with {credential:?}");
            }
        }
    }
}

/// Whom a gateway names is believed where the gateway is; what somebody else says of where they come from is nothing.
#[tokio::test]
async fn whose_word_is_taken_on_who_its_client_is() {
    let jeton = trusting("10.1.0.0/16", 3).await;
    let fails = async |peer: &str, client: &str| {
        let headers = [("authorization", BAD), ("x-forwarded-for", client)];
        let mut asked = request("GET", "/api/v2/tokens", &headers, "");
        asked.extensions_mut().insert(from(peer));
        jeton.exchange(asked).await.status.as_u16()
    };
    for peer in ["10.1.2.3", "127.0.0.1", "unix"] {
        let client = format!("192.0.2.{}", peer.len());
        let statuses = [fails(peer, &client).await, fails(peer, &client).await, fails(peer, &client).await];
        assert_eq!(statuses, [401; 3], "{peer}");
        assert_eq!(fails(peer, &client).await, 429, "{peer}");
        assert_eq!(fails(peer, "198.51.100.1").await, 401, "{peer}: another client of the same gateway");
        jeton.clock.advance(Duration::from_mins(1));
    }
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert_eq!(fails("203.0.113.7", client).await, 401);
    }
    assert_eq!(fails("203.0.113.7", "192.0.2.4").await, 429, "whatever it says of itself");
}

/// A cache must not outlive what it holds.
#[tokio::test]
async fn an_answer_is_kept_no_longer_than_its_token() {
    let verify = VerifySettings { max_age: Duration::from_mins(1), ..VerifySettings::default() };
    let jeton = Jeton::with(Settings { verify, ..Settings::default() }, Limits::default()).await;
    let owner = jeton.owner.secret.clone();
    let now = jeton.clock.now().as_millis();
    let made = async |expiry: Option<i64>| {
        let body = json!({ "role": "reader", "expiry": expiry }).to_string();
        let made = jeton.call(&owner, "POST", "/api/v2/tokens", Some(&body)).await.expect(201);
        (made.string("token"), made.string("_id"))
    };
    let kept = async |secret: &str| {
        let reply =
            jeton.send("GET", "/verify/x-forwarded", &[("authorization", secret)], "").await.expect(200);
        reply.header("cache-control").unwrap().to_owned()
    };
    for (expiry, cache) in [
        (None, "private, max-age=60"),
        (Some(now + 3_600_000), "private, max-age=60"),
        (Some(now + 60_000), "private, max-age=60"),
        (Some(now + 59_999), "private, max-age=59"),
        (Some(now + 1000), "private, max-age=1"),
        (Some(now + 999), "no-store"),
    ] {
        assert_eq!(kept(&made(expiry).await.0).await, cache, "{expiry:?}");
    }
    let (replaced, id) = made(None).await;
    let path = format!("/api/v2/tokens/{id}/reset?expiry={}", now + 5000);
    jeton.call(&owner, "POST", &path, None).await.expect(200);
    assert_eq!(kept(&replaced).await, "private, max-age=5", "the end of its grace");
    jeton.send("GET", "/verify/x-forwarded", &[("authorization", BAD)], "").await.expect(401);
}

/// nginx announces the body of its client's request, and sends none.
#[tokio::test]
async fn a_body_that_is_announced_and_never_sent_is_not_waited_for() {
    let jeton = Jeton::start().await;
    let address = jeton.serve().await;
    let owner = &jeton.owner.secret;
    for path in ["/verify/x-original", "/verify/x-forwarded", "/ext-authz/a"] {
        let mut stream = TcpStream::connect(address.strip_prefix("http://").unwrap()).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: jeton\r\nContent-Length: 9\r\nAuthorization: {owner}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        // Far less than the server has patience with bodies.
        timeout(Duration::from_secs(20), stream.read_exact(&mut status)).await.expect(path).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
    }
}

/// Whoever guesses through a gateway is held up, and nobody else behind it.
#[tokio::test]
async fn a_guesser_behind_a_gateway_is_held_up_alone() {
    let settings = Settings { failed_authentications: limit(3), ..Settings::default() };
    let jeton = Jeton::with(settings, Limits::default()).await;
    let ask = async |secret: &str, from: &str, query: &str| {
        let headers = [("authorization", secret), ("x-forwarded-for", from)];
        jeton.send("GET", &format!("/verify/x-forwarded{query}"), &headers, "").await
    };
    let (bad, owner) = ("nothing-that-anybody-has-ever-issued", jeton.owner.secret.clone());
    for _ in 0..3 {
        ask(bad, "192.0.2.7", "").await.expect(401);
    }
    let held_up = ask(bad, "192.0.2.7", "").await.expect(429);
    assert!(held_up.header("retry-after").is_some());
    ask(bad, "192.0.2.7", "?on_limit=401").await.expect(401);
    ask(bad, "192.0.2.7", "?on_limit=403").await.expect(403);
    // What stands before the nearest address anybody can have written.
    ask(bad, "198.51.100.1, 192.0.2.7", "").await.expect(429);
    ask(bad, "192.0.2.8", "").await.expect(401);
    ask(&owner, "192.0.2.7", "").await.expect(200);
    ask(bad, "192.0.2.7", "?on_limit=200").await.expect(400);
}

/// Also where it is not asked about a request: nobody who guesses holds up whoever comes through the same gateway, be it
/// with a token of their own or with a password.
#[tokio::test]
async fn a_guesser_behind_a_gateway_holds_up_nobody_on_other_paths() {
    let settings = Settings { failed_authentications: limit(3), ..Settings::default() };
    let jeton = Jeton::with(settings, Limits::default()).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let login = r#"{"email":"nobody@example.com","password":"wrong"}"#;
    for (method, path, kind, body) in [
        ("POST", "/oauth2/introspect", form, "token=x"),
        ("POST", "/verify", ("content-type", "application/json"), r#"{"secret":"x"}"#),
        ("GET", "/api/v2/tokens", form, ""),
        ("GET", "/api/v1/users/1000/access-tokens", form, ""),
        ("POST", "/api/v1/users/login", ("content-type", "application/json"), login),
    ] {
        let ask = async |from: &str| {
            let headers = [("authorization", "nothing-that-was-issued"), ("x-forwarded-for", from), kind];
            jeton.send(method, path, &headers, body).await.status.as_u16()
        };
        let (one, other) = (format!("192.0.2.{}", path.len()), format!("198.51.100.{}", path.len()));
        let statuses = [ask(&one).await, ask(&one).await, ask(&one).await, ask(&one).await];
        assert_eq!(statuses.map(|status| status == 429), [false, false, false, true], "{path}: {statuses:?}");
        assert_ne!(ask(&other).await, 429, "{path}");
    }
}

/// RFC 9111, section 4.1: who keeps an answer gives it to nobody whose question would have had another.
#[tokio::test]
async fn an_answer_that_may_be_kept_says_what_it_depends_on() {
    for (seconds, cache, varies) in [(0, "no-store", false), (60, "private, max-age=60", true)] {
        let verify = VerifySettings { max_age: Duration::from_secs(seconds), ..VerifySettings::default() };
        let jeton = Jeton::with(Settings { verify, ..Settings::default() }, Limits::default()).await;
        let owner = [("authorization", jeton.owner.secret.as_str())];
        let reply = jeton.send("GET", "/verify/x-forwarded", &owner, "").await.expect(200);
        assert_eq!(reply.header("cache-control"), Some(cache));
        let vary = reply.header("vary").unwrap_or_default();
        for header in ["authorization", "private-token", "x-forwarded-method", "x-forwarded-uri"] {
            assert_eq!(vary.split(", ").any(|name| name == header), varies, "{vary}");
        }
    }
}

/// Envoy asks with the method of its client, which need be none that a standard knows.
#[tokio::test]
async fn any_method_is_asked_about() {
    let jeton = Jeton::start().await;
    for method in ["PROPFIND", "PURGE", "TRACE", "GET"] {
        let owner = [("authorization", jeton.owner.secret.as_str())];
        jeton.send(method, "/ext-authz/a", &owner, "").await.expect(200);
        jeton.send(method, "/ext-authz/a", &[], "").await.expect(401);
    }
}
