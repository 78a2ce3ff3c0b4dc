//! Gateways' questions, with headers that contradict each other.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use jeton_core::policy::Resource;
use jeton_server::http::Peer;
use jeton_server::verify::{Need, RouteMap};

use super::draw::Draw;
use super::presented::{in_header, may_ask, named, pairs};
use super::world::{self, World, escaped};

/// The server's own map; what it means is the business of another check.
static ROUTES: LazyLock<Arc<RouteMap>> = LazyLock::new(world::route_map);

pub(super) const METHODS: [&str; 7] = ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"];

pub(super) const PATHS: [&str; 10] = [
    "/me",
    "/open/a",
    "/projects/web",
    "/projects/web?action=x",
    "/open/../me",
    "/open/%2e%2e/me",
    "/%6de",
    "/projects/*",
    "/elsewhere",
    "/open/a#/me",
];

pub(super) const HEADERS: [(&str, &str); 14] = [
    ("authorization", "Bearer <0>"),
    ("authorization", "<6>"),
    ("authorization", "Bearer <7>"),
    ("private-token", "<1>"),
    ("private-token", "<5>"),
    ("x-jeton-credential", "<4>"),
    ("x-jeton-credential", "<6>"),
    ("x-original-uri", "/open/a"),
    ("x-original-url", "/me"),
    ("x-original-method", "GET"),
    ("x-forwarded-uri", "/open/a"),
    ("x-forwarded-method", "GET"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-jeton-subject", "somebody"),
];

/// What a mount believes: the method, and the path and query.
const FAMILIES: [(&str, &[&str], &[&str]); 2] = [
    ("/verify/x-original", &["x-original-method"], &["x-original-uri", "x-original-url"]),
    ("/verify/x-forwarded", &["x-forwarded-method"], &["x-forwarded-uri"]),
];

pub(super) fn check(input: &[u8]) {
    world::with(|world| {
        let mut draw = Draw::new(input);
        let mount = draw.number(0..=2);
        let peer = [Peer::Unix, Peer::Tcp([127, 0, 0, 1].into(), 1), Peer::Tcp([203, 0, 113, 7].into(), 1)];
        let peer = peer[draw.number(0..=2)];
        if let Some(request) = drawn(world, &mut draw, mount) {
            asks(world, mount, peer, request);
        }
    });
}

/// A gateway's question. `None` if no HTTP library would let it through.
fn drawn(world: &World, draw: &mut Draw<'_>, mount: usize) -> Option<Request<Body>> {
    let method = draw.one_of(&METHODS);
    let path = draw.text_like(&PATHS);
    let query = draw.text_like(&[
        "",
        "action=viewProject&resource=proj/web",
        "action=updateProject&resource=proj%2Fweb&on_limit=401",
        "on_limit=403",
        "resource=acct",
    ]);
    let mut request = Request::new(Body::empty());
    let mut lines = Vec::new();
    if let Some((mount, methods, uris)) = FAMILIES.get(mount) {
        *request.uri_mut() = Uri::try_from(format!("{mount}?{}", escaped(query.as_bytes()))).ok()?;
        lines.push((methods[0], method.as_bytes().to_vec()));
        lines.push((uris[draw.number(0..=u8::try_from(uris.len() - 1).unwrap())], path.into_bytes()));
    } else {
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = Uri::try_from(format!("/ext-authz{}", escaped(path.as_bytes()))).ok()?;
    }
    while !draw.is_empty() && lines.len() < 9 {
        let (name, value) = HEADERS[draw.number(0..=13)];
        let value = if draw.rarely(6) { draw.bytes(60) } else { value.as_bytes() };
        lines.push((name, named(world, value)));
    }
    for (name, value) in lines {
        request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_bytes(&value).ok()?);
    }
    Some(request)
}

fn asks(world: &World, mount: usize, peer: Peer, mut request: Request<Body>) {
    request.extensions_mut().insert(peer);
    if !request.uri().path().starts_with("/ext-authz/") && mount == 2 {
        return;
    }
    let expected = expected(world, mount, peer, &request);
    let reply = world.ask(request);
    let found =
        (reply.status == 200).then(|| reply.header("x-jeton-token-id").unwrap_or_default().to_owned());
    assert_eq!(found, expected, "{reply:?}");
    assert!(reply.status != 200 || reply.header("cache-control") == Some("no-store"), "{reply:?}");
}

