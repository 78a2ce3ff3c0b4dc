//! What every reply must be, whatever was asked: read with the eyes of the strictest clients.
//!
//! The typed clients of LaunchDarkly fail on a `null`, on a number that is no integer, on a required member that is
//! missing, on a body that is not called JSON; those of Canvus on an empty body that is. Every reply that passes through
//! the test kit is looked at here, so that no test has to remember.

use serde_json::{Map, Value};

use crate::Reply;

/// Insists that a reply is one that no client stumbles over.
#[track_caller]
pub(crate) fn check(method: &str, path: &str, reply: &Reply) {
    if let Err(why) = look(method, path, reply) {
        panic!("{method} {path}: {why} in\n{reply:?}");
    }
}

/// What answers of our own are called that are made of lines.
const LINES: [&str; 3] = [
    "application/x-ndjson",
    "text/event-stream",
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
];

type Look = Result<(), String>;

fn look(method: &str, path: &str, reply: &Reply) -> Look {
    framing(method, path, reply)?;
    // What a stream of our own tells is compared with the document, line by line.
    let kind = reply.header("content-type");
    if reply.body.is_empty() || LINES.map(Some).contains(&kind) {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&reply.body).map_err(|error| error.to_string())?;
    unkept(&body, reply)?;
    let failed = reply.status.is_client_error() || reply.status.is_server_error();
    match (surface(path), failed) {
        (Surface::Canvus, false) => canvus_success(path, &body),
        (Surface::Canvus, true) => canvus_error(&body, reply),
        (Surface::LaunchDarkly, failed) => {
            launchdarkly_numbers(&body, "")?;
            if failed { launchdarkly_error(&body, reply) } else { launchdarkly_success(&body) }
        }
        (Surface::Own, _) => Ok(()),
    }
}

enum Surface {
    Canvus,
    LaunchDarkly,
    Own,
}

fn surface(path: &str) -> Surface {
    match path.split('/').nth(2) {
        Some("v1") if path.starts_with("/api/") => Surface::Canvus,
        Some("v2") if path.starts_with("/api/") => Surface::LaunchDarkly,
        _ => Surface::Own,
    }
}

