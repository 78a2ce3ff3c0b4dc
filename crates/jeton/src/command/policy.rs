//! `jeton policy check` and `jeton policy test`: policies looked at offline, before anybody relies on them.
//!
//! A policy is read from a file as the API takes it: a JSON list of statements, or an object that holds it in `policy`,
//! as a role does.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use jeton_core::policy::{Attributes, Decision, Effect, Policy, PolicyError, Request, Resource, Statement};
use serde::Deserialize;
use serde_json::Value;

use super::print;
use crate::fault::Fault;

/// A file with more in it is no policy.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// What is done with a policy.
#[derive(Debug)]
pub(crate) enum Look {
    /// Point at its mistakes.
    Check {
        /// The file; `-` for standard input.
        file: std::path::PathBuf,
    },
    /// Ask it questions whose answers are known.
    Test {
        /// The file with the questions; `-` for standard input.
        file: std::path::PathBuf,
        /// The policy for questions that bring none.
        policy: Option<std::path::PathBuf>,
    },
}

impl Look {
    /// Looks.
    pub(crate) fn run(&self) -> Result<(), Fault> {
        match self {
            Self::Check { file } => check(file),
            Self::Test { file, policy } => test(file, policy.as_deref()),
        }
    }
}

fn check(file: &Path) -> Result<(), Fault> {
    let statements = statements_of(&json(file)?);
    let written = statements.map_err(|mistake| Fault::failed(format!("{}: {mistake}", file.display())))?;
    let count = written.len();
    // Each by itself, so that all who have a mistake are named; what is wrong with the whole is seen last.
    let mut mistakes = String::new();
    let mut read = Vec::with_capacity(count);
    for (at, words) in written.iter().enumerate() {
        let statement = statement(words, at).and_then(|statement| {
            Policy::new(vec![statement.clone()]).map(|_| statement).map_err(|error| mistake(&error, at))
        });
        match statement {
            Ok(statement) => read.push(statement),
            Err((pointer, why)) => {
                let shown = serde_json::to_string(words).unwrap_or_default();
                let _ = writeln!(mistakes, "{pointer}: {why}\n    {shown}");
            }
        }
    }
    if mistakes.is_empty()
        && let Err(error) = Policy::new(read)
    {
        let _ = writeln!(mistakes, "{}: {error}", error.pointer());
    }
    if !mistakes.is_empty() {
        return Err(Fault::failed(format!("{} has mistakes:\n{}", file.display(), mistakes.trim_end())));
    }
    print(&format!(
        "{}: in order, {count} {}\n",
        file.display(),
        match count {
            0 => "statements: it allows nothing",
            1 => "statement",
            _ => "statements",
        }
    ))
}

/// Where in the policy, as a JSON Pointer, and what.
type Mistake = (String, String);

fn mistake(error: &PolicyError, at: usize) -> Mistake {
    let inner = error.pointer();
    let rest = inner.strip_prefix("/0").unwrap_or_default();
    (format!("/{at}{rest}"), error.to_string())
}

/// A question whose answer is known.
#[derive(Deserialize)]
struct Vector {
    id: Option<Value>,
    action: String,
    resource: String,
    expect: String,
    policy: Option<Value>,
    policies: Option<Vec<Value>>,
    base: Option<String>,
}

fn test(file: &Path, policy: Option<&Path>) -> Result<(), Fault> {
    let vectors: Vec<Vector> = serde_json::from_value(json(file)?).map_err(|error| {
        Fault::failed(format!(
            "{}: this is not a list of questions, each with action, resource and expect (allow, deny or 400): {error}",
            file.display()
        ))
    })?;
    let given = policy.map(json).transpose()?;
    let mut table = String::new();
    let mut wrong = 0;
    let width = vectors.iter().enumerate().map(|(at, vector)| vector.name(at).len()).max().unwrap_or(0);
    for (at, vector) in vectors.iter().enumerate() {
        let (answer, why) = vector.answer(given.as_ref());
        let right = answer == vector.expect;
        wrong += usize::from(!right);
        let name = vector.name(at);
        let verdict = if right { "ok  ".to_owned() } else { format!("WRONG, should be {}", vector.expect) };
        let _ = writeln!(
            table,
            "{name:width$}  {answer:5}  {verdict}  {} on {}  ({why})",
            vector.action, vector.resource
        );
    }
    print(&table)?;
    let count = vectors.len();
    if wrong > 0 {
        return Err(Fault::failed(format!("{wrong} of {count} answers are not the expected ones")));
    }
    print(&format!("all {count} answers are the expected ones\n"))
}

