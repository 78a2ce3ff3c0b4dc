//! What clients of OAuth insist on: an issuer that is the address they asked, and errors in the words of RFC 6749.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use axum::body::Body;
use axum::http::Request;
use jeton_core::limits::Limits;
use jeton_core::role::BaseRole;
use jeton_server::Settings;
use jeton_server::http::listen::Peer;
use jeton_server::http::rate_limit::RateLimit;
use jeton_testkit::{Jeton, Reply, request};
use serde_json::{Value, json};

const METADATA: &str = "/.well-known/oauth-authorization-server";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn from(jeton: &Jeton, address: [u8; 4], mut request: Request<Body>) -> Reply {
    request.extensions_mut().insert(Peer::Tcp(address.into(), 40000));
    jeton.exchange(request).await
}

/// RFC 8414, section 3.3.
#[tokio::test]
async fn the_issuer_is_the_address_that_was_asked() {
    const NEAR: [u8; 4] = [127, 0, 0, 1];
    const FAR: [u8; 4] = [203, 0, 113, 7];
    let networks = vec!["10.0.0.0/8".parse().unwrap()];
    let verify = jeton_server::verify::VerifySettings { trusted_proxies: networks, ..Default::default() };
    let plain =
        Jeton::with(Settings { verify: verify.clone(), ..Settings::default() }, Limits::default()).await;
    let tls = Jeton::with(Settings { verify, tls: true, ..Settings::default() }, Limits::default()).await;
    let long = "jeton-of-the-department-with-a-long-name.internal.example.com:8443";
    let told =
        [("host", "internal"), ("x-forwarded-host", "jeton.example.com"), ("x-forwarded-proto", "https")];
    let secret = "jtn_pat_UhTiZf9Rf7WRHOeJdp6xyYzCE28cwGAUuGnkSpnw2tVF3Q";
    for (jeton, peer, headers, issuer) in [
        (&plain, FAR, &[("host", "jeton:8080")][..], "http://jeton:8080"),
        (&tls, FAR, &[("host", "jeton:8080")], "https://jeton:8080"),
        (&plain, FAR, &[("host", "[::1]:8080")], "http://[::1]:8080"),
        (&plain, FAR, &[("host", long)], &format!("http://{long}")),
        // Whoever is not trusted may say what they like.
        (&plain, FAR, &told, "http://internal"),
        (&plain, NEAR, &told, "https://jeton.example.com"),
        (&plain, [10, 1, 2, 3], &told, "https://jeton.example.com"),
        (&tls, NEAR, &[("host", "jeton"), ("x-forwarded-proto", "HTTP")], "http://jeton"),
        (&plain, NEAR, &[("host", "jeton"), ("x-forwarded-proto", "https, http")], "https://jeton"),
        (
            &plain,
            NEAR,
            &[("host", "jeton"), ("x-forwarded-host", "a.example, b.example")],
            "http://a.example",
        ),
        // What is no host is passed over, and never repeated.
        (
            &plain,
            NEAR,
            &[("host", "jeton"), ("x-forwarded-host", "a/b"), ("x-forwarded-proto", "ftp")],
            "http://jeton",
        ),
        (&plain, NEAR, &[("host", "a/\"b")], "http://localhost"),
        (&plain, NEAR, &[("host", secret)], "http://localhost"),
        (&plain, NEAR, &[], "http://localhost"),
    ] {
        let told =
            from(jeton, peer, request("GET", METADATA, headers, Body::empty())).await.expect(200).json();
        assert_eq!(told["issuer"], issuer, "{peer:?} {headers:?}");
        assert_eq!(told["introspection_endpoint"], format!("{issuer}/oauth2/introspect"));
        assert_eq!(told["revocation_endpoint"], format!("{issuer}/oauth2/revoke"));
    }
    // HTTP/2 has no Host: the address is in the request itself.
    let whole = request("GET", &format!("https://jeton.example.com{METADATA}"), &[], Body::empty());
    let told = from(&tls, FAR, whole).await.expect(200).json();
    assert_eq!(told["issuer"], "https://jeton.example.com");
}