/// Status and headers, which go together whatever the dialect.
fn framing(method: &str, path: &str, reply: &Reply) -> Look {
    let status = reply.status.as_u16();
    let id = reply.header("x-request-id").unwrap_or_default();
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    require(!id.is_empty() && id.len() <= 64 && id.bytes().all(harmless), "no request id")?;
    let kind = reply.header("content-type");
    match (method, reply.body.is_empty()) {
        ("HEAD", empty) => require(empty, "a HEAD is answered with a body")?,
        (_, true) => require(kind.is_none(), "an empty body has a type")?,
        (_, false) => {
            let of_our_own = kind == Some("application/problem+json") || LINES.map(Some).contains(&kind);
            let own = matches!(surface(path), Surface::Own) && of_our_own;
            require(own || kind == Some("application/json"), "the body is not called JSON")?;
        }
    }
    if matches!(surface(path), Surface::LaunchDarkly) {
        require(reply.header("access-control-allow-origin").is_some(), "no script may read it")?;
        require(reply.header("access-control-allow-credentials").is_none(), "credentials are shared")?;
        require(reply.header("vary") == Some("Origin"), "it does not vary by origin")?;
    }
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    let scheme = challenge.starts_with("Bearer realm=") || challenge.starts_with("Basic realm=");
    // RFC 6750, section 3.1: a good token that may not do what is asked is told so in the same header.
    let insufficient = status == 403 && challenge.ends_with(r#"error="insufficient_scope""#);
    require((status == 401 || insufficient) == scheme, "a wrong challenge")?;
    require((status == 405) == reply.header("allow").is_some(), "405 and Allow go together")?;
    let comes_back = reply.header("retry-after").map(|text| text.parse::<u64>().unwrap_or(0));
    require(status != 429 || comes_back.is_some_and(|seconds| seconds > 0), "no time to come back")
}

/// A whole secret is in an answer that nobody on the way may keep.
fn unkept(body: &Value, reply: &Reply) -> Look {
    let long = |name: &str| body.get(name).and_then(Value::as_str).is_some_and(|text| text.len() > 4);
    let unkept = reply.header("cache-control") == Some("no-store");
    require(unkept || !(long("plain_token") || long("token")), "a secret that may be kept on the way")
}

fn canvus_success(path: &str, body: &Value) -> Look {
    let of_tokens = path.contains("/access-tokens");
    match body {
        Value::Array(tokens) if of_tokens => tokens.iter().try_for_each(|token| canvus_token(token, false)),
        Value::Array(users) => users.iter().try_for_each(canvus_user),
        Value::Object(members) if members.contains_key("user") => {
            canvus_user(&body["user"])?;
            shaped(body, &[("token", true, filled), ("user", true, anything)], &[])
        }
        Value::Object(members) if members.contains_key("email") => canvus_user(body),
        Value::Object(members) if members.contains_key("server_name") => {
            shaped(body, &[("server_name", true, filled)], &[])
        }
        Value::Object(members) if path.ends_with("/logout") => {
            require(members.is_empty(), "a logout says more")
        }
        Value::Object(members) if members.contains_key("server_id") => {
            let texts = ["go", "server_id", "version"];
            shaped(body, &texts.map(|name| (name, true, text as Shape)), &[("api", texts_in as Shape)])
        }
        _ => canvus_token(body, true),
    }
}

fn canvus_user(user: &Value) -> Look {
    let texts =
        ["created_at", "email", "last_login", "name", "state"].map(|name| (name, true, text as Shape));
    let flags = ["admin", "approved", "blocked"].map(|name| (name, flag as Shape));
    shaped(user, &texts, &[flags.as_slice(), &[("id", integer)]].concat())?;
    require(user["id"].as_u64().is_some_and(|id| id > 0), "no user id")
}

/// Exactly the documented members, in alphabetical order.
fn canvus_token(token: &Value, may_hold_secret: bool) -> Look {
    let all: [(&str, bool, Shape); 4] = [
        ("created_at", true, text),
        ("description", true, text),
        ("id", true, text),
        ("plain_token", false, text),
    ];
    shaped(token, &all[..if may_hold_secret { 4 } else { 3 }], &[])
}

fn canvus_error(body: &Value, reply: &Reply) -> Look {
    if reply.status == 401 && *body != serde_json::json!({ "msg": "Invalid username or password." }) {
        return require(
            *body == serde_json::json!({ "message": "401 Unauthorized", "msg": "Invalid token" }),
            "another 401",
        );
    }
    shaped(body, &[("msg", true, filled)], &[])?;
    // At its beginning: an address or a body may say so too, and is repeated.
    let denied = body["msg"].as_str().is_some_and(|msg| msg.starts_with("Permission denied"));
    require((reply.status == 403) == denied, "403 and \"Permission denied\" go together")
}

/// No `null` anywhere, and no number that is not an integer.
fn launchdarkly_numbers(value: &Value, place: &str) -> Look {
    match value {
        Value::Null => Err(format!("null at {place}")),
        Value::Number(number) => {
            require(number.is_i64() || number.is_u64(), format!("no integer at {place}"))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(at, item)| launchdarkly_numbers(item, &format!("{place}/{at}"))),
        Value::Object(members) => members
            .iter()
            .try_for_each(|(name, member)| launchdarkly_numbers(member, &format!("{place}/{name}"))),
        Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

fn launchdarkly_error(body: &Value, reply: &Reply) -> Look {
    let required: [(&str, bool, Shape); 3] =
        [("code", true, filled), ("message", true, filled), ("id", true, text)];
    shaped(body, &required, &[("access", anything), ("reason", anything), ("invalid_emails", texts_in)])?;
    require(
        body["id"].as_str() == reply.header("x-request-id"),
        "another id in the body than in the header",
    )?;
    // What is there already has a name of its own where clients look for it.
    match (reply.status.as_u16(), body["code"].as_str()) {
        (409, Some("conflict")) => return Ok(()),
        (400, Some("email_already_exists_in_account")) => {
            return require(body.get("invalid_emails").is_some(), "no address is named");
        }
        _ => {}
    }
    let code = match reply.status.as_u16() {
        400 | 408 | 413 => "invalid_request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        409 => "optimistic_locking_error",
        422 => "patch_failed",
        429 => "rate_limited",
        500 => "internal_service_error",
        503 => "service_unavailable",
        507 => "insufficient_storage",
        other => return Err(format!("no code is known for {other}")),
    };
    require(body["code"] == code, format!("the code should be {code}"))
}

fn launchdarkly_success(body: &Value) -> Look {
    let Value::Object(members) = body else { return Err("no object".to_owned()) };
    let has = |name: &str| members.contains_key(name);
    if has("items") {
        shaped(
            body,
            &[("items", true, records_in), ("_links", true, links), ("totalCount", true, integer)],
            &[],
        )
    } else if has("organization") {
        shaped(body, &[("_id", true, id), ("_links", true, links), ("organization", true, filled)], &[])
    } else if has("_id") {
        record(body)
    } else if has("links") {
        shaped(body, &[("links", true, links)], &[])
    } else if has("validVersions") {
        let numbers = ["latestVersion", "currentVersion"].map(|name| (name, true, integer as Shape));
        shaped(body, &numbers, &[("validVersions", anything), ("beta", flag)])
    } else if has("authKind") {
        let texts = ["accountId", "authKind", "tokenKind", "tokenId", "memberId"];
        let texts = texts.map(|name| (name, true, filled as Shape));
        shaped(body, &texts, &[("tokenName", filled), ("serviceToken", flag)])
    } else {
        Err("an unknown shape".to_owned())
    }
}

/// A token, a member or a role.
fn record(value: &Value) -> Look {
    if value.get("ownerId").is_some() {
        token(value)
    } else if value.get("key").is_some() {
        role(value)
    } else {
        whole_member(value)
    }
}

fn role(value: &Value) -> Look {
    let required: [(&str, bool, Shape); 6] = [
        ("_id", true, id),
        ("_links", true, links),
        ("key", true, filled),
        ("name", true, text),
        ("basePermissions", true, filled),
        ("policy", true, any_statements_in),
    ];
    shaped(value, &required, &[("description", filled)])
}

fn whole_member(value: &Value) -> Look {
    let required: [(&str, bool, Shape); 10] = [
        ("_links", true, links),
        ("_id", true, id),
        ("role", true, filled),
        ("email", true, filled),
        ("_pendingInvite", true, flag),
        ("_verified", true, flag),
        ("customRoles", true, any_ids_in),
        ("mfa", true, filled),
        ("_lastSeen", true, integer),
        ("creationDate", true, integer),
    ];
    shaped(value, &required, &[("firstName", filled), ("lastName", filled)])
}

/// A token as the typed clients know it, all required members included.
fn token(value: &Value) -> Look {
    let required: [(&str, bool, Shape); 11] = [
        ("_id", true, id),
        ("ownerId", true, id),
        ("memberId", true, id),
        ("_member", true, member),
        ("creationDate", true, integer),
        ("lastModified", true, integer),
        ("lastUsed", true, integer),
        ("token", true, filled),
        ("serviceToken", true, flag),
        ("_links", true, links),
        ("defaultApiVersion", true, integer),
    ];
    let optional: [(&str, Shape); 6] = [
        ("name", filled),
        ("description", filled),
        ("customRoleIds", ids_in),
        ("inlineRole", statements_in),
        ("role", filled),
        ("expiry", integer),
    ];
    shaped(value, &required, &optional)?;
    let scopes = ["role", "customRoleIds", "inlineRole"].iter().filter(|name| value.get(**name).is_some());
    require(scopes.count() == 1, "a token has exactly one of role, customRoleIds and inlineRole")?;
    let own = format!("/api/v2/tokens/{}", value["_id"].as_str().unwrap_or_default());
    let expected = serde_json::json!({
        "parent": { "href": "/api/v2/tokens", "type": "application/json" },
        "self": { "href": own, "type": "application/json" },
    });
    require(value["_links"] == expected, "wrong links")
}

/// The four members that clients insist on.
fn member(value: &Value) -> bool {
    let required: [(&str, bool, Shape); 4] =
        [("_links", true, links), ("_id", true, id), ("role", true, filled), ("email", true, filled)];
    shaped(value, &required, &[("firstName", filled), ("lastName", filled)]).is_ok()
}

fn statement(value: &Value) -> bool {
    let lists = ["resources", "notResources", "actions", "notActions"].map(|name| (name, texts_in as Shape));
    let effect = value["effect"] == "allow" || value["effect"] == "deny";
    effect && shaped(value, &[("effect", true, text)], &lists).is_ok()
}

/// Whether a value has a shape.
type Shape = fn(&Value) -> bool;

/// Insists on an object with these members and no others.
fn shaped(value: &Value, members: &[(&str, bool, Shape)], optional: &[(&str, Shape)]) -> Look {
    let Value::Object(found) = value else { return Err("no object".to_owned()) };
    let optional = optional.iter().map(|(name, shape)| (*name, false, *shape));
    let members: Vec<_> = members.iter().copied().chain(optional).collect();
    for (name, required, shape) in &members {
        match found.get(*name) {
            Some(member) => require(shape(member), format!("a wrong {name}"))?,
            None => require(!required, format!("no {name}"))?,
        }
    }
    let known = |name: &String| members.iter().any(|(member, ..)| member == name);
    match found.keys().find(|name| !known(name)) {
        Some(stranger) => Err(format!("an unknown {stranger}")),
        None => Ok(()),
    }
}

fn require(holds: bool, otherwise: impl Into<String>) -> Look {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

fn anything(_: &Value) -> bool {
    true
}

fn text(value: &Value) -> bool {
    value.is_string()
}

fn filled(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

fn flag(value: &Value) -> bool {
    value.is_boolean()
}

fn id(value: &Value) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    value.as_str().is_some_and(|text| text.len() == 24 && text.bytes().all(digit))
}

fn list_of(value: &Value, item: Shape) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(item))
}

fn texts_in(value: &Value) -> bool {
    list_of(value, text)
}

fn ids_in(value: &Value) -> bool {
    list_of(value, id)
}

fn statements_in(value: &Value) -> bool {
    list_of(value, statement)
}

fn records_in(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(|item| record(item).is_ok()))
}

fn any_ids_in(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(id))
}

fn any_statements_in(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(statement))
}

fn links(value: &Value) -> bool {
    let link = |link: &Value| link["type"] == "application/json" && filled(&link["href"]);
    value
        .as_object()
        .is_some_and(|links: &Map<String, Value>| links.contains_key("self") && links.values().all(link))
}
