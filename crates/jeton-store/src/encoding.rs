//! How records are written into columns and into the change log: as JSON, so that an operator can read a database with
//! its own shell, and so that both adapters write the same.
//!
//! These shapes are kept for ever once they are released. A field may be added with a default; none may change its
//! meaning.

use jeton_core::account::Account;
use jeton_core::authority::{Authority, Grant, PolicyGrant};
use jeton_core::caller::Rights;
use jeton_core::change::{Event, Revision};
use jeton_core::digest::Digest;
use jeton_core::id::{AccountId, MemberId, RoleId, TokenId};
use jeton_core::member::{Member, PasswordHash, Standing};
use jeton_core::policy::{Effect, Policy, Statement};
use jeton_core::role::{BasePermissions, BaseRole, CustomRole};
use jeton_core::secret::LastFour;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{ApiVersion, RetiringSecret, Scope, SecretRecord, Token, TokenKind};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// Says what could not be read.
pub(crate) fn unreadable(what: &str) -> StoreError {
    StoreError::Unreadable(what.to_owned())
}

pub(crate) fn kind_name(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Personal => "personal",
        TokenKind::Service => "service",
    }
}

pub(crate) fn kind(name: &str) -> Result<TokenKind, StoreError> {
    match name {
        "personal" => Ok(TokenKind::Personal),
        "service" => Ok(TokenKind::Service),
        _ => Err(unreadable("kind of a token")),
    }
}

pub(crate) fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Pending => "pending",
        Standing::Active => "active",
        Standing::Blocked => "blocked",
        Standing::Removed => "removed",
    }
}

pub(crate) fn standing(name: &str) -> Result<Standing, StoreError> {
    match name {
        "pending" => Ok(Standing::Pending),
        "active" => Ok(Standing::Active),
        "blocked" => Ok(Standing::Blocked),
        "removed" => Ok(Standing::Removed),
        _ => Err(unreadable("standing of a member")),
    }
}

pub(crate) fn role(name: &str) -> Result<BaseRole, StoreError> {
    BaseRole::parse(name).ok_or_else(|| unreadable("base role"))
}

pub(crate) fn base_permissions_name(base: BasePermissions) -> &'static str {
    match base {
        BasePermissions::NoAccess => "no_access",
        BasePermissions::Reader => "reader",
    }
}

pub(crate) fn base_permissions(name: &str) -> Result<BasePermissions, StoreError> {
    match name {
        "no_access" => Ok(BasePermissions::NoAccess),
        "reader" => Ok(BasePermissions::Reader),
        _ => Err(unreadable("base permissions of a role")),
    }
}

pub(crate) fn api_version(number: u32) -> Result<ApiVersion, StoreError> {
    ApiVersion::new(number).ok_or_else(|| unreadable("API version"))
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("these shapes have text keys only, so JSON can say them all")
}

fn parse<'a, T: Deserialize<'a>>(what: &str, text: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable(&format!("{what}: {error}")))
}

