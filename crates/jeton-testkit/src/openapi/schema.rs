//! As much of JSON Schema as our document uses. A whole implementation would bring nearly forty crates for twenty
//! keywords; a keyword that is not known here is a failure, so nothing is passed over.

use std::collections::HashMap;

use regex_lite::Regex;
use serde_json::{Map, Value};

/// What says something about a schema and nothing about a value. `format` says what `minimum` or `pattern` says too.
const ANNOTATIONS: [&str; 5] = ["description", "example", "examples", "format", "title"];

/// A document with schemas that refer to each other.
pub struct Schemas {
    document: Value,
    patterns: HashMap<String, Regex>,
}

impl Schemas {
    /// The schemas of a document.
    pub fn new(document: Value) -> Self {
        let mut patterns = HashMap::new();
        compile(&document, &mut patterns);
        Self { document, patterns }
    }

    /// What a reference leads to, or the value itself.
    pub fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        let pointer = reference.strip_prefix('#').expect("a reference stays in the document");
        self.document.pointer(pointer).unwrap_or_else(|| panic!("nothing is at {reference}"))
    }

    /// What is wrong with a value that should have this schema.
    pub fn fault(&self, schema: &Value, value: &Value) -> Option<String> {
        match schema {
            Value::Bool(true) => None,
            Value::Object(keywords) => {
                keywords.iter().find_map(|(keyword, said)| self.broken(keywords, keyword, said, value))
            }
            _ => panic!("{schema} is no schema"),
        }
    }

    /// What is wrong with a value as far as one keyword goes.
    fn broken(
        &self,
        keywords: &Map<String, Value>,
        keyword: &str,
        said: &Value,
        value: &Value,
    ) -> Option<String> {
        let holds = match keyword {
            "$ref" => {
                let reference = Value::Object(Map::from_iter([("$ref".to_owned(), said.clone())]));
                return self.fault(self.resolved(&reference), value);
            }
            "type" => list(said).iter().any(|kind| is_of(kind.as_str().unwrap(), value)),
            "const" => value == said,
            "enum" => list(said).contains(value),
            "pattern" => {
                value.as_str().is_none_or(|text| self.patterns[said.as_str().unwrap()].is_match(text))
            }
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() >= count(said)),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() <= count(said)),
            "minItems" => value.as_array().is_none_or(|items| items.len() >= count(said)),
            "maxItems" => value.as_array().is_none_or(|items| items.len() <= count(said)),
            "minimum" => integer(value).is_none_or(|number| number >= integer(said).unwrap()),
            "maximum" => integer(value).is_none_or(|number| number <= integer(said).unwrap()),
            "required" => value.as_object().is_none_or(|members| {
                list(said).iter().all(|name| members.contains_key(name.as_str().unwrap()))
            }),
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                return first(items.map(|(at, item)| (at.to_string(), self.fault(said, item))));
            }
            "properties" => {
                let schemas = said.as_object().expect("properties are an object").iter();
                let found = schemas.filter_map(|(name, schema)| Some((name, schema, value.get(name)?)));
                return first(found.map(|(name, schema, member)| (name.clone(), self.fault(schema, member))));
            }
            "additionalProperties" => return self.stranger(keywords, said, value),
            "allOf" => return list(said).iter().find_map(|schema| self.fault(schema, value)),
            "anyOf" => self.fitting(said, value) > 0,
            "oneOf" => self.fitting(said, value) == 1,
            _ if ANNOTATIONS.contains(&keyword) => true,
            _ => panic!("the keyword {keyword} is not known here"),
        };
        (!holds).then(|| format!("{value} against {keyword} {said}"))
    }

    /// What is wrong with the members that no property names.
    fn stranger(&self, keywords: &Map<String, Value>, said: &Value, value: &Value) -> Option<String> {
        let known = |name: &str| keywords.get("properties").is_some_and(|known| known.get(name).is_some());
        let members = value.as_object().into_iter().flatten().filter(|(name, _)| !known(name));
        first(members.map(|(name, member)| {
            let fault = match said {
                Value::Bool(false) => Some("an unknown member".to_owned()),
                schema => self.fault(schema, member),
            };
            (name.clone(), fault)
        }))
    }

    fn fitting(&self, schemas: &Value, value: &Value) -> usize {
        list(schemas).iter().filter(|schema| self.fault(schema, value).is_none()).count()
    }
}

