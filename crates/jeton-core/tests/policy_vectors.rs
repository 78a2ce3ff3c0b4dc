//! The published examples of the policy language, one by one.
//!
//! `data/policy-vectors.json` holds them: a policy (or several, of which any may allow), a question, and the answer.
//! `400` as the answer means that the policy must be refused when somebody tries to store it. `base` names the base
//! permissions of the role that the policy belongs to.

#![allow(clippy::unwrap_used, reason = "what can't be unwrapped here is a failure of the test")]

use jeton_core::policy::{Attributes, Decision, Effect, Policy, Request, Resource, Statement};
use serde_json::Value;

#[test]
fn every_vector_has_its_answer() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("data/policy-vectors.json")).unwrap();
    assert_eq!(vectors.len(), 46, "vectors were added or lost");
    let wrong: Vec<String> = vectors.iter().filter_map(|vector| disagreement(vector).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The texts of resources in the vectors, written back, are the same texts.
#[test]
fn every_resource_in_the_vectors_is_written_back() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("data/policy-vectors.json")).unwrap();
    for vector in &vectors {
        let text = vector["resource"].as_str().unwrap();
        assert_eq!(Resource::parse(text).unwrap().to_string(), text);
    }
}

fn disagreement(vector: &Value) -> Result<(), String> {
    let expected = vector["expect"].as_str().unwrap();
    let answer = answer(vector);
    if answer == expected { Ok(()) } else { Err(format!("{}: {answer} instead of {expected}", vector["id"])) }
}

fn answer(vector: &Value) -> &'static str {
    let written =
        vector["policies"].as_array().map_or(std::slice::from_ref(&vector["policy"]), Vec::as_slice);
    let Some(policies) = written.iter().map(policy).collect::<Option<Vec<_>>>() else {
        return "400";
    };
    let request = Request {
        action: vector["action"].as_str().unwrap(),
        resource: Resource::parse(vector["resource"].as_str().unwrap()).unwrap(),
        attributes: &Attributes::default(),
    };
    let reader = vector["base"] == "reader";
    if policies.iter().any(|policy| allows(policy, reader, &request)) { "allow" } else { "deny" }
}

/// What a role allows: what its policy says, and where that is silent, what its base permissions grant.
fn allows(policy: &Policy, reader: bool, request: &Request<'_>) -> bool {
    match policy.evaluate(request) {
        Decision::Allowed { .. } => true,
        Decision::Denied { .. } => false,
        Decision::Silent => reader && request.action.starts_with("view"),
    }
}

/// None if the policy has to be refused.
fn policy(statements: &Value) -> Option<Policy> {
    let statements: Option<Vec<Statement>> = statements.as_array().unwrap().iter().map(statement).collect();
    Policy::new(statements?).ok()
}

fn statement(value: &Value) -> Option<Statement> {
    Some(Statement {
        effect: Effect::parse(value["effect"].as_str().unwrap())?,
        resources: texts(&value["resources"]),
        not_resources: texts(&value["notResources"]),
        actions: texts(&value["actions"]),
        not_actions: texts(&value["notActions"]),
    })
}

/// A list that is missing is an empty one.
fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.map(|item| item.as_str().unwrap().to_owned()).collect()
}
