//! The policy language once more, from the words of its grammar: a second opinion about the core's.
//!
//! It tries every way to cut a text into segments instead of looking for the right one, builds strings, and fills
//! tables. Nothing of the core's is used but one question, which chains of labels are kinds of resource: that is a list
//! and no rule.

use jeton_core::policy::{Decision, Effect, Policy, PolicyLimits, Statement};

/// A resource specifier, or a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Specifier {
    Everything,
    Chain(Vec<Segment>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    label: String,
    name: Pattern,
    qualifiers: Vec<Qualifier>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Qualifier {
    Tag(Pattern),
    Property(String),
    View,
}

/// Text before a role attribute, then its name and the text after it if there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Pattern {
    before: String,
    attribute: Option<(String, String)>,
}

/// What is asked: action, resource, attributes.
pub(super) struct Question<'a> {
    pub(super) action: &'a str,
    pub(super) resource: &'a [Segment],
    pub(super) attributes: &'a [(String, Vec<String>)],
}

// Reading.

/// Reads a specifier. There must never be two ways to do it: what its author meant would be a matter of taste.
pub(super) fn specifier(text: &str) -> Option<Specifier> {
    if text == "*" {
        return Some(Specifier::Everything);
    }
    let mut readings = Vec::new();
    cuts(text, &mut Vec::new(), &mut readings);
    assert!(readings.len() < 2, "{text:?} can be read as {readings:?}");
    readings.pop().map(Specifier::Chain)
}

/// Reads a concrete resource: no attributes, and a star is only a character.
pub(super) fn resource(text: &str) -> Option<Vec<Segment>> {
    let Some(Specifier::Chain(segments)) = specifier(text) else { return None };
    let concrete = |pattern: &Pattern| pattern.attribute.is_none();
    let all = segments.iter().all(|segment| {
        let tag = |it: &Qualifier| !matches!(it, Qualifier::Tag(pattern) if !concrete(pattern));
        concrete(&segment.name) && segment.qualifiers.iter().all(tag)
    });
    all.then_some(segments)
}

/// A resource whose names are these, whatever they are.
pub(super) fn named(names: &[(&str, &str)]) -> Vec<Segment> {
    let segment = |(label, name): &(&str, &str)| Segment {
        label: (*label).to_owned(),
        name: Pattern { before: (*name).to_owned(), attribute: None },
        qualifiers: Vec::new(),
    };
    names.iter().map(segment).collect()
}

/// All ways to read a text behind what has been read of it.
fn cuts(text: &str, read: &mut Vec<Segment>, readings: &mut Vec<Vec<Segment>>) {
    let colons = text.match_indices(':').map(|(at, _)| at);
    for end in colons.chain([text.len()]) {
        let Some(segment) = segment(&text[..end]) else { continue };
        read.push(segment);
        if end == text.len() {
            let labels: Vec<&str> = read.iter().map(|it| it.label.as_str()).collect();
            if is_kind(&labels) {
                readings.push(read.clone());
            }
        } else if read.len() < 8 {
            cuts(&text[end + 1..], read, readings);
        }
        read.pop();
    }
}

fn segment(text: &str) -> Option<Segment> {
    let text = text.strip_prefix('/').unwrap_or(text);
    let (head, qualifiers) = match text.split_once(';') {
        Some((head, text)) => (head, qualifiers(text)?),
        None => (text, Vec::new()),
    };
    let (label, name) = match head.split_once('/') {
        _ if head == "acct" => (head, Pattern { before: String::new(), attribute: None }),
        Some((label, name)) if label != "acct" && !name.is_empty() => (label, pattern(name)?),
        _ => return None,
    };
    let is_label = !label.is_empty() && label.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    is_label.then(|| Segment { label: label.to_owned(), name, qualifiers })
}

/// Separated by the commas that stand in no braces.
fn qualifiers(text: &str) -> Option<Vec<Qualifier>> {
    let mut items = vec![String::new()];
    let mut open = false;
    for c in text.chars() {
        open = (open || c == '{') && c != '}';
        if c == ',' && !open {
            items.push(String::new());
        } else {
            items.last_mut()?.push(c);
        }
    }
    items.iter().map(|item| qualifier(item)).collect()
}

