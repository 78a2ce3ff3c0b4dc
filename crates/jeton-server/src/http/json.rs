//! Decodes a JSON body and says what is wrong with it and where, without repeating what it said.
//!
//! A body may hold a password or a secret in any place, including the wrong one, and error bodies end up in logs.
//! serde's messages quote the offending value, so they are rebuilt here from their kind words only. Names of members
//! stay: the JSON Pointer (RFC 6901) to the place is made of them.
//!
//! A good body is decoded once by [`serde_json`] alone; the place is looked for only after a failure. Nesting deeper
//! than its own limit of 128 is refused as a syntax error.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

/// Pointers and messages are cut to this many bytes.
const LONGEST: usize = 200;

/// What sort of thing is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadJsonKind {
    /// There is nothing in it.
    Empty,
    /// It is not JSON (RFC 8259).
    Syntax,
    /// It is JSON of another shape than was asked for: a wrong type, a missing or an unknown member.
    WrongType,
}

/// Why a body could not be decoded. No text in it comes from a value of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadJson {
    /// The sort of mistake.
    pub kind: BadJsonKind,
    /// What is wrong, without the place.
    pub message: String,
    /// The line of the mistake, from 1; 0 if there is no line to name.
    pub line: usize,
    /// The column of the mistake, in bytes from 1; 0 at the start of a line.
    pub column: usize,
    /// RFC 6901 pointer to the member in question; empty for the whole body, and always for [`BadJsonKind::Syntax`].
    pub pointer: String,
}

impl fmt::Display for BadJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, message, line, column, pointer } = self;
        match kind {
            BadJsonKind::Empty => f.write_str(message),
            BadJsonKind::Syntax => {
                write!(f, "the body is not valid JSON: {message} at line {line} column {column}")
            }
            BadJsonKind::WrongType if pointer.is_empty() => write!(f, "the body: {message}"),
            BadJsonKind::WrongType => write!(f, "{pointer}: {message}"),
        }
    }
}

impl std::error::Error for BadJson {}

/// Decodes `body`, all of it.
pub fn decode<'body, T: Deserialize<'body>>(body: &'body [u8]) -> Result<T, BadJson> {
    // All of it is looked at for broken characters at once, instead of each text in it by itself.
    let decoded =
        std::str::from_utf8(body).map_or_else(|_| serde_json::from_slice(body), serde_json::from_str);
    decoded.map_err(|error| explain::<T>(body, &error))
}

#[cold]
fn explain<'body, T: Deserialize<'body>>(body: &'body [u8], error: &serde_json::Error) -> BadJson {
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    let message = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    let (kind, message, pointer) = if body.trim_ascii().is_empty() {
        (BadJsonKind::Empty, "the body is empty where JSON was expected".to_owned(), String::new())
    } else if error.classify() == Category::Data {
        (BadJsonKind::WrongType, without_values(message), place::<T>(body))
    } else {
        // The messages of syntax errors are fixed texts: they quote nothing.
        (BadJsonKind::Syntax, message.to_owned(), String::new())
    };
    BadJson { kind, message: cut(message), line, column, pointer: cut(pointer) }
}

/// Decodes once more, this time keeping track of the way down.
fn place<'body, T: Deserialize<'body>>(body: &'body [u8]) -> String {
    let mut source = serde_json::Deserializer::from_slice(body);
    let outcome: Result<T, _> = serde_path_to_error::deserialize(&mut source);
    outcome.err().map(|error| pointer(error.path())).unwrap_or_default()
}

fn pointer(path: &Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                Some(format!("/{}", name.replace('~', "~0").replace('/', "~1")))
            }
            Segment::Unknown => None,
        })
        .collect()
}

/// A message of serde with every value taken out.
fn without_values(message: &str) -> String {
    for prefix in ["invalid type", "invalid value"] {
        let rest = message.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(": "));
        // The found value stands first and may hold any text, so the last separator is the real one.
        if let Some((found, expected)) = rest.and_then(|rest| rest.rsplit_once(", expected ")) {
            return format!("{prefix}: {}, expected {}", kind_of(found), in_json_terms(expected));
        }
    }
    for prefix in ["unknown variant", "unknown field"] {
        if let Some(rest) = message.strip_prefix(prefix) {
            let expected =
                rest.rsplit_once(", expected ").map(|(_, expected)| format!(", expected {expected}"));
            return format!("{prefix}{}", expected.unwrap_or_default());
        }
    }
    let fixed = ["missing field `", "duplicate field `", "invalid length "];
    if fixed.iter().any(|prefix| message.starts_with(prefix)) {
        return message.to_owned();
    }
    without_quotations(message)
}