#[derive(Serialize, Deserialize)]
struct StatementDoc {
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

fn statements(policy: &Policy) -> Vec<StatementDoc> {
    let doc = |statement: &Statement| StatementDoc {
        effect: statement.effect.as_str().to_owned(),
        resources: statement.resources.clone(),
        not_resources: statement.not_resources.clone(),
        actions: statement.actions.clone(),
        not_actions: statement.not_actions.clone(),
    };
    policy.statements().iter().map(doc).collect()
}

fn policy(docs: Vec<StatementDoc>) -> Result<Policy, StoreError> {
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

pub(crate) fn policy_from(text: &str) -> Result<Policy, StoreError> {
    policy(parse("policy", text)?)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScopeDoc {
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

fn role_ids(ids: &[String]) -> Result<Vec<RoleId>, StoreError> {
    ids.iter().map(|id| RoleId::parse(id).ok_or_else(|| unreadable("id of a role"))).collect()
}

/// A scope in a column.
pub(crate) fn scope_text(scope: &Scope) -> String {
    match scope {
        Scope::Member => r#""member""#.to_owned(),
        other => json(&ScopeDoc::from(other)),
    }
}

pub(crate) fn scope_from(text: &str) -> Result<Scope, StoreError> {
    // A database has millions of these, and nearly all are one word.
    if text == r#""member""# {
        return Ok(Scope::Member);
    }
    parse::<ScopeDoc>("scope", text)?.try_into()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum GrantDoc {
    Base(String),
    Member { id: String, role: String },
    AnyOf(Vec<PolicyGrantDoc>),
}

#[derive(Serialize, Deserialize)]
struct PolicyGrantDoc {
    base_permissions: String,
    policy: Vec<StatementDoc>,
}

fn grants(authority: &Authority) -> Vec<GrantDoc> {
    let policy_grant = |grant: &PolicyGrant| PolicyGrantDoc {
        base_permissions: base_permissions_name(grant.base_permissions).to_owned(),
        policy: statements(&grant.policy),
    };
    let grant = |grant: &Grant| match grant {
        Grant::Base(role) => GrantDoc::Base(role.as_str().to_owned()),
        Grant::Member { id, role } => GrantDoc::Member { id: id.to_string(), role: role.as_str().to_owned() },
        Grant::AnyOf(grants) => GrantDoc::AnyOf(grants.iter().map(policy_grant).collect()),
    };
    authority.grants().iter().map(grant).collect()
}

fn authority(docs: Vec<GrantDoc>) -> Result<Authority, StoreError> {
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

pub(crate) fn ceiling_from(text: &str) -> Result<Authority, StoreError> {
    if text.is_empty() { Ok(Authority::default()) } else { authority(parse("ceiling", text)?) }
}

/// What a token may do, from its columns.
pub(crate) fn rights_from(
    kind_text: &str,
    scope: &str,
    ceiling: &str,
    version: u32,
) -> Result<Rights, StoreError> {
    Ok(Rights {
        kind: kind(kind_text)?,
        scope: scope_from(scope)?,
        ceiling: ceiling_from(ceiling)?,
        api_version: api_version(version)?,
    })
}

/// Role ids in a column: JSON, or empty text for none.
pub(crate) fn role_ids_text(ids: &[RoleId]) -> String {
    if ids.is_empty() {
        return String::new();
    }
    json(&ids.iter().map(ToString::to_string).collect::<Vec<_>>())
}

pub(crate) fn role_ids_from(text: &str) -> Result<Vec<RoleId>, StoreError> {
    if text.is_empty() { Ok(Vec::new()) } else { role_ids(&parse::<Vec<String>>("roles of a member", text)?) }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn digest(text: &str) -> Result<Digest, StoreError> {
    let digit = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = digit(at * 2).ok_or_else(|| unreadable("digest"))?;
    }
    Ok(Digest::from_bytes(bytes))
}

pub(crate) fn last_four(text: &str) -> Result<LastFour, StoreError> {
    LastFour::parse(text).ok_or_else(|| unreadable("last four characters of a secret"))
}

fn account_id(text: &str) -> Result<AccountId, StoreError> {
    AccountId::parse(text).ok_or_else(|| unreadable("id of an account"))
}

fn member_id(text: &str) -> Result<MemberId, StoreError> {
    MemberId::parse(text).ok_or_else(|| unreadable("id of a member"))
}

#[derive(Serialize, Deserialize)]
struct SecretDoc {
    digest: String,
    last_four: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends_at: Option<i64>,
}

impl SecretDoc {
    fn new(record: &SecretRecord, ends_at: Option<Timestamp>) -> Self {
        Self {
            digest: hex(record.digest.as_bytes()),
            last_four: record.last_four.as_str().to_owned(),
            ends_at: ends_at.map(Timestamp::as_millis),
        }
    }

    fn record(&self) -> Result<SecretRecord, StoreError> {
        Ok(SecretRecord { digest: digest(&self.digest)?, last_four: last_four(&self.last_four)? })
    }
}

#[derive(Serialize, Deserialize)]
struct TokenDoc {
    id: String,
    account: String,
    owner: String,
    kind: String,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    scope: ScopeDoc,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ceiling: Vec<GrantDoc>,
    api_version: u32,
    issued_at: i64,
    modified_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    secret: SecretDoc,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retiring: Option<SecretDoc>,
    revision: u64,
}

fn token_text(token: &Token) -> String {
    json(&TokenDoc {
        id: token.id.to_string(),
        account: token.account.to_string(),
        owner: token.owner.to_string(),
        kind: kind_name(token.kind).to_owned(),
        name: token.name.clone(),
        description: token.description.clone(),
        scope: ScopeDoc::from(&token.scope),
        ceiling: grants(&token.ceiling),
        api_version: token.api_version.number(),
        issued_at: token.issued_at.as_millis(),
        modified_at: token.modified_at.as_millis(),
        expires_at: token.expires_at.map(Timestamp::as_millis),
        secret: SecretDoc::new(&token.secret, None),
        retiring: token.retiring.map(|retiring| SecretDoc::new(&retiring.record, Some(retiring.ends_at))),
        revision: token.revision.number(),
    })
}

fn token_from(text: &str) -> Result<Token, StoreError> {
    let doc: TokenDoc = parse("token", text)?;
    let retiring = |doc: SecretDoc| {
        let ends_at = Timestamp::from_millis(doc.ends_at.ok_or_else(|| unreadable("end of a secret"))?);
        Ok(RetiringSecret { record: doc.record()?, ends_at })
    };
    Ok(Token {
        id: TokenId::parse(&doc.id).ok_or_else(|| unreadable("id of a token"))?,
        account: account_id(&doc.account)?,
        owner: member_id(&doc.owner)?,
        kind: kind(&doc.kind)?,
        name: doc.name,
        description: doc.description,
        scope: doc.scope.try_into()?,
        ceiling: authority(doc.ceiling)?,
        api_version: api_version(doc.api_version)?,
        issued_at: Timestamp::from_millis(doc.issued_at),
        modified_at: Timestamp::from_millis(doc.modified_at),
        expires_at: doc.expires_at.map(Timestamp::from_millis),
        secret: doc.secret.record()?,
        retiring: doc.retiring.map(retiring).transpose()?,
        revision: Revision::new(doc.revision),
    })
}

#[derive(Serialize, Deserialize)]
struct MemberDoc {
    id: String,
    account: String,
    number: u32,
    email: String,
    name: String,
    role: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    custom_roles: Vec<String>,
    standing: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    created_at: i64,
    revision: u64,
}

fn member_text(member: &Member) -> String {
    json(&MemberDoc {
        id: member.id.to_string(),
        account: member.account.to_string(),
        number: member.number,
        email: member.email.clone(),
        name: member.name.clone(),
        role: member.role.as_str().to_owned(),
        custom_roles: member.custom_roles.iter().map(ToString::to_string).collect(),
        standing: standing_name(member.standing).to_owned(),
        password: member.password.as_ref().map(|hash| hash.as_phc().to_owned()),
        created_at: member.created_at.as_millis(),
        revision: member.revision.number(),
    })
}

fn member_from(text: &str) -> Result<Member, StoreError> {
    let doc: MemberDoc = parse("member", text)?;
    Ok(Member {
        id: member_id(&doc.id)?,
        account: account_id(&doc.account)?,
        number: doc.number,
        email: doc.email,
        name: doc.name,
        role: role(&doc.role)?,
        custom_roles: role_ids(&doc.custom_roles)?,
        standing: standing(&doc.standing)?,
        password: doc.password.map(PasswordHash::new),
        created_at: Timestamp::from_millis(doc.created_at),
        revision: Revision::new(doc.revision),
    })
}

#[derive(Serialize, Deserialize)]
struct RoleDoc {
    id: String,
    account: String,
    key: String,
    name: String,
    base_permissions: String,
    policy: Vec<StatementDoc>,
    created_at: i64,
    revision: u64,
}

fn role_text(role: &CustomRole) -> String {
    json(&RoleDoc {
        id: role.id.to_string(),
        account: role.account.to_string(),
        key: role.key.clone(),
        name: role.name.clone(),
        base_permissions: base_permissions_name(role.base_permissions).to_owned(),
        policy: statements(&role.policy),
        created_at: role.created_at.as_millis(),
        revision: role.revision.number(),
    })
}

fn role_from(text: &str) -> Result<CustomRole, StoreError> {
    let doc: RoleDoc = parse("role", text)?;
    Ok(CustomRole {
        id: RoleId::parse(&doc.id).ok_or_else(|| unreadable("id of a role"))?,
        account: account_id(&doc.account)?,
        key: doc.key,
        name: doc.name,
        base_permissions: base_permissions(&doc.base_permissions)?,
        policy: policy(doc.policy)?,
        created_at: Timestamp::from_millis(doc.created_at),
        revision: Revision::new(doc.revision),
    })
}

#[derive(Serialize, Deserialize)]
struct AccountDoc {
    id: String,
    name: String,
    created_at: i64,
    revision: u64,
}

fn account_text(account: &Account) -> String {
    json(&AccountDoc {
        id: account.id.to_string(),
        name: account.name.clone(),
        created_at: account.created_at.as_millis(),
        revision: account.revision.number(),
    })
}

fn account_from(text: &str) -> Result<Account, StoreError> {
    let doc: AccountDoc = parse("account", text)?;
    Ok(Account {
        id: account_id(&doc.id)?,
        name: doc.name,
        created_at: Timestamp::from_millis(doc.created_at),
        revision: Revision::new(doc.revision),
    })
}

/// An event as the log keeps it: its name, and the record before and after.
pub(crate) struct EventText {
    pub(crate) name: &'static str,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

pub(crate) fn event_text(event: &Event) -> EventText {
    let (before, after) = match event {
        Event::AccountFounded { account } => (None, Some(account_text(account))),
        Event::MemberAdded { member } => (None, Some(member_text(member))),
        Event::MemberChanged { before, after } => (Some(member_text(before)), Some(member_text(after))),
        Event::RoleDefined { role } => (None, Some(role_text(role))),
        Event::RoleChanged { before, after } => (Some(role_text(before)), Some(role_text(after))),
        Event::RoleRemoved { role } => (Some(role_text(role)), None),
        Event::TokenIssued { token } => (None, Some(token_text(token))),
        Event::TokenChanged { before, after } | Event::TokenRotated { before, after } => {
            (Some(token_text(before)), Some(token_text(after)))
        }
        Event::TokenRevoked { token } => (Some(token_text(token)), None),
    };
    EventText { name: event.name(), before, after }
}

pub(crate) fn event_from(name: &str, before: Option<&str>, after: Option<&str>) -> Result<Event, StoreError> {
    let before = || before.ok_or_else(|| unreadable("change without the record before it"));
    let after = || after.ok_or_else(|| unreadable("change without the record after it"));
    Ok(match name {
        "account.founded" => Event::AccountFounded { account: account_from(after()?)? },
        "member.added" => Event::MemberAdded { member: member_from(after()?)? },
        "member.changed" => {
            Event::MemberChanged { before: member_from(before()?)?, after: member_from(after()?)? }
        }
        "role.defined" => Event::RoleDefined { role: role_from(after()?)? },
        "role.changed" => Event::RoleChanged { before: role_from(before()?)?, after: role_from(after()?)? },
        "role.removed" => Event::RoleRemoved { role: role_from(before()?)? },
        "token.issued" => Event::TokenIssued { token: token_from(after()?)? },
        "token.changed" => {
            Event::TokenChanged { before: token_from(before()?)?, after: token_from(after()?)? }
        }
        "token.rotated" => {
            Event::TokenRotated { before: token_from(before()?)?, after: token_from(after()?)? }
        }
        "token.revoked" => Event::TokenRevoked { token: token_from(before()?)? },
        other => return Err(unreadable(&format!("change of the kind {other:?}"))),
    })
}
