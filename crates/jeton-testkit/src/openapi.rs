//! What every reply must be, once more: what the OpenAPI document declares.
//!
//! A document that is written by hand is right for as long as something compares it with the server. Every reply that
//! passes through the test kit is looked up here: its operation, its status, its headers, its body.

mod schema;

use std::sync::LazyLock;

use serde_json::Value;

use crate::Reply;

pub use schema::Schemas;

static DOCUMENT: LazyLock<Document> =
    LazyLock::new(|| Document::new(serde_json::from_str(jeton_server::openapi::document()).unwrap()));

/// The methods that an operation may have.
pub const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "patch", "trace"];

/// The document, with what it takes to ask it.
pub struct Document {
    /// The whole of it.
    pub value: Value,
    schemas: Schemas,
}

/// Insists that a reply is one that the document declares. `method` is what the request was routed by.
#[track_caller]
pub(crate) fn check(method: &str, path: &str, reply: &Reply) {
    if let Err(why) = DOCUMENT.look(method, path, reply) {
        panic!("{method} {path} is not as the OpenAPI document says: {why} in\n{reply:?}");
    }
}

impl Document {
    /// The document in this text.
    pub fn new(value: Value) -> Self {
        let schemas = Schemas::new(value.clone());
        Self { value, schemas }
    }

    /// Its paths.
    pub fn paths(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.value["paths"].as_object().into_iter().flatten().map(|(path, item)| (path.as_str(), item))
    }

    /// Its operations: path, method, what is said of it.
    pub fn operations(&self) -> Vec<(&str, &'static str, &Value)> {
        let mut operations = Vec::new();
        for (path, item) in self.paths() {
            let of = |method| Some((path, method, item.get(method)?));
            operations.extend(METHODS.into_iter().filter_map(of));
        }
        operations
    }

    /// What is wrong with a value that should have this schema.
    pub fn fault(&self, schema: &Value, value: &Value) -> Option<String> {
        self.schemas.fault(schema, value)
    }

    fn look(&self, method: &str, path: &str, reply: &Reply) -> Result<(), String> {
        let status = reply.status.as_u16();
        // A HEAD is a GET whose body stays behind.
        let name = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
        let item = self.item(path);
        // Every method that there is means the same there, and OpenAPI has no word for most.
        let is_any = path.starts_with("/ext-authz/") && item.is_some_and(|item| item.get(&name).is_none());
        let name = if is_any { "get".to_owned() } else { name };
        let response = match item.and_then(|item| item.get(&name)) {
            Some(operation) => operation["responses"].get(status.to_string()),
            None if item.is_some() && name == "options" && surface(path) == "LaunchDarkly" => {
                return require(status == 204 && reply.body.is_empty(), "a preflight is another");
            }
            None => {
                let otherwise = if item.is_some() { 405 } else { 404 };
                // A header that names no method is looked at before the path is.
                let unroutable = status == 400 && name == "post" && surface(path) == "LaunchDarkly";
                require(status == otherwise || unroutable, "nothing of the kind is declared")?;
                self.value["components"]["responses"].get(format!("{}.{status}", surface(path)))
            }
        };
        let response = response.ok_or_else(|| format!("{status} is not declared"))?;
        self.answers(method, self.schemas.resolved(response), reply)
    }

    /// Whether a reply is this response.
    fn answers(&self, method: &str, response: &Value, reply: &Reply) -> Result<(), String> {
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let header = self.schemas.resolved(header);
            let text = reply.header(name).ok_or_else(|| format!("no {name}"))?;
            let number = (header["schema"]["type"] == "integer").then(|| text.parse::<i64>().ok()).flatten();
            let value = number.map_or_else(|| Value::from(text), Value::from);
            self.fault(&header["schema"], &value).map_or(Ok(()), |why| Err(format!("{name}: {why}")))?;
        }
        let Some(content) = response.get("content") else {
            return require(reply.body.is_empty(), "a body where none is declared");
        };
        if method == "HEAD" {
            return Ok(());
        }
        let kind = reply.header("content-type").unwrap_or_default();
        let kind = content.get(kind).ok_or_else(|| format!("{kind:?} is not declared"))?;
        let lines: Vec<&[u8]> = match reply.header("content-type") {
            // Texts that are no JSON.
            Some(kind) if kind.starts_with("text/") || kind.contains("openmetrics") => return Ok(()),
            Some("application/x-ndjson") => reply.body.split(|byte| *byte == b'\n').collect(),
            _ => vec![&reply.body],
        };
        for line in lines {
            let body: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
            self.fault(&kind["schema"], &body).map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// What is declared of the path that a request had: names come before parameters.
    fn item(&self, path: &str) -> Option<&Value> {
        // Every path of the two APIs may end in a slash.
        let path = if path.starts_with("/api/") { path.strip_suffix('/').unwrap_or(path) } else { path };
        let named = self.paths().filter(|(template, _)| fits(template, path));
        named.min_by_key(|(template, _)| template.matches('{').count()).map(|(_, item)| item)
    }
}

/// Whether a path is one of those that a template stands for. Below `/ext-authz/` stands any path. Else a parameter is never empty at the end of a path, where
/// there is another route, and may be elsewhere.
fn fits(template: &str, path: &str) -> bool {
    if let Some(any) = template.strip_suffix("{path}") {
        return path.starts_with(any);
    }
    let part = |(name, part): (&str, &str)| name == part || name.starts_with('{');
    let as_many = template.split('/').count() == path.split('/').count();
    as_many && !path.ends_with('/') && template.split('/').zip(path.split('/')).all(part)
}

/// What the answers of a path's surface are called in the document.
fn surface(path: &str) -> &'static str {
    let under = |base| path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match path {
        "/oauth2/introspect" | "/oauth2/revoke" => "OAuth",
        _ if under("/api/v1") => "Canvus",
        _ if under("/api/v2") => "LaunchDarkly",
        _ => "Own",
    }
}

fn require(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}
