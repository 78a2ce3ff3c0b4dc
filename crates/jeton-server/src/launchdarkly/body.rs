//! Bodies of requests, read into commands.

use jeton_core::command::{Issue, ScopeRequest};
use jeton_core::id::MemberId;
use jeton_core::policy::{Policy, Statement};
use jeton_core::role::BaseRole;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::TokenKind;
use serde::Deserialize;

use super::{version, wire};
use crate::http::object::Object;
use crate::trouble::Trouble;

/// The body of a create. No member is required by the schema; which go together is checked afterwards.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessTokenPost {
    name: Option<String>,
    description: Option<String>,
    role: Option<String>,
    custom_role_ids: Option<Vec<String>>,
    inline_role: Option<Vec<Object<wire::Statement>>>,
    service_token: Option<bool>,
    default_api_version: Option<i64>,
    expiry: Option<i64>,
}

impl AccessTokenPost {
    /// The command, for a caller who is this member.
    pub(super) fn into_command(self, caller: MemberId) -> Result<Issue, Trouble> {
        let service = self.service_token.unwrap_or(false);
        Ok(Issue {
            kind: if service { TokenKind::Service } else { TokenKind::Personal },
            owner: caller,
            name: self.name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            scope: scope(self.role, self.custom_role_ids, self.inline_role)?,
            api_version: self.default_api_version.map_or(Ok(None), version::from_number)?,
            expires_at: self.expiry.map(Timestamp::from_millis),
        })
    }
}

/// The scope that three members say. It has to be exactly one of them, with something in it.
pub(super) fn scope(
    role: Option<String>,
    custom_role_ids: Option<Vec<String>>,
    inline_role: Option<Vec<Object<wire::Statement>>>,
) -> Result<ScopeRequest, Trouble> {
    let roles = custom_role_ids.filter(|roles| !roles.is_empty());
    let inline = inline_role.filter(|statements| !statements.is_empty());
    match (role, roles, inline) {
        (Some(role), None, None) => base_role(&role),
        (None, Some(roles), None) => Ok(ScopeRequest::Roles(roles)),
        (None, None, Some(statements)) => policy("inlineRole", statements).map(ScopeRequest::Inline),
        _ => Err(Trouble::invalid(
            "Give exactly one of role, customRoleIds and inlineRole: a token is allowed what that one says",
        )),
    }
}

fn base_role(name: &str) -> Result<ScopeRequest, Trouble> {
    match BaseRole::parse(name) {
        Some(role @ (BaseRole::Reader | BaseRole::Writer | BaseRole::Admin)) => Ok(ScopeRequest::Base(role)),
        _ => Err(Trouble::Invalid {
            message: "role must be reader, writer or admin".to_owned(),
            pointer: Some("/role".to_owned()),
        }),
    }
}

/// The policy in a member of the body.
pub(super) fn policy(member: &str, statements: Vec<Object<wire::Statement>>) -> Result<Policy, Trouble> {
    let mut read = Vec::with_capacity(statements.len());
    for (at, Object(statement)) in statements.into_iter().enumerate() {
        let statement: Option<Statement> = statement.into_core();
        read.push(statement.ok_or_else(|| Trouble::Invalid {
            message: "effect must be allow or deny, in lower case".to_owned(),
            pointer: Some(format!("/{member}/{at}/effect")),
        })?);
    }
    Policy::new(read).map_err(|error| Trouble::Invalid {
        pointer: Some(format!("/{member}{}", error.pointer())),
        message: error.to_string(),
    })
}
