//! JSON Patch (RFC 6902) on a token.
//!
//! The patch is applied to the token as it is shown, all or nothing, and only the result has to be valid: clients take
//! one scope away before they give another. What was touched decides which permissions are needed. A replace of a known
//! member that has no value adds it, because clients don't ask first.

use std::collections::BTreeSet;
use std::fmt;

use axum::http::header::CONTENT_TYPE;
use jeton_core::command::{Amend, Field, ScopeRequest};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{ApiVersion, Scope};
use jeton_service::TokenView;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::object::Object;
use super::{body, version, wire};
use crate::ask::Ask;
use crate::http::json;
use crate::trouble::Trouble;

/// Operations in one patch.
const MOST_OPERATIONS: usize = 100;
/// Bytes that all copies of a patch together may add. Each can double the token, so this is what bounds the work.
const LARGEST_GROWTH: usize = 1024 * 1024;
/// The depth of the deepest place in a token, `/inlineRole/0/resources/0`. Copies into places without a bottom would
/// nest a token deeper than any stack.
const DEEPEST_PLACE: usize = 4;

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
    role: Option<String>,
    custom_role_ids: Option<Vec<String>>,
    inline_role: Option<Vec<Object<wire::Statement>>>,
    expiry: Option<i64>,
    default_api_version: Option<i64>,
}

impl Patch {
    /// Reads a body: an array of operations, or an object that holds it in `patch` beside a `comment`.
    pub(super) fn read(ask: &Ask) -> Result<Self, Trouble> {
        let semantic = ask.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if semantic.is_some_and(|kind| kind.to_ascii_lowercase().contains("semanticpatch")) {
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

    /// The fields of the token that it touches, changed or not: for these its sender needs permission.
    pub(super) fn fields(&self) -> BTreeSet<Field> {
        self.operations.iter().flat_map(Operation::touches).filter_map(field).collect()
    }

    /// The command that brings the token from what it is to what the patch makes of it.
    pub(super) fn command(&self, view: &TokenView) -> Result<Amend, Trouble> {
        let before: Value =
            serde_json::from_slice(&wire::Token::new(view).json()).map_err(|_| Trouble::Internal)?;
        let mut after = before.clone();
        let mut room = LARGEST_GROWTH;
        for operation in &self.operations {
            operation.apply(&mut after, &mut room)?;
        }
        let same_scope = SCOPE.iter().all(|name| before.get(name) == after.get(name));
        let text = serde_json::to_vec(&after).map_err(|_| Trouble::Internal)?;
        json::decode::<Patched>(&text)?.into_command(&self.fields(), view, same_scope)
    }
}

impl Patched {
    /// The command for the fields that were touched. What was taken away is as if it had never been given.
    fn into_command(
        self,
        touched: &BTreeSet<Field>,
        view: &TokenView,
        same_scope: bool,
    ) -> Result<Amend, Trouble> {
        let touches = |field| touched.contains(&field);
        let scope = || match view.token.scope {
            // The same words for what is shown of an owner's rights change nothing, and fix nothing.
            Scope::Member if same_scope => Ok(ScopeRequest::Member),
            _ => body::scope(self.role, self.custom_role_ids, self.inline_role),
        };
        let version = || match self.default_api_version.map(version::from_number) {
            Some(version) => version.map(|version| version.unwrap_or(ApiVersion::LATEST)),
            None => Ok(ApiVersion::LATEST),
        };
        Ok(Amend {
            name: touches(Field::Name).then(|| self.name.unwrap_or_default()),
            description: touches(Field::Description).then(|| self.description.unwrap_or_default()),
            scope: touches(Field::Scope).then(scope).transpose()?,
            expires_at: touches(Field::Expiry).then(|| self.expiry.map(Timestamp::from_millis)),
            api_version: touches(Field::ApiVersion).then(version).transpose()?,
        })
    }
}

impl Operation {
    fn new(number: usize, value: Value) -> Result<Self, Trouble> {
        let Value::Object(value) = value else {
            return Err(invalid(number, "an operation is an object with op and path"));
        };
        let operation = Self { value, number };
        // Parsed here for its errors alone: an operation that is none is a mistake in the body, not a failed patch.
        operation.parsed()?;
        if let Some(name) = operation.touches().find(|name| field(name).is_none()) {
            return Err(invalid(number, &format!("{name:?} cannot be changed")));
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
        let op = self.text("op").unwrap_or_default();
        let path = self.text("path").filter(|_| op != "test");
        let from = self.text("from").filter(|_| op == "move");
        path.into_iter().chain(from).map(root)
    }

    fn pointers(&self) -> impl Iterator<Item = &str> {
        self.text("path").into_iter().chain(self.text("from"))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.value.get(name).and_then(Value::as_str)
    }

    fn unpatchable(&self, why: impl fmt::Display) -> Trouble {
        let message = format!("operation {} of the patch cannot be applied: {why}", self.number);
        Trouble::Unpatchable { message }
    }

    /// Changes the token. What copies add is taken from `room`: looking only at what came of it would cost the whole
    /// token each time, and so a second for a patch of some kilobytes.
    fn apply(&self, token: &mut Value, room: &mut usize) -> Result<(), Trouble> {
        if self.pointers().any(|pointer| pointer.matches('/').count() > DEEPEST_PLACE) {
            return Err(self.unpatchable("a token has no place so deep"));
        }
        let mut operation = self.parsed()?;
        if self.adds_where_it_says_replace(token) {
            let Self { value, number } = self;
            let mut value = value.clone();
            value.insert("op".to_owned(), Value::from("add"));
            operation = Self { value, number: *number }.parsed()?;
        }
        let copied = self.copied(token).map_or(0, |copied| copied.to_string().len());
        *room = room
            .checked_sub(copied)
            .ok_or_else(|| invalid(self.number, "the patch makes the token too large"))?;
        json_patch::patch(token, &operation).map_err(|error| self.unpatchable(error.kind))
    }

    fn copied<'t>(&self, token: &'t Value) -> Option<&'t Value> {
        token.pointer(self.text("from").filter(|_| self.text("op") == Some("copy"))?)
    }

    fn adds_where_it_says_replace(&self, token: &Value) -> bool {
        let member = self.text("path").and_then(|path| path.strip_prefix('/'));
        self.text("op") == Some("replace")
            && member.is_some_and(|member| field(member).is_some() && token.get(member).is_none())
    }
}

/// The field that a member of a token's wire form belongs to. `None` for what can't be changed.
fn field(member: &str) -> Option<Field> {
    match member {
        "name" => Some(Field::Name),
        "description" => Some(Field::Description),
        "expiry" => Some(Field::Expiry),
        "defaultApiVersion" => Some(Field::ApiVersion),
        _ => SCOPE.contains(&member).then_some(Field::Scope),
    }
}

/// The first name in a pointer. The pointer to the whole token has none, and nobody may change that.
fn root(pointer: &str) -> &str {
    pointer.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

fn invalid(number: usize, message: &str) -> Trouble {
    Trouble::Invalid { message: message.to_owned(), pointer: Some(format!("/{number}")) }
}
