//! Introspection with any form and any credential.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use jeton_core::policy::Resource;

use super::draw::Draw;
use super::presented::{base64, in_header, may_ask, named, pairs};
use super::world::{self, World};

const FORM: &str = "application/x-www-form-urlencoded";

/// Parameters that may come once at the most.
const ONCE: [&str; 6] = ["token", "token_type_hint", "client_id", "client_secret", "action", "resource"];

/// How somebody says who they are.
enum Said {
    Nothing,
    Basic(String),
    Header(Vec<u8>),
}

pub(super) fn check(input: &[u8]) {
    world::with(|world| {
        let mut draw = Draw::new(input);
        let kind = draw.text_like(&[
            FORM,
            "Application/X-WWW-Form-Urlencoded ; charset=utf-8",
            "application/json",
            "",
        ]);
        let by = world.caller(draw.number(0..=8)).to_owned();
        let said = match draw.number(0..=4) {
            0 => Said::Header(format!("Bearer {by}").into_bytes()),
            1 => Said::Header(by.into_bytes()),
            2 => Said::Basic(by),
            3 => Said::Nothing,
            _ => Said::Header(named(world, draw.bytes(80))),
        };
        let body = named(world, draw.rest());
        let mut request = Request::new(Body::from(body.clone()));
        *request.method_mut() = "POST".parse().unwrap();
        *request.uri_mut() = "/oauth2/introspect".parse().unwrap();
        let authorization = match &said {
            Said::Nothing => None,
            Said::Basic(secret) => {
                Some(format!("Basic {}", base64(format!("id:{secret}").as_bytes())).into_bytes())
            }
            Said::Header(text) => Some(text.clone()),
        };
        let kind_value = HeaderValue::from_str(&kind);
        let authorization = authorization.map(|text| HeaderValue::from_bytes(&text)).transpose();
        let (Ok(kind_value), Ok(authorization)) = (kind_value, authorization) else { return };
        request.headers_mut().insert("content-type", kind_value);
        authorization.map(|value| request.headers_mut().insert("authorization", value));
        let reply = world.ask(request);
        let told = reply.json();
        let expected = expected(world, &kind, &said, &body);
        let found = told["active"].as_bool().filter(|active| *active).map(|_| reply.string("jti"));
        assert_eq!(found, expected, "{reply:?}");
        assert!(found.is_some() || reply.status != 200 || reply.text() == r#"{"active":false}"#, "{reply:?}");
    });
}

/// The id of the token that is active for whoever asks, if that is what is to be said.
fn expected(world: &World, kind: &str, said: &Said, body: &[u8]) -> Option<String> {
    let is_form = kind.split(';').next()?.trim().eq_ignore_ascii_case(FORM);
    let form = pairs(std::str::from_utf8(body).ok().filter(|_| is_form)?);
    let value = |name: &str| form.get(name).map(|all| all[0].clone()).filter(|value| !value.is_empty());
    if ONCE.iter().any(|name| form.get(*name).is_some_and(|all| all.len() > 1)) {
        return None;
    }
    let in_header = match said {
        Said::Nothing => None,
        Said::Basic(secret) => Some(secret.clone()),
        Said::Header(text) => in_header(Some(text)),
    };
    let asker = match (in_header, value("client_secret")) {
        (Some(_), Some(_)) => return None,
        (one, other) => world.session(&one.or(other)?)?,
    };
    let token = value("token")?;
    let session = world.session(&token)?;
    if !may_ask(&asker) && asker.caller().token != session.caller().token {
        return None;
    }
    let permitted = match (value("action"), value("resource")) {
        (None, None) => true,
        (Some(action), Some(resource)) => session.caller().may(&action, Resource::parse(&resource)?),
        _ => false,
    };
    permitted.then(|| session.caller().token.to_string())
}
