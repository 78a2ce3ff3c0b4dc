//! What holds for every policy, tried on random ones.
//!
//! The heart is a second evaluator, written to be read and not to be fast: it works on a model of the policy instead of
//! its text, replaces attributes by building strings, and matches stars by recursion. It shares no code with the
//! engine, so the two can only agree if both read the rules alike.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use jeton_core::policy::{Attributes, Decision, Effect, Policy, PolicyLimits, Request, Resource, Statement};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// A segment, of a specifier or of a resource: label, name, tags, property, whether it is tied to a view.
#[derive(Clone, Debug)]
struct Segment {
    label: &'static str,
    name: String,
    tags: Vec<String>,
    property: Option<&'static str>,
    view: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    effect: Effect,
    actions: Vec<String>,
    except_actions: bool,
    /// A specifier without segments means everything.
    specifiers: Vec<Vec<Segment>>,
    except_resources: bool,
}

type Values = Vec<(String, Vec<String>)>;

// The second evaluator.

fn naive_decision(rules: &[Rule], action: &str, resource: &[Segment], values: &Values) -> Decision {
    let first = |effect| {
        rules.iter().position(|rule| rule.effect == effect && naive_applies(rule, action, resource, values))
    };
    match (first(Effect::Deny), first(Effect::Allow)) {
        (Some(statement), _) => Decision::Denied { statement },
        (None, Some(statement)) => Decision::Allowed { statement },
        (None, None) => Decision::Silent,
    }
}

fn naive_applies(rule: &Rule, action: &str, resource: &[Segment], values: &Values) -> bool {
    let named = rule.actions.iter().any(|glob| naive_glob(glob.as_bytes(), action.as_bytes()));
    if named == rule.except_actions {
        return false;
    }
    if !rule.except_resources {
        return rule.specifiers.iter().any(|it| naive_match(it, resource, values, false));
    }
    // Where it can't be told whether an exclusion matches, an allow has to suppose that it does, a deny that it
    // doesn't: either way less is granted.
    let suppose = rule.effect == Effect::Allow;
    rule.specifiers.iter().all(|it| same_kind(it, resource) && !naive_match(it, resource, values, suppose))
}

fn same_kind(specifier: &[Segment], resource: &[Segment]) -> bool {
    specifier.is_empty() || specifier.iter().map(|it| it.label).eq(resource.iter().map(|it| it.label))
}

/// `suppose` is the answer of every part that can't be told.
fn naive_match(specifier: &[Segment], resource: &[Segment], values: &Values, suppose: bool) -> bool {
    same_kind(specifier, resource)
        && specifier.iter().zip(resource).all(|(wanted, found)| {
            let text = |pattern: &str, text: &str| {
                let candidates = substitute(pattern, values);
                candidates
                    .map_or(suppose, |all| all.iter().any(|it| naive_glob(it.as_bytes(), text.as_bytes())))
            };
            let tag = |tag: &String| found.tags.iter().any(|it| text(&lower(tag), &it.to_ascii_lowercase()));
            text(&wanted.name, &found.name)
                && wanted.tags.iter().all(tag)
                && wanted.property.is_none_or(|it| found.property == Some(it))
                && (!wanted.view || suppose)
        })
}

/// In lower case, but for the reference to an attribute.
fn lower(tag: &str) -> String {
    tag.split("${roleAttribute/").map(str::to_ascii_lowercase).collect::<Vec<_>>().join("${roleAttribute/")
}

/// The pattern with each value of its attribute, or none if the attribute isn't set.
fn substitute(pattern: &str, values: &Values) -> Option<Vec<String>> {
    let Some((before, rest)) = pattern.split_once("${roleAttribute/") else {
        return Some(vec![pattern.to_owned()]);
    };
    let (name, after) = rest.split_once('}').unwrap();
    let values: Vec<&String> =
        values.iter().filter(|(it, _)| it == name).flat_map(|(_, values)| values).collect();
    (!values.is_empty()).then(|| values.into_iter().map(|value| format!("{before}{value}{after}")).collect())
}

