//! `/members`: the people of the account.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jeton_core::command::{AddMember, ChangeMember};
use jeton_core::id::MemberId;
use jeton_core::member::{Member, Standing};
use jeton_core::refusal::Refusal;
use jeton_core::role::BaseRole;
use serde::Deserialize;

use super::member_filter::{Filter, sort};
use super::paging::{self, Links};
use super::patch::{Patch, Patchable};
use super::{answer, wire};
use crate::ask::Ask;
use crate::http::json;
use crate::http::object::Object;
use crate::trouble::Trouble;

const MEMBER: usize = 3;
const DEFAULT_LIMIT: u64 = 20;
/// Members in one request.
const MOST_AT_ONCE: usize = 50;
const PATCHABLE: Patchable = &["role", "customRoles", "firstName", "lastName"];

pub(super) async fn list(ask: Ask) -> Result<Response, Trouble> {
    let limit = paging::limit(&ask)?.unwrap_or(DEFAULT_LIMIT);
    let offset = paging::offset(&ask)?.unwrap_or(0);
    let mut members = ask.service().members(&ask.session);
    if let Some(filter) = ask.query().first("filter") {
        let filter = Filter::parse(&ask, &filter)?;
        members.retain(|member| filter.matches(&ask, member));
    }
    sort(&ask, &mut members, &ask.query().first("sort").unwrap_or_default())?;
    let window = members
        .iter()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or(usize::MAX));
    let rest = ["filter", "sort"].map(|name| {
        let value = ask.query().first(name);
        value.map_or(String::new(), |value| format!("&{name}={}", paging::encoded(&value)))
    });
    let page = wire::Page {
        items: window.map(|member| record(&ask, member)).collect(),
        links: Links::new("/api/v2/members", limit, offset, members.len() as u64, &rest.concat()),
        total_count: members.len(),
    };
    Ok(answer::json(StatusCode::OK, &page))
}

pub(super) async fn get(ask: Ask) -> Result<Response, Trouble> {
    let member = named(&ask)?;
    Ok(answer::json(StatusCode::OK, &record(&ask, &member)))
}

/// Adds members, all or none. They may log in once they have a password, and use tokens at once.
pub(super) async fn add(ask: Ask) -> Result<Response, Trouble> {
    let body: Vec<Object<MemberPost>> = json::decode(&ask.body)?;
    if body.is_empty() || body.len() > MOST_AT_ONCE {
        return Err(Trouble::invalid(format!(
            "The body must be an array of 1 to {MOST_AT_ONCE} members, each with an email"
        )));
    }
    let mut passwords = Vec::with_capacity(body.len());
    let mut commands = Vec::with_capacity(body.len());
    for (at, Object(mut post)) in body.into_iter().enumerate() {
        passwords.push(post.password.take());
        commands.push(post.into_command(at)?);
    }
    if passwords.iter().any(Option::is_some) {
        ask.service().may_add_members(&ask.session, &commands).await?;
    }
    for (command, password) in commands.iter_mut().zip(passwords) {
        if let Some(password) = password {
            command.password = Some(ask.service().hash_password(&password).await?);
        }
    }
    let added = ask.service().add_members(&ask.session, &commands).await?;
    let items: Vec<_> = added.iter().map(|member| record(&ask, member)).collect();
    let count = items.len() as u64;
    let page = wire::Page {
        total_count: items.len(),
        items,
        links: Links::new("/api/v2/members", count.max(1), 0, count, ""),
    };
    Ok(answer::json(StatusCode::CREATED, &page))
}

pub(super) async fn patch(ask: Ask) -> Result<Response, Trouble> {
    let patch = Patch::read(&ask, PATCHABLE)?;
    let id = named(&ask)?.id;
    let touched = patch.touched();
    let service = ask.service();
    let command = |member: &Member| {
        let before = serde_json::to_value(record(&ask, member)).map_err(|_| Trouble::Internal)?;
        let (after, _): (Patched, bool) = patch.applied(&before, &[])?;
        let touches = |name| touched.contains(name);
        Ok(ChangeMember {
            role: touches("role").then(|| role(after.role.as_deref(), "/role")).transpose()?,
            custom_roles: touches("customRoles").then(|| after.custom_roles.unwrap_or_default()),
            name: touches("firstName").then(|| after.first_name.unwrap_or_default()),
            family_name: touches("lastName").then(|| after.last_name.unwrap_or_default()),
            ..ChangeMember::default()
        })
    };
    let member = service.change_member_with::<Trouble>(&ask.session, id, command).await?;
    Ok(answer::json(StatusCode::OK, &record(&ask, &member)))
}

pub(super) async fn remove(ask: Ask) -> Result<Response, Trouble> {
    ask.service().remove_member(&ask.session, named(&ask)?.id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A member of the body of an invitation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberPost {
    email: String,
    first_name: Option<String>,
    last_name: Option<String>,
    role: Option<String>,
    custom_roles: Option<Vec<String>>,
    password: Option<String>,
}

impl MemberPost {
    fn into_command(self, at: usize) -> Result<AddMember, Trouble> {
        let custom_roles = self.custom_roles.unwrap_or_default();
        // Terraform sends an empty text for a role that nobody gave.
        let role = match self.role.filter(|name| !name.is_empty()) {
            Some(name) => role(Some(&name), &format!("/{at}/role"))?,
            // Custom roles stand on nothing, and without any a member may look.
            None if custom_roles.is_empty() => BaseRole::Reader,
            None => BaseRole::NoAccess,
        };
        Ok(AddMember {
            email: self.email,
            name: self.first_name.unwrap_or_default(),
            family_name: self.last_name.unwrap_or_default(),
            role,
            custom_roles,
            standing: Standing::Active,
            password: None,
        })
    }
}

/// What a member is after a patch, as far as it can be patched.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patched {
    role: Option<String>,
    custom_roles: Option<Vec<String>>,
    first_name: Option<String>,
    last_name: Option<String>,
}

fn role(name: Option<&str>, pointer: &str) -> Result<BaseRole, Trouble> {
    name.and_then(BaseRole::parse).ok_or_else(|| Trouble::Invalid {
        message: "role must be no_access, reader, writer or admin".to_owned(),
        pointer: Some(pointer.to_owned()),
    })
}

fn record<'m>(ask: &Ask, member: &'m Member) -> wire::MemberRecord<'m> {
    let service = ask.service();
    wire::MemberRecord::new(member, &service.living_roles(member), service.presence(member))
}

/// The member of the path; `me` is whoever asks.
fn named(ask: &Ask) -> Result<Arc<Member>, Trouble> {
    let caller = ask.session.caller();
    let segment = ask.path_segment(MEMBER);
    let id = if segment == "me" { Some(caller.member.id) } else { MemberId::parse(&segment) };
    let id = id.ok_or(Trouble::Refused(Refusal::NoSuchMember))?;
    Ok(ask.service().member(&ask.session, id)?)
}
