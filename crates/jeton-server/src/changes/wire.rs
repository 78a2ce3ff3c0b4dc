//! The shapes of changes on the wire. No secret is in them, nor anything from which one could be checked: digests stay in
//! the store, and of a password is told only that there is one.

use jeton_core::account::Account;
use jeton_core::change::{Actor, Change, Event};
use jeton_core::member::Member;
use jeton_core::policy::Policy;
use jeton_core::role::CustomRole;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{Scope, Token};
use serde_json::{Map, Value, json};

use crate::explain::statement;

/// A change: its revision, what kind it is of, when, who, what it is about, and that as it was and as it is.
pub(super) fn change(change: &Change) -> Value {
    let actor = match change.actor {
        // Jeton itself, or an operator's command on the machine.
        Actor::System => Value::Null,
        Actor::Token { token, member } => json!({ "token": token.to_string(), "member": member.to_string() }),
    };
    let mut object = Map::from_iter([
        ("revision".to_owned(), json!(change.revision.number())),
        ("kind".to_owned(), json!(change.event.name())),
        ("at".to_owned(), instant(change.at)),
        ("actor".to_owned(), actor),
    ]);
    let (about, before, after) = records(&change.event);
    for (name, id) in about {
        object.insert(name.to_owned(), json!(id));
    }
    object.insert("before".to_owned(), before);
    object.insert("after".to_owned(), after);
    Value::Object(object)
}

type Ids = Vec<(&'static str, String)>;

/// What an event is about, by id, and the record before and after.
fn records(event: &Event) -> (Ids, Value, Value) {
    let of_token = |token: &Token| vec![("token", token.id.to_string()), ("member", token.owner.to_string())];
    let of_member = |member: &Member| vec![("member", member.id.to_string())];
    let of_role = |role: &CustomRole| vec![("role", role.id.to_string())];
    match event {
        Event::AccountFounded { account: it } => {
            (vec![("account", it.id.to_string())], Value::Null, account(it))
        }
        Event::MemberAdded { member: it } => (of_member(it), Value::Null, member(it)),
        Event::MemberChanged { before, after } => (of_member(after), member(before), member(after)),
        Event::RoleDefined { role: it } => (of_role(it), Value::Null, role(it)),
        Event::RoleChanged { before, after } => (of_role(after), role(before), role(after)),
        Event::RoleRemoved { role: it } => (of_role(it), role(it), Value::Null),
        Event::TokenIssued { token: it } => (of_token(it), Value::Null, token(it)),
        Event::TokenChanged { before, after } | Event::TokenRotated { before, after } => {
            (of_token(after), token(before), token(after))
        }
        Event::TokenRevoked { token: it } => (of_token(it), token(it), Value::Null),
    }
}

fn account(account: &Account) -> Value {
    json!({ "id": account.id.to_string(), "name": account.name, "createdAt": instant(account.created_at) })
}

fn member(member: &Member) -> Value {
    json!({
        "id": member.id.to_string(),
        "number": member.number,
        "email": member.email,
        "firstName": member.name,
        "lastName": member.family_name,
        "role": member.role.as_str(),
        "customRoles": texts(&member.custom_roles),
        "standing": member.standing.as_str(),
        "hasPassword": member.password.is_some(),
        "createdAt": instant(member.created_at),
    })
}

fn role(role: &CustomRole) -> Value {
    json!({
        "id": role.id.to_string(),
        "key": role.key,
        "name": role.name,
        "description": role.description,
        "basePermissions": role.base_permissions.as_str(),
        "policy": policy(&role.policy),
        "createdAt": instant(role.created_at),
    })
}

fn token(token: &Token) -> Value {
    json!({
        "id": token.id.to_string(),
        "kind": token.kind.as_str(),
        "owner": token.owner.to_string(),
        "name": token.name,
        "description": token.description,
        "scope": scope(&token.scope),
        "apiVersion": token.api_version.number(),
        "issuedAt": instant(token.issued_at),
        "modifiedAt": instant(token.modified_at),
        "expiresAt": token.expires_at.map(instant),
        "oldSecretEndsAt": token.retiring.map(|retiring| instant(retiring.ends_at)),
    })
}

/// What a token may do: `{}` for all that its owner may.
fn scope(scope: &Scope) -> Value {
    match scope {
        Scope::Member => json!({}),
        Scope::Base(role) => json!({ "role": role.as_str() }),
        Scope::Roles(ids) => json!({ "customRoles": texts(ids) }),
        Scope::Inline(inline) => json!({ "policy": policy(inline) }),
    }
}

fn policy(policy: &Policy) -> Value {
    policy.statements().iter().map(statement).collect()
}

fn texts(ids: &[impl ToString]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// RFC 3339 in UTC, with milliseconds.
fn instant(at: Timestamp) -> Value {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(jiff::Timestamp::MAX);
    json!(format!("{at:.3}"))
}
