//! Policies: the engine and the second opinion agree on what can be read and on every answer.

use jeton_core::policy::{Attributes, Effect, Policy, Request, Resource, Statement};

use super::draw::Draw;
use super::naive;

const SPECIFIERS: [&str; 24] = [
    "*",
    "acct",
    "acct;billing",
    "member/*",
    "member/*:token/*",
    "member/m1:token/t*",
    "member/${roleAttribute/x}:token/*",
    "member/a${roleAttribute/y}b:token/*",
    "service-token/*",
    "service-token/*a*b",
    "proj/*",
    "proj/*;qa,{critical:true}",
    "proj/p;view:k",
    "proj/p;view:k:env/*",
    "proj/*:env/*;qa_*:/flag/*",
    "proj/*:env/production:flag/*",
    "proj/p:env/e;t,{a:b,c}:flag/f;${roleAttribute/x}",
    "proj/*:env/*;*",
    "proj/a:*",
    "proj/*:flag/*",
    "role/deployer",
    "team/${roleAttribute/x}${roleAttribute/y}",
    "webhook/ü*",
    "/member/*:/token/*",
];

const RESOURCES: [&str; 12] = [
    "acct",
    "acct;billing",
    "member/m1",
    "member/m1:token/t1",
    "member/axb:token/t1",
    "service-token/aab",
    "proj/p;qa,{critical:true}",
    "proj/p;view:k",
    "proj/p;view:k:env/e",
    "proj/p:env/production:flag/f",
    "proj/p:env/e;QA_1,t,{a:b,c}:flag/f;X",
    "role/deployer",
];

const ACTIONS: [&str; 8] =
    ["*", "createAccessToken", "update*", "*Token", "*a*e*", "deleteAccessToken", "viewProject", "updateOn"];

/// The most that the tables of the second opinion may be made to hold, in cells.
const DEAREST: usize = 200_000;

/// One specifier, alone in a policy, and one resource.
pub(super) fn specifier(input: &[u8]) {
    let mut draw = Draw::new(input);
    let attributes = attributes(&mut draw);
    let effect = effect(&mut draw);
    let excluded = draw.number(0..=1) == 1;
    let resource = draw.text_like(&RESOURCES);
    let text = match draw.number(0..=1) {
        0 => draw.rest_as_text(),
        _ => patchwork(&mut draw),
    };
    let list = vec![text.clone()];
    let (resources, not_resources) = if excluded { (vec![], list) } else { (list, vec![]) };
    let actions = vec!["*".to_owned()];
    let statement = Statement { effect, resources, not_resources, actions, not_actions: vec![] };
    read_and_ask(vec![statement], "any", &resource, &attributes);
    // What can be written as a specifier may be a resource as well.
    resource_is_written_back(&text);
}

/// Several statements, one action and one resource.
pub(super) fn policy(input: &[u8]) {
    let mut draw = Draw::new(input);
    let attributes = attributes(&mut draw);
    let action = draw.text_like(&ACTIONS);
    let resource = draw.text_like(&RESOURCES);
    let mut statements = Vec::new();
    while !draw.is_empty() && statements.len() < 8 {
        statements.push(statement(&mut draw));
    }
    // Beyond the limits, and just up to them.
    if draw.rarely(16) {
        statements =
            statements.iter().cycle().take(statements.len() * draw.number(1..=40)).cloned().collect();
    }
    let names = (draw.text(20), draw.text(20));
    named_resources(&statements, &action, &names, &attributes);
    read_and_ask(statements, &action, &resource, &attributes);
}

fn attributes(draw: &mut Draw<'_>) -> Vec<(String, Vec<String>)> {
    let value = |draw: &mut Draw<'_>| draw.text_like(&["x", "m1", "*", "", "t", "deployer", "*a*"]);
    let one = |draw: &mut Draw<'_>| {
        let name = draw.text_like(&["x", "y", "z"]);
        let count = draw.number(0..=3);
        (name, (0..count).map(|_| value(draw)).collect())
    };
    let count = draw.number(0..=3);
    (0..count).map(|_| one(draw)).collect()
}

fn effect(draw: &mut Draw<'_>) -> Effect {
    if draw.number(0..=1) == 0 { Effect::Allow } else { Effect::Deny }
}

fn statement(draw: &mut Draw<'_>) -> Statement {
    let effect = effect(draw);
    let shape = draw.number(0..=15);
    let specifiers = texts(draw, &SPECIFIERS);
    let globs = texts(draw, &ACTIONS);
    // Nearly always one list of each pair, as it should be.
    let place = |one: Vec<String>, other: bool, both: bool| match (other, both) {
        (_, true) => (one.clone(), one),
        (true, false) => (vec![], one),
        (false, false) => (one, vec![]),
    };
    let (resources, not_resources) = place(specifiers, shape & 1 == 1, shape == 14);
    let (actions, not_actions) = place(globs, shape & 2 == 2, shape == 15);
    Statement { effect, resources, not_resources, actions, not_actions }
}

