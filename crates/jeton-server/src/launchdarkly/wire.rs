//! The shapes of LaunchDarkly on the wire. A member without a value is left out: some clients fail on `null`.

use std::collections::BTreeMap;

use jeton_core::id::RoleId;
use jeton_core::member::Member;
use jeton_core::policy;
use jeton_core::role::BaseRole;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{Scope, TokenKind};
use jeton_service::TokenView;
use serde::{Deserialize, Serialize};

/// A link of hypertext.
#[derive(Serialize)]
pub(super) struct Link {
    pub(super) href: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

impl Link {
    pub(super) fn to(href: impl Into<String>) -> Self {
        Self { href: href.into(), kind: "application/json" }
    }
}

#[derive(Serialize)]
struct TokenLinks {
    parent: Link,
    #[serde(rename = "self")]
    itself: Link,
}

/// A token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Token<'a> {
    #[serde(rename = "_id")]
    id: String,
    owner_id: String,
    member_id: String,
    #[serde(rename = "_member", skip_serializing_if = "Option::is_none")]
    member: Option<MemberSummary<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    creation_date: i64,
    last_modified: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    custom_role_ids: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inline_role: Vec<Statement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// The whole secret in the answers to create and reset, else its last four characters.
    token: &'a str,
    service_token: bool,
    #[serde(rename = "_links")]
    links: TokenLinks,
    default_api_version: u32,
    /// Zero means never.
    last_used: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry: Option<i64>,
}

impl<'a> Token<'a> {
    pub(super) fn new(view: &'a TokenView) -> Self {
        let token = &view.token;
        let shown = ShownScope::of(&token.scope, view.owner.as_deref());
        Self {
            id: token.id.to_string(),
            owner_id: token.account.to_string(),
            member_id: token.owner.to_string(),
            member: view.owner.as_deref().map(MemberSummary::new),
            name: &token.name,
            description: &token.description,
            creation_date: token.issued_at.as_millis(),
            last_modified: token.modified_at.as_millis(),
            custom_role_ids: shown.custom_role_ids,
            inline_role: shown.inline_role,
            role: shown.role,
            token: token.secret.last_four.as_str(),
            service_token: token.kind == TokenKind::Service,
            links: TokenLinks {
                parent: Link::to("/api/v2/tokens"),
                itself: Link::to(format!("/api/v2/tokens/{}", token.id)),
            },
            default_api_version: token.api_version.number(),
            last_used: view.last_used_at.map_or(0, Timestamp::as_millis),
            expiry: token.expires_at.map(Timestamp::as_millis),
        }
    }

    pub(super) fn with_secret(view: &'a TokenView, secret: &'a str) -> Self {
        Self { token: secret, ..Self::new(view) }
    }
}

/// A scope in the three members that can show one. Exactly one of them has a value.
struct ShownScope {
    role: Option<&'static str>,
    custom_role_ids: Vec<String>,
    inline_role: Vec<Statement>,
}

impl ShownScope {
    fn of(scope: &Scope, owner: Option<&Member>) -> Self {
        let nothing = Self { role: None, custom_role_ids: Vec::new(), inline_role: Vec::new() };
        let roles = |ids: &[RoleId]| ids.iter().map(ToString::to_string).collect();
        match scope {
            // A token made through Canvus may do what its owner may: that is what is shown.
            Scope::Member => match owner {
                Some(owner) if !owner.custom_roles.is_empty() => {
                    Self { custom_role_ids: roles(&owner.custom_roles), ..nothing }
                }
                Some(owner) => Self { role: Some(owner.role.as_str()), ..nothing },
                None => Self { role: Some(BaseRole::NoAccess.as_str()), ..nothing },
            },
            Scope::Base(role) => Self { role: Some(role.as_str()), ..nothing },
            Scope::Roles(ids) => Self { custom_role_ids: roles(ids), ..nothing },
            Scope::Inline(policy) => {
                Self { inline_role: policy.statements().iter().map(Statement::new).collect(), ..nothing }
            }
        }
    }
}

/// Who made a token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberSummary<'a> {
    #[serde(rename = "_links")]
    links: SelfLink,
    #[serde(rename = "_id")]
    id: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    first_name: &'a str,
    role: &'static str,
    email: &'a str,
}

#[derive(Serialize)]
struct SelfLink {
    #[serde(rename = "self")]
    itself: Link,
}

impl<'a> MemberSummary<'a> {
    fn new(member: &'a Member) -> Self {
        Self {
            links: SelfLink { itself: Link::to(format!("/api/v2/members/{}", member.id)) },
            id: member.id.to_string(),
            first_name: &member.name,
            role: member.role.as_str(),
            email: &member.email,
        }
    }
}

/// A statement of a policy, in answers and in bodies.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statement {
    effect: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_resources: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actions: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_actions: Option<Vec<String>>,
}

impl Statement {
    fn new(statement: &policy::Statement) -> Self {
        let list = |items: &[String]| if items.is_empty() { None } else { Some(items.to_vec()) };
        Self {
            effect: statement.effect.as_str().to_owned(),
            resources: list(&statement.resources),
            not_resources: list(&statement.not_resources),
            actions: list(&statement.actions),
            not_actions: list(&statement.not_actions),
        }
    }

    /// The statement in the core's words. `None` for an effect that does not exist.
    pub(super) fn into_core(self) -> Option<policy::Statement> {
        Some(policy::Statement {
            effect: policy::Effect::parse(&self.effect)?,
            resources: self.resources.unwrap_or_default(),
            not_resources: self.not_resources.unwrap_or_default(),
            actions: self.actions.unwrap_or_default(),
            not_actions: self.not_actions.unwrap_or_default(),
        })
    }
}

/// Who is calling.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallerIdentity<'a> {
    pub(super) account_id: String,
    pub(super) auth_kind: &'static str,
    pub(super) token_kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) token_name: &'a str,
    pub(super) token_id: String,
    pub(super) member_id: String,
    pub(super) service_token: bool,
}

/// The API versions there are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Versions {
    pub(super) valid_versions: Vec<u32>,
    pub(super) latest_version: u32,
    pub(super) current_version: u32,
    pub(super) beta: bool,
}

/// What there is.
#[derive(Serialize)]
pub(super) struct Root {
    pub(super) links: BTreeMap<&'static str, Link>,
}
