//! `/roles`: the custom roles of the account, named by id or by key.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jeton_core::command::{ChangeRole, DefineRole};
use jeton_core::role::{BasePermissions, CustomRole};
use serde::Deserialize;

use super::paging::{self, Links};
use super::patch::{Patch, Patchable};
use super::{answer, body, wire};
use crate::ask::Ask;
use crate::http::json;
use crate::http::object::Object;
use crate::trouble::Trouble;

const ROLE: usize = 3;
const DEFAULT_LIMIT: u64 = 20;
const PATCHABLE: Patchable = &["name", "description", "basePermissions", "policy"];

pub(super) async fn list(ask: Ask) -> Result<Response, Trouble> {
    let roles = ask.service().roles(&ask.session);
    let limit = paging::limit(&ask)?.unwrap_or(DEFAULT_LIMIT);
    let offset = paging::offset(&ask)?.unwrap_or(0);
    let window = roles
        .iter()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or(usize::MAX));
    let page = wire::Page {
        items: window.map(|role| wire::Role::new(role)).collect(),
        links: Links::new("/api/v2/roles", limit, offset, roles.len() as u64, ""),
        total_count: roles.len(),
    };
    Ok(answer::json(StatusCode::OK, &page))
}

pub(super) async fn get(ask: Ask) -> Result<Response, Trouble> {
    let role = ask.service().role(&ask.session, &ask.path_segment(ROLE))?;
    Ok(answer::json(StatusCode::OK, &wire::Role::new(&role)))
}

pub(super) async fn define(ask: Ask) -> Result<Response, Trouble> {
    let Object(post) = json::decode::<Object<RolePost>>(&ask.body)?;
    let command = DefineRole {
        name: post.name,
        key: post.key,
        description: post.description.unwrap_or_default(),
        base_permissions: base_permissions(post.base_permissions.as_deref())?,
        policy: body::policy("policy", post.policy.unwrap_or_default())?,
    };
    let role = ask.service().define_role(&ask.session, &command).await?;
    Ok(answer::json(StatusCode::CREATED, &wire::Role::new(&role)))
}

pub(super) async fn patch(ask: Ask) -> Result<Response, Trouble> {
    let patch = Patch::read(&ask, PATCHABLE)?;
    let touched = patch.touched();
    let command = |role: &CustomRole| {
        let before = serde_json::to_value(wire::Role::new(role)).map_err(|_| Trouble::Internal)?;
        let (after, _): (Patched, bool) = patch.applied(&before, &[])?;
        let touches = |name| touched.contains(name);
        let policy = || body::policy("policy", after.policy.unwrap_or_default());
        Ok(ChangeRole {
            name: touches("name").then(|| after.name.unwrap_or_default()),
            description: touches("description").then(|| after.description.unwrap_or_default()),
            base_permissions: touches("basePermissions")
                .then(|| base_permissions(after.base_permissions.as_deref()))
                .transpose()?,
            policy: touches("policy").then(policy).transpose()?,
        })
    };
    let name = ask.path_segment(ROLE);
    let role = ask.service().change_role_with::<Trouble>(&ask.session, &name, command).await?;
    Ok(answer::json(StatusCode::OK, &wire::Role::new(&role)))
}

pub(super) async fn remove(ask: Ask) -> Result<Response, Trouble> {
    ask.service().remove_role(&ask.session, &ask.path_segment(ROLE)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The body of a definition.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RolePost {
    name: String,
    key: String,
    description: Option<String>,
    base_permissions: Option<String>,
    policy: Option<Vec<Object<wire::Statement>>>,
}

/// What a role is after a patch, as far as it can be patched.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patched {
    name: Option<String>,
    description: Option<String>,
    base_permissions: Option<String>,
    policy: Option<Vec<Object<wire::Statement>>>,
}

fn base_permissions(name: Option<&str>) -> Result<BasePermissions, Trouble> {
    match name {
        None | Some("no_access") => Ok(BasePermissions::NoAccess),
        Some("reader") => Ok(BasePermissions::Reader),
        Some(_) => Err(Trouble::Invalid {
            message: "basePermissions must be no_access or reader".to_owned(),
            pointer: Some("/basePermissions".to_owned()),
        }),
    }
}
