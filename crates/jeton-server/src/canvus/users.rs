//! `/users`: the people of the account, as Canvus shows and manages them.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jeton_core::command::{AddMember, ChangeMember};
use jeton_core::member::{Member, Standing};
use jeton_core::role::BaseRole;
use serde::Deserialize;

use super::streams::{self, Shape};
use super::{answer, user_number, wire};
use crate::ask::Ask;
use crate::http::json;
use crate::http::object::Object;
use crate::trouble::Trouble;

/// What somebody who is no administrator gets: their own tokens, and whatever is no matter of people.
const REGULAR: BaseRole = BaseRole::Writer;

pub(super) async fn list(ask: Ask) -> Result<Response, Trouble> {
    if streams::is_wanted(&ask) {
        let mut watch = ask.service().watch_members(&ask.session, None)?;
        let first = watch.there().await?;
        return Ok(streams::answer(&ask, watch, first, Shape::List));
    }
    let members = ask.service().members(&ask.session);
    let users: Vec<_> = members.iter().map(|member| user_of(&ask, member)).collect();
    Ok(answer::json(&users))
}

pub(super) async fn get(ask: Ask) -> Result<Response, Trouble> {
    let member = user(&ask)?;
    if streams::is_wanted(&ask) {
        let mut watch = ask.service().watch_members(&ask.session, Some(member.number))?;
        let first = watch.there().await?;
        return Ok(streams::answer(&ask, watch, first, Shape::Single));
    }
    Ok(shown(&ask, &member))
}

pub(super) async fn create(ask: Ask) -> Result<Response, Trouble> {
    administrators_only(&ask)?;
    let Object::<Fields>(body) = json::decode(&ask.body)?;
    let missing = |name: &str| Trouble::invalid(format!("{name} parameter is missing"));
    let blocked = body.blocked.unwrap_or(false);
    let standing = match (blocked, body.approved) {
        (true, _) => Standing::Blocked,
        (false, Some(false)) => Standing::Pending,
        (false, _) => Standing::Active,
    };
    let password = match &body.password {
        Some(password) => Some(ask.service().hash_password(password).await?),
        None => None,
    };
    let command = AddMember {
        email: body.email.ok_or_else(|| missing("email"))?,
        name: body.name.ok_or_else(|| missing("name"))?,
        family_name: String::new(),
        role: if body.admin.unwrap_or(false) { BaseRole::Admin } else { REGULAR },
        custom_roles: Vec::new(),
        standing,
        password,
    };
    match ask.service().add_members(&ask.session, &[command]).await?.first() {
        Some(member) => Ok(shown(&ask, member)),
        None => Err(Trouble::Internal),
    }
}

pub(super) async fn patch(ask: Ask) -> Result<Response, Trouble> {
    let member = user(&ask)?;
    let id = member.id;
    let Object::<Fields>(body) = json::decode(&ask.body)?;
    let password = match &body.password {
        Some(password) => {
            ask.service().may_set_password(&ask.session, &member)?;
            Some(ask.service().hash_password(password).await?)
        }
        None => None,
    };
    let command = |member: &Member| {
        let standing = body.standing(member.standing);
        let admin = body.admin.filter(|admin| *admin != member.role.is_administrator());
        Ok(ChangeMember {
            email: body.email.clone(),
            name: body.name.clone(),
            family_name: body.name.as_ref().map(|_| String::new()),
            role: admin.map(|admin| if admin { BaseRole::Admin } else { REGULAR }),
            custom_roles: admin.filter(|_| !member.custom_roles.is_empty()).map(|_| Vec::new()),
            standing: (standing != member.standing).then_some(standing),
            password: password.clone(),
        })
    };
    let member = ask.service().change_member_with::<Trouble>(&ask.session, id, command).await?;
    Ok(shown(&ask, &member))
}

pub(super) async fn delete(ask: Ask) -> Result<Response, Trouble> {
    administrators_only(&ask)?;
    ask.service().remove_member(&ask.session, user(&ask)?.id).await?;
    Ok(StatusCode::OK.into_response())
}

pub(super) async fn block(ask: Ask) -> Result<Response, Trouble> {
    set_standing(ask, |_| Standing::Blocked).await
}

pub(super) async fn unblock(ask: Ask) -> Result<Response, Trouble> {
    set_standing(ask, |now| if now == Standing::Blocked { Standing::Active } else { now }).await
}

pub(super) async fn approve(ask: Ask) -> Result<Response, Trouble> {
    set_standing(ask, |now| if now == Standing::Pending { Standing::Active } else { now }).await
}

pub(super) async fn password(ask: Ask) -> Result<Response, Trouble> {
    let id = user(&ask)?.id;
    let Object::<Passwords>(body) = json::decode(&ask.body)?;
    let service = ask.service();
    let email = &ask.session.caller().member.email;
    ask.shared.gate.admit_own_password(service, email)?;
    let current = body.current_password.as_deref();
    match service.set_password(&ask.session, id, current, &body.new_password).await {
        Ok(member) => Ok(shown(&ask, &member)),
        Err(error) => {
            let trouble = Trouble::from(error);
            Err(ask.shared.gate.password_failed(service, email, trouble))
        }
    }
}

async fn set_standing(ask: Ask, next: impl Fn(Standing) -> Standing) -> Result<Response, Trouble> {
    administrators_only(&ask)?;
    let id = user(&ask)?.id;
    let command = |member: &Member| {
        Ok(ChangeMember { standing: Some(next(member.standing)), ..ChangeMember::default() })
    };
    let member = ask.service().change_member_with::<Trouble>(&ask.session, id, command).await?;
    Ok(shown(&ask, &member))
}

/// The user of the path. Everybody signed in may know of everybody.
fn user(ask: &Ask) -> Result<Arc<Member>, Trouble> {
    Ok(ask.service().member_by_number(&ask.session, user_number(ask)?)?)
}

/// Refused before anything else is looked at: who may not manage people learns nothing of them by trying.
fn administrators_only(ask: &Ask) -> Result<(), Trouble> {
    Ok(ask.service().require_administrator(&ask.session)?)
}

fn shown(ask: &Ask, member: &Member) -> Response {
    answer::json(&user_of(ask, member))
}

fn user_of<'m>(ask: &Ask, member: &'m Member) -> wire::User<'m> {
    wire::User::new(member, ask.service().presence(member))
}

/// The body of a create and of a change. Members that nobody knows are ignored.
#[derive(Deserialize)]
struct Fields {
    email: Option<String>,
    name: Option<String>,
    password: Option<String>,
    admin: Option<bool>,
    approved: Option<bool>,
    blocked: Option<bool>,
}

impl Fields {
    /// The standing that the two flags make of the one that there is.
    fn standing(&self, now: Standing) -> Standing {
        let approved = match self.approved {
            Some(true) if now == Standing::Pending => Standing::Active,
            Some(false) if now == Standing::Active => Standing::Pending,
            _ => now,
        };
        match self.blocked {
            Some(true) => Standing::Blocked,
            Some(false) if approved == Standing::Blocked => Standing::Active,
            _ => approved,
        }
    }
}

#[derive(Deserialize)]
struct Passwords {
    current_password: Option<String>,
    new_password: String,
}
