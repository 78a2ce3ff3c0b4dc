//! The shapes of LaunchDarkly on the wire. A member without a value is left out: some clients fail on `null`.

use std::collections::BTreeMap;

use jeton_core::id::RoleId;
use jeton_core::member::{Member, Standing};
use jeton_core::policy;
use jeton_core::role::{BaseRole, CustomRole};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{Scope, TokenKind};
use jeton_service::{Presence, TokenView};
use serde::{Deserialize, Serialize};

use crate::http::json::Json;

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

/// A token, as every answer shows it.
///
/// Written by hand, because a page has a thousand of them: most of what a derived writer does is to look for characters
/// that need escaping, in names, ids and links that can't hold any.
pub(super) struct Token<'a> {
    view: &'a TokenView,
    /// The whole secret in the answers to create and reset, else its last four characters.
    secret: &'a str,
}

impl<'a> Token<'a> {
    pub(super) fn new(view: &'a TokenView) -> Self {
        Self::with_secret(view, view.token.secret.last_four.as_str())
    }

    pub(super) fn with_secret(view: &'a TokenView, secret: &'a str) -> Self {
        Self { view, secret }
    }

    /// It as JSON.
    pub(super) fn json(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(1024);
        self.write(&mut Json::onto(&mut text));
        text
    }

    /// Appends it as JSON.
    pub(super) fn write(&self, json: &mut Json<'_>) {
        let Self { view: TokenView { token, owner, last_used_at }, secret } = self;
        let (id, account, member) = (token.id.hex(), token.account.hex(), token.owner.hex());
        json.raw(r#"{"_id":""#).raw(id.as_str());
        json.raw(r#"","ownerId":""#).raw(account.as_str());
        json.raw(r#"","memberId":""#).raw(member.as_str()).raw("\"");
        if let Some(owner) = owner {
            write_summary(json, owner);
        }
        if !token.name.is_empty() {
            json.raw(r#","name":"#).text(&token.name);
        }
        if !token.description.is_empty() {
            json.raw(r#","description":"#).text(&token.description);
        }
        json.raw(r#","creationDate":"#).value(&token.issued_at.as_millis());
        json.raw(r#","lastModified":"#).value(&token.modified_at.as_millis());
        write_scope(json, &token.scope, owner.as_deref());
        json.raw(r#","token":"#).text(secret);
        json.raw(r#","serviceToken":"#).value(&(token.kind == TokenKind::Service));
        json.raw(r#","_links":{"parent":{"href":"/api/v2/tokens","type":"application/json"},"#);
        json.raw(r#""self":{"href":"/api/v2/tokens/"#)
            .raw(id.as_str())
            .raw(r#"","type":"application/json"}}"#);
        json.raw(r#","defaultApiVersion":"#).value(&token.api_version.number());
        // Zero means never.
        json.raw(r#","lastUsed":"#).value(&last_used_at.map_or(0, Timestamp::as_millis));
        if let Some(end) = token.expires_at {
            json.raw(r#","expiry":"#).value(&end.as_millis());
        }
        json.raw("}");
    }
}

/// Who made a token.
fn write_summary(json: &mut Json<'_>, member: &Member) {
    let id = member.id.hex();
    json.raw(r#","_member":{"_links":{"self":{"href":"/api/v2/members/"#).raw(id.as_str());
    json.raw(r#"","type":"application/json"}},"_id":""#).raw(id.as_str()).raw("\"");
    if !member.name.is_empty() {
        json.raw(r#","firstName":"#).text(&member.name);
    }
    if !member.family_name.is_empty() {
        json.raw(r#","lastName":"#).text(&member.family_name);
    }
    json.raw(r#","role":""#).raw(member.role.as_str());
    json.raw(r#"","email":"#).text(&member.email).raw("}");
}

/// A scope, in one of the three members that can show one.
fn write_scope(json: &mut Json<'_>, scope: &Scope, owner: Option<&Member>) {
    match (scope, owner) {
        // A token made through Canvus may do what its owner may: that is what is shown.
        (Scope::Member, Some(owner)) if !owner.custom_roles.is_empty() => {
            write_roles(json, &owner.custom_roles);
        }
        (Scope::Member, owner) => write_role(json, owner.map_or(BaseRole::NoAccess, |owner| owner.role)),
        (Scope::Base(role), _) => write_role(json, *role),
        (Scope::Roles(ids), _) => write_roles(json, ids),
        (Scope::Inline(policy), _) => {
            let statements: Vec<Statement> = policy.statements().iter().map(Statement::new).collect();
            json.raw(r#","inlineRole":"#).value(&statements);
        }
    }
}

fn write_role(json: &mut Json<'_>, role: BaseRole) {
    json.raw(r#","role":""#).raw(role.as_str()).raw("\"");
}

fn write_roles(json: &mut Json<'_>, ids: &[RoleId]) {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    json.raw(r#","customRoleIds":"#).value(&ids);
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
    pub(super) fn new(statement: &policy::Statement) -> Self {
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

/// The links of a record without others around it.
pub(super) type Links = BTreeMap<&'static str, Link>;

/// A link to the record itself.
pub(super) fn own(path: impl Into<String>) -> Links {
    [("self", Link::to(path))].into()
}

/// A member.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MemberRecord<'a> {
    #[serde(rename = "_links")]
    links: Links,
    #[serde(rename = "_id")]
    id: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    first_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    last_name: &'a str,
    role: &'static str,
    email: &'a str,
    #[serde(rename = "_pendingInvite")]
    pending_invite: bool,
    #[serde(rename = "_verified")]
    verified: bool,
    custom_roles: Vec<String>,
    mfa: &'static str,
    #[serde(rename = "_lastSeen")]
    last_seen: i64,
    creation_date: i64,
}

impl<'a> MemberRecord<'a> {
    /// The member, who holds these custom roles.
    pub(super) fn new(member: &'a Member, custom_roles: &[RoleId], presence: Presence) -> Self {
        Self {
            links: own(format!("/api/v2/members/{}", member.id)),
            id: member.id.to_string(),
            first_name: &member.name,
            last_name: &member.family_name,
            role: member.role.as_str(),
            email: &member.email,
            pending_invite: member.standing == Standing::Pending,
            verified: member.standing == Standing::Active,
            custom_roles: custom_roles.iter().map(ToString::to_string).collect(),
            mfa: "disabled",
            // Zero means never.
            last_seen: presence.last_seen_at.map_or(0, Timestamp::as_millis),
            creation_date: member.created_at.as_millis(),
        }
    }
}

/// A custom role.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Role<'a> {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_links")]
    links: Links,
    key: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    base_permissions: &'static str,
    policy: Vec<Statement>,
}

impl<'a> Role<'a> {
    pub(super) fn new(role: &'a CustomRole) -> Self {
        Self {
            id: role.id.to_string(),
            links: own(format!("/api/v2/roles/{}", role.key)),
            key: &role.key,
            name: &role.name,
            description: &role.description,
            base_permissions: role.base_permissions.as_str(),
            policy: role.policy.statements().iter().map(Statement::new).collect(),
        }
    }
}

/// An account.
#[derive(Serialize)]
pub(super) struct Account {
    #[serde(rename = "_links")]
    pub(super) links: Links,
    #[serde(rename = "_id")]
    pub(super) id: String,
    pub(super) organization: &'static str,
}

/// Part of a list of records.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    #[serde(rename = "_links")]
    pub(super) links: super::paging::Links,
    pub(super) total_count: usize,
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