fn naive_glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            naive_glob(rest, text) || !text.is_empty() && naive_glob(pattern, &text[1..])
        }
        ([wanted, pattern @ ..], [found, text @ ..]) => wanted == found && naive_glob(pattern, text),
        _ => false,
    }
}

// Random policies and questions. The alphabets are tiny, so that many of them match.

const CHAINS: [&[&str]; 5] =
    [&["member"], &["member", "token"], &["service-token"], &["proj", "env"], &["proj", "env", "flag"]];

fn pattern() -> impl Strategy<Value = String> {
    let text = "[ab*]{0,3}";
    prop_oneof![
        2 => Just(String::from("*")),
        2 => "[ab*]{1,4}",
        1 => (text, select(vec!["x", "y", "z"]), text)
            .prop_map(|(before, name, after)| format!("{before}${{roleAttribute/{name}}}{after}")),
    ]
}

fn segment(
    label: &'static str,
    name: BoxedStrategy<String>,
    tag: BoxedStrategy<String>,
) -> impl Strategy<Value = Segment> {
    let property = option::weighted(0.2, select(vec!["{p:a}", "{p:b}"]));
    (name, vec(tag, 0..3), property, prop::bool::weighted(0.2))
        .prop_map(move |(name, tags, property, view)| Segment { label, name, tags, property, view })
}

fn specifier(chain: &'static [&'static str]) -> impl Strategy<Value = Vec<Segment>> {
    let tag = prop_oneof![pattern(), "[ABab*]{1,2}"].boxed();
    chain.iter().map(|label| segment(label, pattern().boxed(), tag.clone())).collect::<Vec<_>>()
}

