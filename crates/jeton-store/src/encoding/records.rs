//! Records, whole, as the log keeps them.

use jeton_core::account::Account;
use jeton_core::id::{RoleId, TokenId};
use jeton_core::member::{Member, PasswordHash};
use jeton_core::revision::Revision;
use jeton_core::role::CustomRole;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{RetiringSecret, SecretRecord, Token};
use serde::{Deserialize, Serialize};

use super::rights::{GrantDoc, ScopeDoc, StatementDoc, authority, grants, policy, statements};
use super::words::{
    account_id, api_version, base_permissions, digest, hex, json, kind, last_four, member_id, parse, role,
    role_ids, standing, unreadable,
};
use crate::StoreError;

#[derive(Serialize, Deserialize)]
pub(super) struct SecretDoc {
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
pub(super) struct TokenDoc {
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

pub(crate) fn token_text(token: &Token) -> String {
    json(&TokenDoc {
        id: token.id.to_string(),
        account: token.account.to_string(),
        owner: token.owner.to_string(),
        kind: token.kind.as_str().to_owned(),
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

pub(super) fn token_from(text: &str) -> Result<Token, StoreError> {
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
pub(super) struct MemberDoc {
    id: String,
    account: String,
    number: u32,
    email: String,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    family_name: String,
    role: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    custom_roles: Vec<String>,
    standing: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    created_at: i64,
    revision: u64,
}

pub(crate) fn member_text(member: &Member) -> String {
    json(&MemberDoc {
        id: member.id.to_string(),
        account: member.account.to_string(),
        number: member.number,
        email: member.email.clone(),
        name: member.name.clone(),
        family_name: member.family_name.clone(),
        role: member.role.as_str().to_owned(),
        custom_roles: member.custom_roles.iter().map(ToString::to_string).collect(),
        standing: member.standing.as_str().to_owned(),
        password: member.password.as_ref().map(|hash| hash.as_phc().to_owned()),
        created_at: member.created_at.as_millis(),
        revision: member.revision.number(),
    })
}

pub(super) fn member_from(text: &str) -> Result<Member, StoreError> {
    let doc: MemberDoc = parse("member", text)?;
    Ok(Member {
        id: member_id(&doc.id)?,
        account: account_id(&doc.account)?,
        number: doc.number,
        email: doc.email,
        name: doc.name,
        family_name: doc.family_name,
        role: role(&doc.role)?,
        custom_roles: role_ids(&doc.custom_roles)?,
        standing: standing(&doc.standing)?,
        password: doc.password.map(PasswordHash::new),
        created_at: Timestamp::from_millis(doc.created_at),
        revision: Revision::new(doc.revision),
    })
}

#[derive(Serialize, Deserialize)]
pub(super) struct RoleDoc {
    id: String,
    account: String,
    key: String,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    base_permissions: String,
    policy: Vec<StatementDoc>,
    created_at: i64,
    revision: u64,
}

pub(crate) fn role_text(role: &CustomRole) -> String {
    json(&RoleDoc {
        id: role.id.to_string(),
        account: role.account.to_string(),
        key: role.key.clone(),
        name: role.name.clone(),
        description: role.description.clone(),
        base_permissions: role.base_permissions.as_str().to_owned(),
        policy: statements(&role.policy),
        created_at: role.created_at.as_millis(),
        revision: role.revision.number(),
    })
}

pub(super) fn role_from(text: &str) -> Result<CustomRole, StoreError> {
    let doc: RoleDoc = parse("role", text)?;
    Ok(CustomRole {
        id: RoleId::parse(&doc.id).ok_or_else(|| unreadable("id of a role"))?,
        account: account_id(&doc.account)?,
        key: doc.key,
        name: doc.name,
        description: doc.description,
        base_permissions: base_permissions(&doc.base_permissions)?,
        policy: policy(doc.policy)?,
        created_at: Timestamp::from_millis(doc.created_at),
        revision: Revision::new(doc.revision),
    })
}

#[derive(Serialize, Deserialize)]
pub(super) struct AccountDoc {
    id: String,
    name: String,
    created_at: i64,
    revision: u64,
}

pub(crate) fn account_text(account: &Account) -> String {
    json(&AccountDoc {
        id: account.id.to_string(),
        name: account.name.clone(),
        created_at: account.created_at.as_millis(),
        revision: account.revision.number(),
    })
}

pub(super) fn account_from(text: &str) -> Result<Account, StoreError> {
    let doc: AccountDoc = parse("account", text)?;
    Ok(Account {
        id: account_id(&doc.id)?,
        name: doc.name,
        created_at: Timestamp::from_millis(doc.created_at),
        revision: Revision::new(doc.revision),
    })
}