fn qualifier(text: &str) -> Option<Qualifier> {
    if let Some(key) = text.strip_prefix("view:") {
        return (!key.is_empty() && pattern(key).is_some()).then_some(Qualifier::View);
    }
    if text.starts_with('{') {
        let inside = text.strip_prefix('{')?.strip_suffix('}')?;
        let halves: Vec<&str> = inside.split(':').collect();
        let right = halves.len() == 2 && halves.iter().all(|half| is_word(half));
        return right.then(|| Qualifier::Property(text.to_owned()));
    }
    (!text.is_empty()).then(|| pattern(text).map(Qualifier::Tag))?
}

fn pattern(text: &str) -> Option<Pattern> {
    let mut pieces = text.split("${");
    let before = pieces.next()?;
    let attribute = match (pieces.next(), pieces.next()) {
        (None, _) => None,
        (Some(piece), None) => {
            let (attribute, after) = piece.strip_prefix("roleAttribute/")?.split_once('}')?;
            (is_word(attribute) && is_fragment(after))
                .then(|| (attribute.to_owned(), after.to_owned()))?
                .into()
        }
        _ => return None,
    };
    is_fragment(before).then(|| Pattern { before: before.to_owned(), attribute })
}

fn is_fragment(text: &str) -> bool {
    text.is_empty() || is_word(text)
}

fn is_word(text: &str) -> bool {
    let forbidden =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | ';' | '{' | '}' | '$');
    !text.is_empty() && !text.chars().any(forbidden)
}

/// Whether there are resources with this chain of labels: the core's own list, asked in the plainest words.
fn is_kind(labels: &[&str]) -> bool {
    let named = labels.iter().map(|it| if *it == "acct" { (*it).to_owned() } else { format!("{it}/x") });
    let specifier = named.collect::<Vec<_>>().join(":");
    let statement = Statement {
        effect: Effect::Allow,
        resources: vec![specifier],
        not_resources: vec![],
        actions: vec!["x".to_owned()],
        not_actions: vec![],
    };
    Policy::new(vec![statement]).is_ok()
}

/// Whether a list of statements is in order.
pub(super) fn is_policy(statements: &[Statement]) -> bool {
    let bytes =
        statements.iter().flat_map(texts).map(|it| it.len() + PolicyLimits::ITEM_BYTES).sum::<usize>();
    statements.len() <= PolicyLimits::STATEMENTS
        && bytes <= PolicyLimits::TOTAL_BYTES
        && statements.iter().all(is_statement)
}

fn texts(statement: &Statement) -> impl Iterator<Item = &String> {
    let Statement { resources, not_resources, actions, not_actions, .. } = statement;
    resources.iter().chain(not_resources).chain(actions).chain(not_actions)
}

fn is_statement(statement: &Statement) -> bool {
    let Statement { resources, not_resources, actions, not_actions, .. } = statement;
    let fits = |list: &[String], longest| {
        list.len() <= PolicyLimits::ITEMS && list.iter().all(|it| (1..=longest).contains(&it.len()))
    };
    let either = |one: &[String], other: &[String]| one.is_empty() != other.is_empty();
    either(resources, not_resources)
        && either(actions, not_actions)
        && [resources, not_resources].iter().all(|it| fits(it, PolicyLimits::SPECIFIER_BYTES))
        && [actions, not_actions].iter().all(|it| fits(it, PolicyLimits::ACTION_BYTES))
        && are_of_one_kind(resources.iter().chain(not_resources))
}

fn are_of_one_kind<'a>(mut specifiers: impl Iterator<Item = &'a String>) -> bool {
    let Some(first) = specifiers.next().and_then(|it| specifier(it)) else { return false };
    specifiers.all(|it| specifier(it).is_some_and(|it| labels(&it) == labels(&first)))
}

fn labels(specifier: &Specifier) -> Vec<&str> {
    match specifier {
        Specifier::Everything => Vec::new(),
        Specifier::Chain(segments) => segments.iter().map(|it| it.label.as_str()).collect(),
    }
}