/// The id of the token that the request is let through with, `-` if it needs none, and `None` if it is not let through.
fn expected(world: &World, mount: usize, peer: Peer, request: &Request<Body>) -> Option<String> {
    let headers = request.headers();
    let trusted = peer.ip().is_none_or(|address| address.is_loopback());
    if !trusted {
        let credential = headers.get("x-jeton-credential")?.to_str().ok()?;
        may_ask(&world.session(credential)?).then_some(())?;
    }
    let says = |name: &str| headers.get_all(name).iter().any(|value| !value.is_empty());
    let both = ["x-original-uri", "x-original-url"].map(says);
    if mount == 0 && both == [true, true] {
        return None;
    }
    let (method, uri, query) = if let Some((_, methods, uris)) = FAMILIES.get(mount) {
        // An address with a scheme goes on at the path.
        let url = mount == 0 && both[1];
        let uri = only(headers, uris[usize::from(url)]);
        let path = uri.split_once("://").filter(|_| url).map(|(_, rest)| {
            let host: usize =
                rest.chars().take_while(|letter| !"/?".contains(*letter)).map(char::len_utf8).sum();
            if rest[host..].is_empty() { "/".to_owned() } else { rest[host..].to_owned() }
        });
        (only(headers, methods[0]), path.unwrap_or(uri), request.uri().query())
    } else {
        let all = request.uri().path_and_query().unwrap().as_str();
        (request.method().to_string(), all["/ext-authz".len()..].to_owned(), None)
    };
    let (text, query) = (query.unwrap_or_default(), pairs(query.unwrap_or_default()));
    let theirs = uri.split_once('?').map_or("", |(_, theirs)| theirs);
    let ours = |name: &String| ["action", "resource", "on_limit"].contains(&name.as_str());
    let known = query.keys().all(ours) || (!theirs.is_empty() && text.contains(theirs));
    if !known || query.iter().any(|(name, all)| ours(name) && all.len() > 1) {
        return None;
    }
    let value = |name: &str| query.get(name).map(|all| all[0].clone());
    if value("on_limit").is_some_and(|status| !["401", "403", "429"].contains(&&*status)) {
        return None;
    }
    let need = match (value("action"), value("resource")) {
        (Some(action), Some(resource)) => Need::Permission { action, resource },
        (None, None) => ROUTES.need(&method, &uri),
        _ => return None,
    };
    let_through(world, need, headers)
}

/// The same, of what a request needs and the client's headers.
pub(super) fn let_through(world: &World, need: Need, headers: &HeaderMap) -> Option<String> {
    if need == Need::Nothing {
        return Some("-".to_owned());
    }
    let value = |name: &str| in_header(headers.get(name).map(HeaderValue::as_bytes));
    let private =
        headers.get("private-token").map(|value| value.to_str().unwrap_or("\u{fffd}").trim().to_owned());
    let authorization = value("authorization");
    let private = private.filter(|secret| !secret.is_empty());
    let is_one = |name: &str| headers.get_all(name).iter().all(|value| Some(value) == headers.get(name));
    if !is_one("authorization") || !is_one("private-token") {
        return None;
    }
    let secret = match (authorization, private) {
        (Some(one), Some(other)) if one != other => return None,
        (one, other) => one.or(other),
    };
    let session = world.session(&secret?)?;
    let permitted = match need {
        Need::Token => true,
        Need::Permission { action, resource } => session.caller().may(&action, Resource::parse(&resource)?),
        Need::Nothing | Need::Denied(_) => false,
    };
    permitted.then(|| session.caller().token.to_string())
}

/// Nothing where there are several that differ.
fn only(headers: &HeaderMap, name: &str) -> String {
    let values: Vec<_> = headers.get_all(name).iter().collect();
    let is_one = values.windows(2).all(|two| two[0] == two[1]);
    let found = values.first().filter(|_| is_one);
    found.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