/// The first fault, with the way to it.
fn first(mut faults: impl Iterator<Item = (String, Option<String>)>) -> Option<String> {
    faults.find_map(|(place, fault)| {
        let fault = fault?;
        let separator = if fault.starts_with('/') { "" } else { ": " };
        Some(format!("/{place}{separator}{fault}"))
    })
}

/// The items of a list; what is none stands for a list of one.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a length")).unwrap()
}

fn integer(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or(value.as_u64().map(i128::from))
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => integer(value).is_some(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type {other} is not known here"),
    }
}

/// Every pattern in a document, ready to be matched.
fn compile(value: &Value, patterns: &mut HashMap<String, Regex>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| compile(item, patterns)),
        Value::Object(members) => {
            if let Some(pattern) = members.get("pattern").and_then(Value::as_str) {
                // JavaScript and Python write a character by its number like this, and Rust with braces.
                let ours =
                    Regex::new(r"\\u([0-9a-f]{4})").unwrap().replace_all(pattern, r"\x{$1}").into_owned();
                patterns.insert(pattern.to_owned(), Regex::new(&ours).unwrap());
            }
            members.values().for_each(|member| compile(member, patterns));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_keyword_lets_the_right_pass_and_the_wrong_not() {
        let cases = [
            (json!({ "type": ["string", "null"] }), vec![json!("a"), json!(null)], vec![json!(1)]),
            (
                json!({ "type": "integer", "minimum": 1, "maximum": 3 }),
                vec![json!(3)],
                vec![json!(0), json!(4)],
            ),
            (json!({ "type": "integer" }), vec![json!(-3)], vec![json!(1.5), json!("1")]),
            (json!({ "const": "" }), vec![json!("")], vec![json!(" ")]),
            (json!({ "enum": [1, null] }), vec![json!(null)], vec![json!(2)]),
            (json!({ "pattern": "^[^\\u0000-\\u001f]$" }), vec![json!("é")], vec![json!("\t"), json!("ab")]),
            (json!({ "minLength": 1, "maxLength": 2 }), vec![json!("éé")], vec![json!(""), json!("abc")]),
            (json!({ "minItems": 1, "maxItems": 1 }), vec![json!([1])], vec![json!([]), json!([1, 2])]),
            (json!({ "items": { "type": "null" } }), vec![json!([]), json!([null])], vec![json!([null, 1])]),
            (json!({ "required": ["a"] }), vec![json!({ "a": null }), json!(1)], vec![json!({})]),
            (
                json!({ "properties": { "a": { "const": 1 } }, "additionalProperties": false }),
                vec![json!({}), json!({ "a": 1 })],
                vec![json!({ "a": 2 }), json!({ "b": 1 })],
            ),
            (
                json!({ "additionalProperties": { "const": 1 } }),
                vec![json!({ "b": 1 })],
                vec![json!({ "b": 2 })],
            ),
            (json!({ "allOf": [{ "minimum": 1 }, { "maximum": 2 }] }), vec![json!(2)], vec![json!(3)]),
            (json!({ "anyOf": [{ "const": 1 }, { "minimum": 0 }] }), vec![json!(1)], vec![json!(-1)]),
            (json!({ "oneOf": [{ "const": 1 }, { "minimum": 0 }] }), vec![json!(2)], vec![json!(1)]),
            (json!({ "$ref": "#/defs/yes" }), vec![json!("yes")], vec![json!("no")]),
        ];
        for (schema, right, wrong) in cases {
            let document = json!({ "defs": { "yes": { "const": "yes" } }, "schema": schema });
            let schemas = Schemas::new(document);
            let fault = |value: &Value| schemas.fault(&schema, value);
            assert!(right.iter().all(|value| fault(value).is_none()), "{schema} refuses one of {right:?}");
            assert!(wrong.iter().all(|value| fault(value).is_some()), "{schema} accepts one of {wrong:?}");
        }
    }

    #[test]
    #[should_panic(expected = "the keyword uniqueItems is not known here")]
    fn a_keyword_that_is_not_known_is_not_passed_over() {
        Schemas::new(json!({})).fault(&json!({ "uniqueItems": true }), &json!([]));
    }
}