// Answering.

/// What statements that are in order say.
pub(super) fn decision(statements: &[Statement], question: &Question<'_>) -> Decision {
    let first =
        |effect| statements.iter().position(|it| it.effect == effect && statement_applies(it, question));
    match (first(Effect::Deny), first(Effect::Allow)) {
        (Some(statement), _) => Decision::Denied { statement },
        (None, Some(statement)) => Decision::Allowed { statement },
        (None, None) => Decision::Silent,
    }
}

fn statement_applies(statement: &Statement, question: &Question<'_>) -> bool {
    let named = |globs: &[String]| globs.iter().any(|it| glob(it, question.action));
    let acts =
        if statement.actions.is_empty() { !named(&statement.not_actions) } else { named(&statement.actions) };
    let read = |list: &[String]| -> Vec<Specifier> { list.iter().map(|it| specifier(it).unwrap()).collect() };
    // Where it can't be told whether something is excluded, the answer is the one that grants less.
    let suppose = statement.effect == Effect::Allow;
    acts && if statement.resources.is_empty() {
        read(&statement.not_resources)
            .iter()
            .all(|it| same_kind(it, question.resource) && !means(it, question, suppose))
    } else {
        read(&statement.resources).iter().any(|it| means(it, question, false))
    }
}

fn same_kind(specifier: &Specifier, resource: &[Segment]) -> bool {
    match specifier {
        Specifier::Everything => true,
        Specifier::Chain(segments) => {
            segments.iter().map(|it| &it.label).eq(resource.iter().map(|it| &it.label))
        }
    }
}

/// Whether a specifier means the resource, where `suppose` is the answer to whatever can't be told.
fn means(specifier: &Specifier, question: &Question<'_>, suppose: bool) -> bool {
    let Specifier::Chain(segments) = specifier else { return true };
    same_kind(specifier, question.resource)
        && segments.iter().zip(question.resource).all(|(wanted, found)| {
            let fits = |pattern: &Pattern, text: &str, lower: bool| {
                let case = |text: &str| if lower { text.to_ascii_lowercase() } else { text.to_owned() };
                substituted(pattern, question.attributes)
                    .map_or(suppose, |all| all.iter().any(|it| glob(&case(it), &case(text))))
            };
            let facts = &found.qualifiers;
            fits(&wanted.name, &found.name.before, false)
                && wanted.qualifiers.iter().all(|qualifier| match qualifier {
                    Qualifier::Tag(pattern) => facts.iter().any(|fact| match fact {
                        Qualifier::Tag(tag) => fits(pattern, &tag.before, true),
                        Qualifier::Property(_) | Qualifier::View => false,
                    }),
                    Qualifier::Property(_) => facts.contains(qualifier),
                    Qualifier::View => suppose,
                })
        })
}

/// The pattern with each value of its attribute in its place. `None` if the attribute isn't set.
fn substituted(pattern: &Pattern, attributes: &[(String, Vec<String>)]) -> Option<Vec<String>> {
    let Pattern { before, attribute } = pattern;
    let Some((attribute, after)) = attribute else { return Some(vec![before.clone()]) };
    let values: Vec<&String> =
        attributes.iter().filter(|(name, _)| name == attribute).flat_map(|(_, values)| values).collect();
    (!values.is_empty()).then(|| values.iter().map(|value| format!("{before}{value}{after}")).collect())
}

/// Row by row: which beginnings of the text does so much of the pattern cover?
fn glob(pattern: &str, text: &str) -> bool {
    let text = text.as_bytes();
    let mut covered = vec![false; text.len() + 1];
    covered[0] = true;
    for wanted in pattern.bytes() {
        if wanted == b'*' {
            for at in 0..text.len() {
                covered[at + 1] |= covered[at];
            }
        } else {
            for at in (0..text.len()).rev() {
                covered[at + 1] = covered[at] && text[at] == wanted;
            }
            covered[0] = false;
        }
    }
    covered[text.len()]
}