fn resource() -> impl Strategy<Value = Vec<Segment>> {
    select(CHAINS.to_vec()).prop_flat_map(|chain| {
        let one = |label: &&'static str| segment(label, "[ab]{1,4}".boxed(), "[ABab]{1,2}".boxed());
        chain.iter().map(one).collect::<Vec<_>>()
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let specifiers = prop_oneof![
        1 => Just(vec![vec![]]),
        9 => select(CHAINS.to_vec()).prop_flat_map(|chain| vec(specifier(chain), 1..4)),
    ];
    let effect = select(vec![Effect::Allow, Effect::Deny]);
    (effect, vec("[ab*]{1,4}", 1..4), any::<bool>(), specifiers, any::<bool>()).prop_map(
        |(effect, actions, except_actions, specifiers, except_resources)| Rule {
            effect,
            actions,
            except_actions,
            specifiers,
            except_resources,
        },
    )
}

fn values() -> impl Strategy<Value = Values> {
    vec((select(vec!["x".to_owned(), "y".to_owned()]), vec("[ab*]{0,3}", 0..3)), 0..3)
}

// The model as text.

fn written(segments: &[Segment]) -> String {
    if segments.is_empty() {
        return "*".to_owned();
    }
    segments.iter().map(written_segment).collect::<Vec<_>>().join(":")
}

fn written_segment(segment: &Segment) -> String {
    let mut qualifiers = segment.tags.clone();
    qualifiers.extend(segment.property.map(str::to_owned));
    qualifiers.extend(segment.view.then(|| "view:key".to_owned()));
    let semicolon = if qualifiers.is_empty() { "" } else { ";" };
    format!("{}/{}{semicolon}{}", segment.label, segment.name, qualifiers.join(","))
}

fn statement(rule: &Rule) -> Statement {
    let either = |list: Vec<String>, except: bool| if except { (vec![], list) } else { (list, vec![]) };
    let (actions, not_actions) = either(rule.actions.clone(), rule.except_actions);
    let specifiers = rule.specifiers.iter().map(|it| written(it)).collect();
    let (resources, not_resources) = either(specifiers, rule.except_resources);
    Statement { effect: rule.effect, resources, not_resources, actions, not_actions }
}

fn allow(resource: &str) -> Statement {
    Statement {
        effect: Effect::Allow,
        resources: vec![resource.to_owned()],
        not_resources: vec![],
        actions: vec!["*".to_owned()],
        not_actions: vec![],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn the_engine_agrees_with_the_second_evaluator(
        rules in vec(rule(), 0..5),
        action in "[ab]{1,4}",
        resource in resource(),
        values in values(),
    ) {
        let policy = Policy::new(rules.iter().map(statement).collect()).unwrap();
        let text = written(&resource);
        let attributes: Attributes = values.iter().cloned().collect();
        let request =
            Request { action: &action, resource: Resource::parse(&text).unwrap(), attributes: &attributes };
        let expected = naive_decision(&rules, &action, &resource, &values);
        prop_assert_eq!(policy.evaluate(&request), expected, "{:?} on {}", policy, text);
    }

    #[test]
    fn the_order_of_statements_changes_no_verdict(
        rules in vec(rule(), 0..5),
        action in "[ab]{1,4}",
        resource in resource(),
    ) {
        let verdict = |statements: Vec<Statement>| {
            let text = written(&resource);
            let resource = Resource::parse(&text).unwrap();
            let request = Request { action: &action, resource, attributes: &Attributes::default() };
            std::mem::discriminant(&Policy::new(statements).unwrap().evaluate(&request))
        };
        let forwards: Vec<_> = rules.iter().map(statement).collect();
        let backwards = forwards.iter().rev().cloned().collect();
        prop_assert_eq!(verdict(forwards), verdict(backwards));
    }

    #[test]
    fn no_text_makes_reading_panic(text in prop_oneof![any::<String>(), "[a*/:;,{}$é ]{0,20}"], start in select(vec![
        "", "proj/", "proj/a;", "proj/a;{", "proj/a:env/", "proj/${roleAttribute/", "proj/a;view:", "acct",
    ])) {
        let text = format!("{start}{text}");
        if let Err(error) = Policy::new(vec![allow(&text)]) {
            prop_assert_eq!(error.pointer(), "/0/resources/0");
            prop_assert!(!error.to_string().is_empty());
        }
        if let Some(resource) = Resource::parse(&text) {
            let again = resource.to_string();
            prop_assert_eq!(Resource::parse(&again), Some(resource));
        }
    }

    #[test]
    fn what_is_read_is_kept_word_for_word(rules in vec(rule(), 0..5)) {
        let statements: Vec<_> = rules.iter().map(statement).collect();
        let policy = Policy::new(statements.clone()).unwrap();
        prop_assert_eq!(policy.statements(), statements);
    }
}

/// As many stars as a policy can hold, against a text that makes each of them look at everything. The number of steps
/// is bounded beside the matching itself; this shows that nothing around it multiplies them, since with backtracking
/// over all stars it would not end.
#[test]
fn the_largest_policy_of_stars_is_evaluated() {
    let stars = "*a".repeat((PolicyLimits::SPECIFIER_BYTES - "service-token/b".len()) / 2);
    let weight = PolicyLimits::SPECIFIER_BYTES + "*".len() + 2 * PolicyLimits::ITEM_BYTES;
    let count = PolicyLimits::TOTAL_BYTES / weight;
    let policy = Policy::new(vec![allow(&format!("service-token/{stars}b")); count]).unwrap();
    let token = "a".repeat(1000);
    let evaluate = |token: &str| {
        let resource = Resource::service_token(token);
        policy.evaluate(&Request { action: "any", resource, attributes: &Attributes::default() })
    };
    assert_eq!(evaluate(&token), Decision::Silent);
    assert_eq!(evaluate(&format!("{token}b")), Decision::Allowed { statement: 0 });
}