/// RFC 6749, section 5.2: clients read `error`, in JSON, and nothing else, whatever went wrong.
#[tokio::test]
async fn every_error_is_in_the_words_of_oauth() {
    let failures = RateLimit { requests: 3, window: std::time::Duration::from_mins(1) };
    let settings = Settings { failed_authentications: failures, max_body_bytes: 1000, ..Settings::default() };
    let jeton = Jeton::with(settings, Limits::default()).await;
    let reader = jeton.add_member(1001, BaseRole::Reader).await;
    let others = format!("token={}", jeton.owner.secret);
    let long = format!("token={}", "x".repeat(2000));
    let bearer = format!("Bearer {}", reader.secret);
    let unknown = "Bearer nothing-that-anybody-has-ever-issued";
    for (path, authorization, body, status, error, challenge) in [
        ("introspect", "", others.as_str(), 401, "invalid_client", r#"Bearer realm="jeton""#),
        (
            "introspect",
            unknown,
            &others,
            401,
            "invalid_token",
            r#"Bearer realm="jeton", error="invalid_token""#,
        ),
        ("revoke", unknown, &others, 401, "invalid_token", r#"Bearer realm="jeton", error="invalid_token""#),
        ("introspect", unknown, &others, 429, "temporarily_unavailable", ""),
        (
            "introspect",
            &bearer,
            &others,
            403,
            "insufficient_scope",
            r#"Bearer realm="jeton", error="insufficient_scope""#,
        ),
        ("introspect", &bearer, &long, 413, "invalid_request", ""),
        ("revoke", "", &long, 413, "invalid_request", ""),
        ("revoke", "", "token=", 400, "invalid_request", ""),
    ] {
        let mut headers = vec![FORM];
        headers.extend(Some(("authorization", authorization)).filter(|(_, value)| !value.is_empty()));
        let reply = jeton.send("POST", &format!("/oauth2/{path}"), &headers, body).await.expect(status);
        assert_eq!(reply.json()["error"], error, "{reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("www-authenticate").unwrap_or_default(), challenge);
        assert_eq!(reply.header("retry-after").is_some(), status == 429);
        let plain = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
        assert!(reply.string("error_description").chars().all(plain), "{reply:?}");
    }
    for path in ["introspect", "revoke"] {
        let reply = jeton.send("GET", &format!("/oauth2/{path}"), &[], "").await.expect(405);
        assert_eq!(
            (reply.json()["error"].as_str(), reply.header("allow")),
            (Some("invalid_request"), Some("POST"))
        );
    }
}

/// Whoever rotates a token learns from those who ask about it who still presents the secret before.
#[tokio::test]
async fn a_replaced_secret_is_told_from_the_one_that_holds() {
    const GRACE: i64 = 60_000;
    let jeton = Jeton::start().await;
    let owner = &jeton.owner.secret;
    let made = jeton.call(owner, "POST", "/api/v2/tokens", Some(r#"{"role":"reader"}"#)).await.expect(201);
    let end = jeton.service.now().as_millis() + GRACE;
    let path = format!("/api/v2/tokens/{}/reset?expiry={end}", made.string("_id"));
    let next = jeton.call(owner, "POST", &path, None).await.expect(200).string("token");
    let asks = ("authorization", owner.as_str());
    for (secret, retiring) in [(made.string("token"), json!(true)), (next, Value::Null)] {
        let told = jeton.send("POST", "/oauth2/introspect", &[asks, FORM], format!("token={secret}")).await;
        let told = told.expect(200).json();
        assert_eq!([&told["active"], &told["retiring"]], [&json!(true), &retiring]);
        assert_eq!(told["exp"].as_i64(), retiring.as_bool().map(|_| end / 1000), "the end of its grace");
        let question = json!({ "secret": secret }).to_string();
        let told = jeton.call(owner, "POST", "/verify", Some(&question)).await.expect(200).json();
        assert_eq!([&told["active"], &told["retiring"]], [&json!(true), &retiring]);
    }
}
