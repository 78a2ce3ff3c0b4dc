//! JSON Patch (RFC 6902) on a record as it is shown.
//!
//! A patch is applied all or nothing, and only the result has to be valid: clients take one scope away before they give
//! another. What was touched decides which permissions are needed. A replace of a known member that has no value adds
//! it, because clients don't ask first.

use std::collections::BTreeSet;
use std::fmt;

use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::ask::Ask;
use crate::http::json;
use crate::trouble::Trouble;

/// Operations in one patch.
const MOST_OPERATIONS: usize = 100;
/// Bytes that all copies of a patch together may add. Each can double the record, so this is what bounds the work.
const LARGEST_GROWTH: usize = 1024 * 1024;
/// The depth of the deepest place in a record, such as `/inlineRole/0/resources/0`. Copies into places without a bottom
/// would nest a record deeper than any stack.
const DEEPEST_PLACE: usize = 4;

/// The members of a record that can be patched. All others can be read only.
pub(super) type Patchable = &'static [&'static str];

/// A patch that was understood, and not yet applied.
pub(super) struct Patch {
    operations: Vec<Operation>,
    known: Patchable,
}

struct Operation {
    value: Map<String, Value>,
    number: usize,
}

impl Patch {
    /// Reads a body: an array of operations, or an object that holds it in `patch` beside a `comment`.
    pub(super) fn read(ask: &Ask, known: Patchable) -> Result<Self, Trouble> {
        let semantic = ask.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if semantic.is_some_and(|kind| kind.to_ascii_lowercase().contains("semanticpatch")) {
            return Err(Trouble::invalid("Semantic patch is not supported here: send a JSON Patch array"));
        }
        Self::from_json(json::decode(&ask.body)?, known)
    }

    fn from_json(body: Value, known: Patchable) -> Result<Self, Trouble> {
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
            operations.into_iter().enumerate().map(|(number, value)| Operation::new(number, value, known));
        Ok(Self { operations: operations.collect::<Result<_, _>>()?, known })
    }

    /// The members of the record that it touches, changed or not: for these its sender needs permission.
    pub(super) fn touched(&self) -> BTreeSet<&'static str> {
        let names = self.operations.iter().flat_map(Operation::touches);
        names.filter_map(|name| self.known.iter().copied().find(|known| *known == name)).collect()
    }

    /// What the record is afterwards, read into `T`, and whether these members are what they were.
    pub(super) fn applied<T: DeserializeOwned>(
        &self,
        before: &Value,
        watched: &[&str],
    ) -> Result<(T, bool), Trouble> {
        let mut after = before.clone();
        let mut room = LARGEST_GROWTH;
        for operation in &self.operations {
            operation.apply(&mut after, &mut room, self.known)?;
        }
        let same = watched.iter().all(|name| before.get(name) == after.get(name));
        let text = serde_json::to_vec(&after).map_err(|_| Trouble::Internal)?;
        Ok((json::decode(&text)?, same))
    }
}

impl Operation {
    fn new(number: usize, value: Value, known: Patchable) -> Result<Self, Trouble> {
        let Value::Object(value) = value else {
            return Err(invalid(number, "an operation is an object with op and path"));
        };
        let operation = Self { value, number };
        // Parsed here for its errors alone: an operation that is none is a mistake in the body, not a failed patch.
        operation.parsed()?;
        if let Some(name) = operation.touches().find(|name| !known.contains(name)) {
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

    /// The members of the record that this operation may change.
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

    /// Changes the record. What copies add is taken from `room`: looking only at what came of it would cost the whole
    /// record each time, and so a second for a patch of some kilobytes.
    fn apply(&self, record: &mut Value, room: &mut usize, known: Patchable) -> Result<(), Trouble> {
        if self.pointers().any(|pointer| pointer.matches('/').count() > DEEPEST_PLACE) {
            return Err(self.unpatchable("there is no place so deep"));
        }
        let mut operation = self.parsed()?;
        if self.adds_where_it_says_replace(record, known) {
            let Self { value, number } = self;
            let mut value = value.clone();
            value.insert("op".to_owned(), Value::from("add"));
            operation = Self { value, number: *number }.parsed()?;
        }
        let copied = self.copied(record).map_or(0, |copied| copied.to_string().len());
        *room = room
            .checked_sub(copied)
            .ok_or_else(|| invalid(self.number, "the patch makes the record too large"))?;
        json_patch::patch(record, &operation).map_err(|error| self.unpatchable(error.kind))
    }

    fn copied<'r>(&self, record: &'r Value) -> Option<&'r Value> {
        record.pointer(self.text("from").filter(|_| self.text("op") == Some("copy"))?)
    }

    fn adds_where_it_says_replace(&self, record: &Value, known: Patchable) -> bool {
        let member = self.text("path").and_then(|path| path.strip_prefix('/'));
        self.text("op") == Some("replace")
            && member.is_some_and(|member| known.contains(&member) && record.get(member).is_none())
    }
}

/// The first name in a pointer. The pointer to the whole record has none, and nobody may change that.
fn root(pointer: &str) -> &str {
    pointer.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

fn invalid(number: usize, message: &str) -> Trouble {
    Trouble::Invalid { message: message.to_owned(), pointer: Some(format!("/{number}")) }
}
