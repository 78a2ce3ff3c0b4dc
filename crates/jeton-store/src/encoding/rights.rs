//! Rights: policies, scopes and ceilings, in columns and in the log.

use std::collections::HashMap;

use jeton_core::authority::{Authority, Grant, PolicyGrant};
use jeton_core::caller::Rights;
use jeton_core::policy::{Effect, Policy, Statement};
use jeton_core::token::Scope;
use serde::{Deserialize, Serialize};

use super::words::{api_version, base_permissions, json, kind, member_id, parse, role, role_ids, unreadable};
use crate::StoreError;

#[derive(Serialize, Deserialize)]
pub(super) struct StatementDoc {
    effect: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resources: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    not_resources: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    actions: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    not_actions: Vec<String>,
}

pub(super) fn statements(policy: &Policy) -> Vec<StatementDoc> {
    let doc = |statement: &Statement| StatementDoc {
        effect: statement.effect.as_str().to_owned(),
        resources: statement.resources.clone(),
        not_resources: statement.not_resources.clone(),
        actions: statement.actions.clone(),
        not_actions: statement.not_actions.clone(),
    };
    policy.statements().iter().map(doc).collect()
}

pub(super) fn policy(docs: Vec<StatementDoc>) -> Result<Policy, StoreError> {
    let statement = |doc: StatementDoc| {
        Some(Statement {
            effect: Effect::parse(&doc.effect)?,
            resources: doc.resources,
            not_resources: doc.not_resources,
            actions: doc.actions,
            not_actions: doc.not_actions,
        })
    };
    let statements: Option<Vec<Statement>> = docs.into_iter().map(statement).collect();
    let statements = statements.ok_or_else(|| unreadable("effect of a statement"))?;
    Policy::new(statements).map_err(|error| unreadable(&format!("policy: {error}")))
}

/// A policy in a column.
pub(crate) fn policy_text(value: &Policy) -> String {
    json(&statements(value))
}