/// The kind word that serde's `Unexpected` starts with, in JSON's terms; what follows it is the value.
fn kind_of(found: &str) -> &'static str {
    let kinds = [
        ("boolean", "boolean"),
        ("integer", "integer"),
        ("floating point", "number"),
        ("number", "number"),
        ("string", "string"),
        ("character", "string"),
        ("null", "null"),
        ("unit value", "null"),
        ("sequence", "array"),
        ("map", "object"),
    ];
    kinds.iter().find(|(word, _)| found.starts_with(word)).map_or("another value", |(_, name)| name)
}

/// What was expected, where serde says it with a Rust name that means nothing to a client.
fn in_json_terms(expected: &str) -> &str {
    match expected {
        "a sequence" | "sequence" => "an array",
        "a map" | "map" => "an object",
        "unit" => "null",
        "i64" | "u64" | "i32" | "u32" => "an integer",
        _ if expected.starts_with("struct ") => "an object",
        other => other,
    }
}

/// Takes out whatever stands in quotation marks or backticks: the fallback for messages of unknown making.
fn without_quotations(message: &str) -> String {
    let Some(start) = message.find(['"', '`', '\'']) else {
        return message.to_owned();
    };
    let end = message.rfind(['"', '`', '\'']).unwrap_or(start);
    let after = if end > start { &message[end + 1..] } else { "" };
    format!("{}…{after}", &message[..start])
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST - '…'.len_utf8()));
        text.push('…');
    }
    text
}

/// Writes JSON piece by piece, where it is known of most pieces that nothing in them needs escaping.
pub struct Json<'a>(&'a mut Vec<u8>);

impl<'a> Json<'a> {
    /// Appends to this text.
    pub fn onto(text: &'a mut Vec<u8>) -> Self {
        Self(text)
    }

