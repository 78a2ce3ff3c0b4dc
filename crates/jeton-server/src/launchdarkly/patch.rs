//! JSON Patch (RFC 6902) on a token.
//!
//! The patch is applied to the token as it is shown, all or nothing, and only the result has to be valid: clients take
//! one scope away before they give another. What was touched decides which permissions are needed. A replace of a known
//! member that has no value adds it, because clients don't ask first.

use std::collections::BTreeSet;

use axum::http::header::CONTENT_TYPE;
use jeton_core::command::{Amend, ScopeRequest};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::Scope;
use jeton_service::TokenView;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::body::ScopeMembers;
use super::{version, wire};
use crate::ask::Ask;
use crate::http::json;
use crate::trouble::Trouble;

/// Operations in one patch. A copy can double what it copies, so their number is what bounds the work.
const MOST_OPERATIONS: usize = 100;
/// Bytes that a patch may blow a token up to.
const LARGEST_RESULT: usize = 1024 * 1024;

const PATCHABLE: [&str; 7] =
    ["name", "description", "role", "customRoleIds", "inlineRole", "expiry", "defaultApiVersion"];
const SCOPE: [&str; 3] = ["role", "customRoleIds", "inlineRole"];

/// A patch that was understood, and not yet applied.
pub(super) struct Patch {
    operations: Vec<Operation>,
}

struct Operation {
    value: Map<String, Value>,
    number: usize,
}

/// What a token is after a patch, as far as it can be patched.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patched {
    name: Option<String>,
    description: Option<String>,
    #[serde(flatten)]
    scope: ScopeMembers,
    expiry: Option<i64>,
    default_api_version: Option<i64>,
}

impl Patch {
    /// Reads a body: an array of operations, or an object that holds it in `patch` beside a `comment`.
    pub(super) fn read(ask: &Ask) -> Result<Self, Trouble> {
        let semantic = ask.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if semantic.is_some_and(|kind| kind.contains("semanticpatch")) {
            return Err(Trouble::invalid(
                "Semantic patch is not supported on tokens: send a JSON Patch array",
            ));
        }
        Self::from_json(json::decode(&ask.body)?)
    }

    fn from_json(body: Value) -> Result<Self, Trouble> {
        let operations = match body {
            Value::Object(mut commented) => commented.remove("patch"),
            other => Some(other),
        };
        let Some(Value::Array(operations)) = operations else {
            return Err(Trouble::invalid(
                "The body must be a JSON Patch array, or an object with the array in patch and a comment",
            ));
        };
        if operations.len() > MOST_OPERATIONS {
            return Err(Trouble::invalid(format!("A patch has at most {MOST_OPERATIONS} operations")));
        }
        let operations =
            operations.into_iter().enumerate().map(|(number, value)| Operation::new(number, value));
        Ok(Self { operations: operations.collect::<Result<_, _>>()? })
    }

    /// The command that brings the token from what it is to what the patch makes of it.
    pub(super) fn command(&self, view: &TokenView) -> Result<Amend, Trouble> {
        let before = serde_json::to_value(wire::Token::new(view)).map_err(|_| Trouble::Internal)?;
        let mut after = before.clone();
        for operation in &self.operations {
            operation.apply(&mut after)?;
        }
        let touched: BTreeSet<&str> = self.operations.iter().flat_map(Operation::touches).collect();
        command(&touched, view, &before, after)
    }
}

fn command(
    touched: &BTreeSet<&str>,
    view: &TokenView,
    before: &Value,
    after: Value,
) -> Result<Amend, Trouble> {
    let touches = |name: &str| touched.contains(name);
    let scope_touched = SCOPE.iter().any(|name| touches(name));
    let scope_differs = SCOPE.iter().any(|name| before.get(name) != after.get(name));
    let text = serde_json::to_vec(&after).map_err(|_| Trouble::Internal)?;
    let patched: Patched = json::decode(&text)?;
    let scope = match (scope_touched, scope_differs, &view.token.scope) {
        (false, ..) => None,
        (true, true, _) => Some(patched.scope.into_request()?),
        // The same words for what is shown of an owner's rights change nothing, and fix nothing.
        (true, false, Scope::Member) => Some(ScopeRequest::Member),
        (true, false, _) => Some(patched.scope.into_request()?),
    };
    let api_version = match patched.default_api_version {
        Some(number) if touches("defaultApiVersion") => version::from_number(number)?,
        _ => None,
    };
    Ok(Amend {
        name: touches("name").then(|| patched.name.unwrap_or_default()),
        description: touches("description").then(|| patched.description.unwrap_or_default()),
        scope,
        expires_at: touches("expiry").then(|| patched.expiry.map(Timestamp::from_millis)),
        api_version,
    })
}

impl Operation {
    fn new(number: usize, value: Value) -> Result<Self, Trouble> {
        let Value::Object(value) = value else {
            return Err(invalid(number, "an operation is an object with op and path"));
        };
        let operation = Self { value, number };
        // Parsed here for its errors alone: an operation that is none is a mistake in the body, not a failed patch.
        operation.parsed()?;
        for name in operation.touches() {
            if !PATCHABLE.contains(&name) {
                return Err(invalid(number, &format!("{name:?} cannot be changed")));
            }
        }
        Ok(operation)
    }

    fn parsed(&self) -> Result<json_patch::Patch, Trouble> {
        let text = Value::Array(vec![Value::Object(self.value.clone())]);
        serde_json::from_value(text).map_err(|_| {
            invalid(
                self.number,
                "op must be add, remove, replace, move, copy or test, path (and from) a JSON Pointer, and add, \
                 replace and test need a value",
            )
        })
    }

    /// The members of the token that this operation may change.
    fn touches(&self) -> impl Iterator<Item = &str> {
        let text = |name: &str| self.value.get(name).and_then(Value::as_str);
        let op = text("op").unwrap_or_default();
        let path = text("path").filter(|_| op != "test");
        let from = text("from").filter(|_| op == "move");
        path.into_iter().chain(from).map(root)
    }

    fn apply(&self, token: &mut Value) -> Result<(), Trouble> {
        let mut operation = self.parsed()?;
        if self.adds_where_it_says_replace(token) {
            let Self { value, number } = self;
            let mut value = value.clone();
            value.insert("op".to_owned(), Value::from("add"));
            operation = Self { value, number: *number }.parsed()?;
        }
        json_patch::patch(token, &operation).map_err(|error| Trouble::Unpatchable {
            message: format!("operation {} of the patch cannot be applied: {}", self.number, error.kind),
        })?;
        let copies = self.value.get("op").and_then(Value::as_str) == Some("copy");
        if copies && token.to_string().len() > LARGEST_RESULT {
            return Err(invalid(self.number, "the patch makes the token too large"));
        }
        Ok(())
    }

    fn adds_where_it_says_replace(&self, token: &Value) -> bool {
        let text = |name: &str| self.value.get(name).and_then(Value::as_str);
        let member = text("path").and_then(|path| path.strip_prefix('/'));
        text("op") == Some("replace")
            && member.is_some_and(|member| PATCHABLE.contains(&member) && token.get(member).is_none())
    }
}

/// The first name in a pointer. The pointer to the whole token has none, and nobody may change that.
fn root(pointer: &str) -> &str {
    pointer.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

fn invalid(number: usize, message: &str) -> Trouble {
    Trouble::Invalid { message: message.to_owned(), pointer: Some(format!("/{number}")) }
}