impl Vector {
    fn name(&self, at: usize) -> String {
        match &self.id {
            Some(Value::String(id)) => id.clone(),
            Some(id) => id.to_string(),
            None => format!("/{at}"),
        }
    }

    /// The answer, and whose word it is.
    fn answer(&self, given: Option<&Value>) -> (&'static str, String) {
        let written: Vec<&Value> = match (&self.policies, &self.policy, given) {
            (Some(policies), _, _) => policies.iter().collect(),
            (None, Some(policy), _) | (None, None, Some(policy)) => vec![policy],
            (None, None, None) => return ("none", "there is no policy: give one with --policy".to_owned()),
        };
        let mut policies = Vec::with_capacity(written.len());
        for policy in written {
            match read(policy) {
                Ok(policy) => policies.push(policy),
                Err((pointer, why)) => return ("400", format!("{pointer}: {why}")),
            }
        }
        let Some(resource) = Resource::parse(&self.resource) else {
            return ("none", "the resource is none".to_owned());
        };
        let attributes = Attributes::default();
        let request = Request { action: &self.action, resource, attributes: &attributes };
        let mut why = "no statement says anything about it".to_owned();
        for (at, policy) in policies.iter().enumerate() {
            let of = if policies.len() > 1 { format!(" of policy {at}") } else { String::new() };
            match policy.evaluate(&request) {
                Decision::Allowed { statement } => {
                    return ("allow", format!("statement {statement}{of} allows it"));
                }
                Decision::Denied { statement } => why = format!("statement {statement}{of} denies it"),
                Decision::Silent
                    if self.base.as_deref() == Some("reader") && self.action.starts_with("view") =>
                {
                    return ("allow", "readers may view".to_owned());
                }
                Decision::Silent => {}
            }
        }
        ("deny", why)
    }
}

fn read(policy: &Value) -> Result<Policy, Mistake> {
    let statements = statements_of(policy).map_err(|why| (String::new(), why))?;
    let statements = statements.iter().enumerate().map(|(at, words)| statement(words, at));
    let statements: Result<Vec<Statement>, Mistake> = statements.collect();
    Policy::new(statements?).map_err(|error| (error.pointer(), error.to_string()))
}

/// The statements in a file: a list, or the list in `policy`.
fn statements_of(value: &Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(statements) => Ok(statements.clone()),
        Value::Object(role) => match role.get("policy") {
            Some(Value::Array(statements)) => Ok(statements.clone()),
            _ => Err("an object that is no role: it has no list in `policy`".to_owned()),
        },
        _ => Err("a policy is a list of statements, or an object with the list in `policy`".to_owned()),
    }
}

/// A statement as a file has it. Members that nobody knows are mistakes here: a typing error in one would be a rule that
/// nobody follows.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Words {
    effect: String,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    not_resources: Vec<String>,
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    not_actions: Vec<String>,
}

fn statement(value: &Value, at: usize) -> Result<Statement, Mistake> {
    let words = Words::deserialize(value).map_err(|error| (format!("/{at}"), error.to_string()))?;
    let effect = Effect::parse(&words.effect)
        .ok_or_else(|| (format!("/{at}/effect"), "effect must be allow or deny, in lower case".to_owned()))?;
    Ok(Statement {
        effect,
        resources: words.resources,
        not_resources: words.not_resources,
        actions: words.actions,
        not_actions: words.not_actions,
    })
}

fn json(file: &Path) -> Result<Value, Fault> {
    let unreadable =
        |error: std::io::Error| Fault::failed(format!("{} cannot be read ({error})", file.display()));
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(LARGEST_FILE).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        let opened = std::fs::File::open(file).map_err(unreadable)?;
        opened.take(LARGEST_FILE).read_to_string(&mut text).map_err(unreadable)?;
    }
    serde_json::from_str(&text)
        .map_err(|error| Fault::failed(format!("{}: this is no JSON: {error}", file.display())))
}