pub(super) fn policy_from(text: &str) -> Result<Policy, StoreError> {
    policy(parse("policy", text)?)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScopeDoc {
    Member,
    Base(String),
    Roles(Vec<String>),
    Inline(Vec<StatementDoc>),
}

impl From<&Scope> for ScopeDoc {
    fn from(scope: &Scope) -> Self {
        match scope {
            Scope::Member => Self::Member,
            Scope::Base(role) => Self::Base(role.as_str().to_owned()),
            Scope::Roles(ids) => Self::Roles(ids.iter().map(ToString::to_string).collect()),
            Scope::Inline(policy) => Self::Inline(statements(policy)),
        }
    }
}

impl TryFrom<ScopeDoc> for Scope {
    type Error = StoreError;

    fn try_from(doc: ScopeDoc) -> Result<Self, StoreError> {
        Ok(match doc {
            ScopeDoc::Member => Self::Member,
            ScopeDoc::Base(name) => Self::Base(role(&name)?),
            ScopeDoc::Roles(ids) => Self::Roles(role_ids(&ids)?),
            ScopeDoc::Inline(docs) => Self::Inline(policy(docs)?),
        })
    }
}

/// The scope of a token that may do all that its owner may.
const MEMBER: &str = r#""member""#;

/// A scope in a column.
pub(crate) fn scope_text(scope: &Scope) -> String {
    match scope {
        Scope::Member => MEMBER.to_owned(),
        other => json(&ScopeDoc::from(other)),
    }
}

pub(super) fn scope_from(text: &str) -> Result<Scope, StoreError> {
    parse::<ScopeDoc>("scope", text)?.try_into()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GrantDoc {
    Base(String),
    Member { id: String, role: String },
    AnyOf(Vec<PolicyGrantDoc>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct PolicyGrantDoc {
    base_permissions: String,
    policy: Vec<StatementDoc>,
}

pub(super) fn grants(authority: &Authority) -> Vec<GrantDoc> {
    let policy_grant = |grant: &PolicyGrant| PolicyGrantDoc {
        base_permissions: grant.base_permissions.as_str().to_owned(),
        policy: statements(&grant.policy),
    };
    let grant = |grant: &Grant| match grant {
        Grant::Base(role) => GrantDoc::Base(role.as_str().to_owned()),
        Grant::Member { id, role } => GrantDoc::Member { id: id.to_string(), role: role.as_str().to_owned() },
        Grant::AnyOf(grants) => GrantDoc::AnyOf(grants.iter().map(policy_grant).collect()),
    };
    authority.grants().iter().map(grant).collect()
}

pub(super) fn authority(docs: Vec<GrantDoc>) -> Result<Authority, StoreError> {
    let policy_grant = |doc: PolicyGrantDoc| {
        Ok(PolicyGrant {
            base_permissions: base_permissions(&doc.base_permissions)?,
            policy: policy(doc.policy)?,
        })
    };
    let grant = |doc: GrantDoc| -> Result<Grant, StoreError> {
        Ok(match doc {
            GrantDoc::Base(name) => Grant::Base(role(&name)?),
            GrantDoc::Member { id, role: name } => Grant::Member { id: member_id(&id)?, role: role(&name)? },
            GrantDoc::AnyOf(docs) => {
                Grant::AnyOf(docs.into_iter().map(policy_grant).collect::<Result<_, StoreError>>()?)
            }
        })
    };
    let grants: Result<Vec<Grant>, StoreError> = docs.into_iter().map(grant).collect();
    Ok(Authority::all_of(grants?))
}

/// A ceiling in a column; empty text for none.
pub(crate) fn ceiling_text(ceiling: &Authority) -> String {
    if ceiling.grants().is_empty() { String::new() } else { json(&grants(ceiling)) }
}

pub(super) fn ceiling_from(text: &str) -> Result<Authority, StoreError> {
    if text.is_empty() { Ok(Authority::default()) } else { authority(parse("ceiling", text)?) }
}

/// Scopes as they were read before: a snapshot has the same few again and again, and to read a policy takes as long as the
/// rest of a token.
#[derive(Default)]
pub(crate) struct KnownScopes(HashMap<String, Scope>);

impl KnownScopes {
    /// As many are kept.
    const MOST: usize = 1024;
    /// Longer texts, in bytes, are not.
    const LONGEST: usize = 4096;

    fn read(&mut self, text: &str) -> Result<Scope, StoreError> {
        // Nearly all are this one, and it is read in less time than it is found.
        if text == MEMBER {
            return Ok(Scope::Member);
        }
        if let Some(scope) = self.0.get(text) {
            return Ok(scope.clone());
        }
        let scope = scope_from(text)?;
        if self.0.len() < Self::MOST && text.len() <= Self::LONGEST {
            self.0.insert(text.to_owned(), scope.clone());
        }
        Ok(scope)
    }
}

/// What a token may do, from its columns.
pub(super) fn rights_from(
    scopes: &mut KnownScopes,
    kind_text: &str,
    scope: &str,
    ceiling: &str,
    version: u32,
) -> Result<Rights, StoreError> {
    Ok(Rights {
        kind: kind(kind_text)?,
        scope: scopes.read(scope)?,
        ceiling: ceiling_from(ceiling)?,
        api_version: api_version(version)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_is_the_same_again_and_there_is_an_end_to_what_is_kept() {
        let mut scopes = KnownScopes::default();
        let inline = |number: usize| {
            let statement = format!(r#"{{"effect":"allow","resources":["proj/{number}"],"actions":["*"]}}"#);
            format!(r#"{{"inline":[{statement}]}}"#)
        };
        let texts =
            (0..2 * KnownScopes::MOST).map(inline).chain([MEMBER, r#"{"base":"reader"}"#].map(str::to_owned));
        for text in texts.clone().chain(texts) {
            assert_eq!(scopes.read(&text), scope_from(&text));
        }
        assert_eq!(scopes.0.len(), KnownScopes::MOST);
        assert!(scopes.read(r#"{"base":"nobody"}"#).is_err());
        let long = inline(usize::MAX).replace("proj", &format!("proj/{}", "x".repeat(KnownScopes::LONGEST)));
        let mut scopes = KnownScopes::default();
        assert_eq!(scopes.read(&long), scope_from(&long));
        assert!(scopes.0.is_empty());
    }
}