fn texts(draw: &mut Draw<'_>, known: &[&str]) -> Vec<String> {
    let first = draw.text_like(known);
    let mut all = vec![first.clone()];
    for _ in 0..draw.number(0..=3) {
        all.push(match draw.number(0..=3) {
            0 => first.clone(),
            1 => draw.text_like(known),
            2 => patchwork(draw),
            _ => first.repeat(draw.number(0..=60)),
        });
    }
    if draw.rarely(32) {
        all = all.iter().cycle().take(draw.number(0..=255) * 2).cloned().collect();
    }
    all
}

/// Pieces of specifiers, in any order.
fn patchwork(draw: &mut Draw<'_>) -> String {
    const PIECES: [&str; 32] = [
        "*",
        "/",
        ":",
        ";",
        ",",
        "{",
        "}",
        "$",
        "proj",
        "/p",
        ":env",
        "/e",
        ":flag",
        "/f",
        ";t",
        ",u",
        "{a:b}",
        "{a:b,c}",
        "view:",
        "k",
        "${roleAttribute/",
        "x}",
        "acct",
        "member",
        ":token",
        "service-token",
        "*a",
        "ü",
        " ",
        "\n",
        "A",
        "_",
    ];
    let count = draw.number(0..=24);
    (0..count).map(|_| draw.text_like(&PIECES)).collect()
}

/// Reads the policy twice, and asks both readings.
#[allow(clippy::needless_pass_by_value, reason = "the policy keeps what it is given")]
fn read_and_ask(
    statements: Vec<Statement>,
    action: &str,
    resource: &str,
    attributes: &[(String, Vec<String>)],
) {
    let concrete = Resource::parse(resource);
    let modelled = if resource.len() < 500 { naive::resource(resource) } else { None };
    if resource.len() < 500 {
        assert_eq!(concrete.is_some(), modelled.is_some(), "{resource:?}");
    }
    let right = naive::is_policy(&statements);
    let policy = match Policy::new(statements.clone()) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(!right, "{statements:?} is refused: {error}");
            assert!(points_into(&error.pointer(), &statements), "{} in {statements:?}", error.pointer());
            assert!(!error.to_string().contains('\n'));
            return;
        }
    };
    assert!(right, "{statements:?} is taken");
    assert_eq!(policy.statements(), statements);
    let known: Attributes = attributes.iter().cloned().collect();
    let (Some(concrete), Some(modelled)) = (concrete, modelled) else { return };
    let decision = policy.evaluate(&Request { action, resource: concrete, attributes: &known });
    if is_cheap(&statements, resource.len().max(action.len()), attributes) {
        let question = naive::Question { action, resource: &modelled, attributes };
        assert_eq!(decision, naive::decision(&statements, &question), "{action} on {resource} by {policy:?}");
    }
}

/// The same for resources that are made of names, which may be any text.
fn named_resources(
    statements: &[Statement],
    action: &str,
    (first, second): &(String, String),
    attributes: &[(String, Vec<String>)],
) {
    let Ok(policy) = Policy::new(statements.to_vec()) else { return };
    let known: Attributes = attributes.iter().cloned().collect();
    for (resource, model) in [
        (Resource::token(first, second), naive::named(&[("member", first), ("token", second)])),
        (Resource::service_token(first), naive::named(&[("service-token", first)])),
        (Resource::member(first), naive::named(&[("member", first)])),
        (Resource::role(second), naive::named(&[("role", second)])),
    ] {
        let decision = policy.evaluate(&Request { action, resource, attributes: &known });
        if is_cheap(statements, action.len().max(60), attributes) {
            let question = naive::Question { action, resource: &model, attributes };
            assert_eq!(
                decision,
                naive::decision(statements, &question),
                "{action} on {resource} by {policy:?}"
            );
        }
    }
}

/// Whether the second opinion is quick to be had.
fn is_cheap(statements: &[Statement], longest: usize, attributes: &[(String, Vec<String>)]) -> bool {
    let length = |list: &[String]| list.iter().map(String::len).sum::<usize>();
    let all = |it: &Statement| {
        length(&it.resources) + length(&it.not_resources) + length(&it.actions) + length(&it.not_actions)
    };
    let patterns: usize = statements.iter().map(all).sum();
    let values: usize = attributes.iter().map(|(_, values)| values.len()).sum();
    patterns * (values + 1) * (longest + 1) < DEAREST
}

fn points_into(pointer: &str, statements: &[Statement]) -> bool {
    let mut names = pointer.split('/').skip(1);
    let (statement, list, item) = (names.next(), names.next(), names.next());
    let Some(number) = statement else { return pointer.is_empty() };
    let Some(statement) = number.parse::<usize>().ok().and_then(|at| statements.get(at)) else {
        return false;
    };
    let list = match list {
        None => return true,
        Some("resources") => &statement.resources,
        Some("notResources") => &statement.not_resources,
        Some("actions") => &statement.actions,
        Some("notActions") => &statement.not_actions,
        Some(_) => return false,
    };
    item.is_none_or(|at| at.parse::<usize>().is_ok_and(|at| at < list.len()))
}

fn resource_is_written_back(text: &str) {
    if let Some(resource) = Resource::parse(text) {
        assert_eq!(Resource::parse(&resource.to_string()), Some(resource), "{text:?}");
    }
}