    /// Appends this as it is.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.0.extend_from_slice(json.as_bytes());
        self
    }

    /// Appends a text in quotes, which is UTF-8 and in which nothing needs escaping.
    pub fn plain(&mut self, text: &[u8]) -> &mut Self {
        self.0.reserve(text.len() + 2);
        self.0.push(b'"');
        self.0.extend_from_slice(text);
        self.0.push(b'"');
        self
    }

    /// Appends a text in quotes, escaped where it has to be (RFC 8259, section 7).
    pub fn text(&mut self, text: &str) -> &mut Self {
        // It is looked at to its end whatever is found, which the processor does many bytes at a time.
        let odd = |byte: u8| u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
        match text.bytes().fold(0, |found, byte| found | odd(byte)) {
            0 => self.plain(text.as_bytes()),
            _ => self.value(text),
        }
    }

    /// Appends any value.
    #[expect(clippy::missing_panics_doc, reason = "a list, a number or a text can always be written")]
    pub fn value(&mut self, value: &(impl Serialize + ?Sized)) -> &mut Self {
        serde_json::to_writer(&mut *self.0, value)
            .expect("lists, numbers and texts can be written to memory");
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    #[expect(dead_code, reason = "only the decoding is of interest")]
    struct Order {
        name: String,
        expiry: Option<i64>,
        role: Option<Role>,
        #[serde(default)]
        items: Vec<BTreeMap<String, u8>>,
        picky: Option<Picky>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Role {
        Reader,
        Writer,
    }

    #[derive(Debug, Deserialize)]
    #[serde(try_from = "String")]
    struct Picky;

    impl TryFrom<String> for Picky {
        type Error = String;

        fn try_from(text: String) -> Result<Self, String> {
            Err(format!("cannot read \"{text}\" as 'picky'"))
        }
    }

    fn refusal(body: &str) -> BadJson {
        decode::<Order>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn good_json_is_decoded() {
        assert!(
            decode::<Order>(br#" {"name": "n", "expiry": 5, "role": "reader", "items": [{"a": 1}]} "#)
                .is_ok()
        );
    }

    #[test]
    fn messages_name_place_and_mistake() {
        for (body, text) in [
            ("", "the body is empty where JSON was expected"),
            (" \r\n", "the body is empty where JSON was expected"),
            (
                "{\n  \"name\": \"n\",\n  \"role\" 5\n}",
                "the body is not valid JSON: expected `:` at line 3 column 10",
            ),
            (
                r#"{"name": "n""#,
                "the body is not valid JSON: EOF while parsing an object at line 1 column 12",
            ),
            (r#"{"name": "n"} x"#, "the body is not valid JSON: trailing characters at line 1 column 15"),
            (r#"{"name": "n", "expiry": "soon"}"#, "/expiry: invalid type: string, expected an integer"),
            (r#"{"name": "n", "expiry": 1.5}"#, "/expiry: invalid type: number, expected an integer"),
            (r#"{"name": ["s3cret"]}"#, "/name: invalid type: array, expected a string"),
            (r#"{"name": {"s3cret": 1}}"#, "/name: invalid type: object, expected a string"),
            (r#"{"name": null}"#, "/name: invalid type: null, expected a string"),
            (r#"{"name": true}"#, "/name: invalid type: boolean, expected a string"),
            (r#"{"name": "n", "items": {}}"#, "/items: invalid type: object, expected an array"),
            (
                r#"{"name": "n", "items": [{}, {"a/b~": 300}]}"#,
                "/items/1/a~1b~0: invalid value: integer, expected u8",
            ),
            (r#"{"name": "n", "role": "s3cret"}"#, "/role: unknown variant, expected `reader` or `writer`"),
            (r#"{"name": "n", "picky": "s3cret"}"#, "/picky: cannot read …"),
            (r#"{"expiry": 5}"#, "the body: missing field `name`"),
            (r#"{"name": "n", "name": "s3cret"}"#, "the body: duplicate field `name`"),
            (r#""s3cret""#, "the body: invalid type: string, expected an object"),
            ("12", "the body: invalid type: integer, expected an object"),
        ] {
            assert_eq!(refusal(body).to_string(), text, "{body}");
        }
    }

    #[test]
    fn an_unknown_member_is_named_by_the_pointer_only() {
        let bad = refusal(r#"{"name": "n", "nmae": 1}"#);
        assert_eq!(bad.pointer, "/nmae");
        assert!(
            bad.message.starts_with("unknown field, expected one of `name`, `expiry`"),
            "{}",
            bad.message
        );
    }

    #[test]
    fn a_value_cannot_pass_for_the_end_of_the_message() {
        let bad = refusal(r#"{"name": "n", "expiry": "x\", expected s3cret, `s3cret`"}"#);
        assert_eq!(bad.message, "invalid type: string, expected an integer");
    }

    #[test]
    fn the_place_is_given_in_numbers_too() {
        let bad = refusal("{\"name\": \"n\",\n \"expiry\": \"soon\"}");
        assert_eq!((bad.kind, bad.line, bad.column), (BadJsonKind::WrongType, 2, 17));
        let bad = refusal("{\n]");
        assert_eq!((bad.kind, bad.line, bad.column), (BadJsonKind::Syntax, 2, 1));
    }

    #[test]
    fn depth_is_limited() {
        let deep = "[".repeat(100_000);
        let bad = decode::<serde_json::Value>(deep.as_bytes()).unwrap_err();
        assert_eq!((bad.kind, bad.message.as_str()), (BadJsonKind::Syntax, "recursion limit exceeded"));
    }

    #[test]
    fn pointers_are_cut() {
        let body = format!(r#"{{"name": "n", "items": [{{"{}": "x"}}]}}"#, "é".repeat(500));
        let bad = refusal(&body);
        assert!(bad.pointer.len() <= LONGEST && bad.pointer.ends_with('…'), "{}", bad.pointer);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_a_mistake_and_not_a_panic() {
        let bad = decode::<Order>(b"{\"name\": \"\xff\"}").unwrap_err();
        assert_eq!(
            bad.to_string(),
            "the body is not valid JSON: invalid unicode code point at line 1 column 11"
        );
    }

    proptest! {
        #[test]
        fn a_text_is_written_as_serde_json_writes_it(text in "\\PC{0,20}|[\"\\\\\\x00-\\x20a]{0,20}") {
            let mut json = Vec::new();
            Json::onto(&mut json).raw("[").text(&text).raw("]");
            prop_assert_eq!(json, serde_json::to_vec(&[&text]).unwrap());
        }
    }

    proptest! {
        #[test]
        fn no_value_is_ever_repeated(secret in "[!-~]{8,40}", shape in 0..6) {
            let text = serde_json::to_string(&secret).unwrap();
            let body = match shape {
                0 => text,
                1 => format!(r#"{{"name": [{text}]}}"#),
                2 => format!(r#"{{"name": "n", "expiry": {text}}}"#),
                3 => format!(r#"{{"name": "n", "role": {text}}}"#),
                4 => format!(r#"{{"name": "n", "picky": {text}}}"#),
                _ => format!(r#"{{"name": {text} {text}}}"#),
            };
            let bad = refusal(&body);
            prop_assert!(!bad.to_string().contains(&secret), "{bad}");
        }

        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Err(bad) = decode::<Order>(&body) {
                prop_assert!(bad.to_string().len() < 2 * LONGEST + 100);
            }
        }
    }
}
