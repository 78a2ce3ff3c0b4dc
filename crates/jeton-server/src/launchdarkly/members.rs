//! `/members`: the people of the account.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jeton_core::command::{AddMember, ChangeMember};
use jeton_core::id::{MemberId, RoleId};
use jeton_core::member::{Member, Standing};
use jeton_core::refusal::Refusal;
use jeton_core::role::BaseRole;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::paging::{self, Links};
use super::patch::{Patch, Patchable};
use super::{answer, wire};
use crate::ask::Ask;
use crate::http::object::Object;
use crate::http::{json, query};
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
        members.retain(|member| filter.matches(member));
    }
    sort(&mut members, &ask.query().first("sort").unwrap_or_default())?;
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
    wire::MemberRecord::new(member, &ask.service().living_roles(member))
}

/// The member of the path; `me` is whoever asks.
fn named(ask: &Ask) -> Result<Arc<Member>, Trouble> {
    let caller = ask.session.caller();
    let segment = ask.path_segment(MEMBER);
    let id = if segment == "me" { Some(caller.member.id) } else { MemberId::parse(&segment) };
    let id = id.ok_or(Trouble::Refused(Refusal::NoSuchMember))?;
    Ok(ask.service().member(&ask.session, id)?)
}

/// Sorts by the fields that the query names, the first above the others.
fn sort(members: &mut [Arc<Member>], fields: &str) -> Result<(), Trouble> {
    // Each keeps the order that the ones before it made.
    for field in fields.rsplit(',').map(str::trim).filter(|field| !field.is_empty()) {
        match field {
            "displayName" => members.sort_by_key(|member| display_name(member)),
            "-displayName" => members.sort_by_key(|member| std::cmp::Reverse(display_name(member))),
            // Nobody was ever seen: whoever looks at the field finds the same everywhere.
            "lastSeen" | "-lastSeen" => {}
            _ => {
                let known = "sort must be displayName or lastSeen, with a dash before it to turn it round";
                return Err(Trouble::invalid(known));
            }
        }
    }
    Ok(())
}

/// What members are sorted by: the name, or the address of somebody without one.
fn display_name(member: &Member) -> String {
    let name = member.full_name();
    if name.is_empty() { member.email.to_lowercase() } else { name.to_lowercase() }
}

/// Which members are listed: every part has to be true of them.
struct Filter(Vec<Part>);

/// A part, and what the member may have in it. A list gives several, and so does a text in two spellings.
enum Part {
    Query(Vec<String>),
    Role(Vec<RoleName>),
    Id(Vec<String>),
    Email(Vec<String>),
    /// There are no teams, so that either everybody is meant or nobody.
    Everybody(bool),
}

enum RoleName {
    Base(BaseRole),
    Custom(RoleId),
}

impl Filter {
    /// Reads `field:value,field:value`.
    fn parse(ask: &Ask, text: &str) -> Result<Self, Trouble> {
        let parts = text.split(',').filter(|text| !text.trim().is_empty());
        let parts: Option<Vec<_>> = parts.map(|part| Part::parse(ask, part)).collect();
        parts.map(Self).ok_or_else(|| {
            Trouble::invalid(
                "filter must be parts of query:TEXT, role:ROLE, id:ID, email:ADDRESS, team:KEY and noteam:BOOLEAN, \
                 joined by commas; roles, ids and addresses may be several, joined by bars",
            )
        })
    }

    fn matches(&self, member: &Member) -> bool {
        self.0.iter().all(|part| part.matches(member))
    }
}

impl Part {
    fn parse(ask: &Ask, text: &str) -> Option<Self> {
        let (name, value) = text.split_once(':')?;
        let value = value.trim();
        // Terraform encodes the value once more than the query does. What it means is one of the two.
        let decoded = percent_decode_str(value).decode_utf8().ok().filter(|decoded| *decoded != value);
        let spellings = || std::iter::once(value).chain(decoded.as_deref());
        let list = || spellings().flat_map(|spelling| spelling.split('|')).map(str::trim);
        Some(match name.trim() {
            "query" => Self::Query(spellings().map(str::to_lowercase).collect()),
            "role" => Self::Role(list().filter_map(|name| RoleName::of(ask, name)).collect()),
            "id" => Self::Id(list().map(str::to_owned).collect()),
            "email" => Self::Email(list().map(str::to_lowercase).collect()),
            "team" => Self::Everybody(false),
            "noteam" => Self::Everybody(query::boolean(value)?),
            _ => return None,
        })
    }

    fn matches(&self, member: &Member) -> bool {
        match self {
            Self::Query(texts) => {
                let (email, name) = (member.email.to_lowercase(), member.full_name().to_lowercase());
                texts.iter().any(|text| email.contains(text) || name.contains(text))
            }
            Self::Role(roles) => roles.iter().any(|role| role.is_held_by(member)),
            Self::Id(ids) => ids.contains(&member.id.to_string()),
            Self::Email(emails) => emails.contains(&member.email.to_lowercase()),
            Self::Everybody(everybody) => *everybody,
        }
    }
}

impl RoleName {
    /// A base role, or a custom role by key or id. `None` for what nobody can hold.
    fn of(ask: &Ask, name: &str) -> Option<Self> {
        match BaseRole::parse(&name.to_lowercase()) {
            Some(role) => Some(Self::Base(role)),
            None => ask.service().role(&ask.session, name).ok().map(|role| Self::Custom(role.id)),
        }
    }

    /// Whether the member has it. The owner counts as an administrator.
    fn is_held_by(&self, member: &Member) -> bool {
        match self {
            Self::Base(BaseRole::Admin) => member.role.is_administrator(),
            Self::Base(role) => member.role == *role,
            Self::Custom(id) => member.custom_roles.contains(id),
        }
    }
}
