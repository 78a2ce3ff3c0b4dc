//! Members: adding, changing, removing.
//!
//! Two bounds hold beside the policies. Nobody gives away rights that they don't have themselves, and nobody touches a
//! member who may do more than they: the password of an administrator is worth an administrator. The owner stays the
//! owner.

use crate::authority::Authority;
use crate::caller::{Caller, Roles, member_grant};
use crate::change::{Event, Expectation, Proposal, Revision};
use crate::command::{AddMember, ChangeMember};
use crate::id::{MemberId, RoleId};
use crate::limits::Limits;
use crate::member::{Member, Standing};
use crate::policy::{Resource, action};
use crate::refusal::Refusal;
use crate::role::BaseRole;
use crate::timestamp::Timestamp;

use super::Fresh;
use super::scope::find_all;

/// The longest address that mail can be sent to (RFC 5321, section 4.5.3.1.3, less the brackets).
const LONGEST_EMAIL: usize = 254;

/// What the account knows, and the rules about members need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberFacts {
    /// The number that the next member gets.
    pub number: u32,
    /// How many members there are, the removed ones left out.
    pub members: usize,
    /// Whether another member has the address that is asked for.
    pub email_taken: bool,
}

/// Decides whether the caller may add this member.
///
/// # Errors
/// Refusals about rights, the address, texts, roles and limits.
pub fn add_member(
    caller: &Caller,
    command: &AddMember,
    facts: MemberFacts,
    roles: &impl Roles,
    limits: &Limits,
    now: Timestamp,
    fresh: &Fresh,
) -> Result<Proposal, Refusal> {
    let id = MemberId::new(now, fresh.id);
    require(caller, action::CREATE_MEMBER, id)?;
    check_email(&command.email, facts.email_taken)?;
    Refusal::check_text("name", &command.name, limits)?;
    Refusal::check_text("name", &command.family_name, limits)?;
    if command.role == BaseRole::Owner {
        return Err(Refusal::OneOwner);
    }
    let member = Member {
        id,
        account: caller.account,
        number: facts.number,
        email: command.email.clone(),
        name: command.name.clone(),
        family_name: command.family_name.clone(),
        role: command.role,
        custom_roles: find_all(caller, &command.custom_roles, roles, limits)?,
        standing: command.standing,
        password: command.password.clone(),
        created_at: now,
        revision: Revision::ZERO,
    };
    check_gift(caller, &member, roles)?;
    if facts.members >= limits.members {
        return Err(Refusal::MemberLimit { limit: limits.members });
    }
    Ok(proposal(caller, now, Event::MemberAdded { member }, None))
}

/// Decides whether the caller may change this member so. `None` means that they may, and nothing would be different.
///
/// Everybody changes their own name and, with a token that may all that they may, their address and password; everything
/// else needs an action.
///
/// # Errors
/// Refusals about rights, the owner, the address, texts and roles.
pub fn change_member(
    caller: &Caller,
    before: &Member,
    command: &ChangeMember,
    facts: MemberFacts,
    roles: &impl Roles,
    limits: &Limits,
    now: Timestamp,
) -> Result<Option<Proposal>, Refusal> {
    if before.account != caller.account || before.standing == Standing::Removed {
        return Err(Refusal::NoSuchMember);
    }
    let (own, id) = (caller.is_person(before.id), before.id);
    let personal = command.email.is_some()
        || command.name.is_some()
        || command.family_name.is_some()
        || command.password.is_some();
    if command.standing.is_some() || (personal && !own) {
        require(caller, action::UPDATE_MEMBER, id)?;
    }
    if command.role.is_some() {
        require(caller, action::UPDATE_ROLE, id)?;
    }
    if command.custom_roles.is_some() {
        require(caller, action::UPDATE_CUSTOM_ROLE, id)?;
    }
    if !own {
        check_strength(caller, before, roles)?;
    } else if command.email.is_some() || command.password.is_some() {
        // Who logs in with a password may all that the member may, so a narrow token must not choose it.
        check_whole(caller, before, roles)?;
    }
    let mut after = before.clone();
    if let Some(email) = &command.email {
        check_email(email, facts.email_taken)?;
        after.email.clone_from(email);
    }
    for (given, field) in [(&command.name, &mut after.name), (&command.family_name, &mut after.family_name)] {
        if let Some(text) = given {
            Refusal::check_text("name", text, limits)?;
            field.clone_from(text);
        }
    }
    after.role = command.role.unwrap_or(before.role);
    if let Some(names) = &command.custom_roles {
        after.custom_roles = find_all(caller, names, roles, limits)?;
    }
    after.standing = command.standing.unwrap_or(before.standing);
    if let Some(password) = &command.password {
        after.password = Some(password.clone());
    }
    check_owner(before, &after)?;
    if (after.role, &after.custom_roles) != (before.role, &before.custom_roles) {
        check_gift(caller, &after, roles)?;
    }
    if after == *before {
        return Ok(None);
    }
    let event = Event::MemberChanged { before: before.clone(), after };
    Ok(Some(proposal(caller, now, event, Some(before))))
}

/// Decides whether the caller may remove this member. The personal tokens and the logins go with the member.
///
/// # Errors
/// [`Refusal::NoSuchMember`], [`Refusal::NotAllowed`], [`Refusal::OwnerStays`], [`Refusal::StrongerMember`].
pub fn remove_member(
    caller: &Caller,
    before: &Member,
    roles: &impl Roles,
    now: Timestamp,
) -> Result<Proposal, Refusal> {
    if before.account != caller.account || before.standing == Standing::Removed {
        return Err(Refusal::NoSuchMember);
    }
    require(caller, action::DELETE_MEMBER, before.id)?;
    let after = Member { standing: Standing::Removed, password: None, ..before.clone() };
    check_owner(before, &after)?;
    check_strength(caller, before, roles)?;
    let event = Event::MemberChanged { before: before.clone(), after };
    Ok(proposal(caller, now, event, Some(before)))
}

fn require(caller: &Caller, action: &'static str, member: MemberId) -> Result<(), Refusal> {
    caller.require(action, Resource::member(member.hex().as_str()))
}

fn check_email(email: &str, taken: bool) -> Result<(), Refusal> {
    let good = email.len() <= LONGEST_EMAIL
        && email.chars().all(|character| !character.is_whitespace() && !character.is_control())
        && email.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    match (good, taken) {
        (false, _) => Err(Refusal::BadEmail { email: email.to_owned() }),
        (_, true) => Err(Refusal::EmailTaken { email: email.to_owned() }),
        _ => Ok(()),
    }
}

fn check_owner(before: &Member, after: &Member) -> Result<(), Refusal> {
    if before.role != BaseRole::Owner {
        return if after.role == BaseRole::Owner { Err(Refusal::OneOwner) } else { Ok(()) };
    }
    let stays =
        after.role == BaseRole::Owner && after.custom_roles.is_empty() && after.standing == Standing::Active;
    if stays { Ok(()) } else { Err(Refusal::OwnerStays) }
}

/// Whether what the member may is in the caller's gift. To look is in everybody's: who may add members at all may add
/// readers.
fn check_gift(caller: &Caller, member: &Member, roles: &impl Roles) -> Result<(), Refusal> {
    let within = only_looks(member) || covers(caller, member, roles);
    if within { Ok(()) } else { Err(Refusal::RightsAboveCaller) }
}

/// Whether the caller may touch the member at all.
fn check_strength(caller: &Caller, member: &Member, roles: &impl Roles) -> Result<(), Refusal> {
    let weaker = only_looks(member) || covers(caller, member, roles);
    if weaker { Ok(()) } else { Err(Refusal::StrongerMember) }
}

/// Whether the caller's token brings all that its owner may.
fn check_whole(caller: &Caller, owner: &Member, roles: &impl Roles) -> Result<(), Refusal> {
    if covers(caller, owner, roles) { Ok(()) } else { Err(Refusal::StrongerMember) }
}

fn only_looks(member: &Member) -> bool {
    member.custom_roles.is_empty() && member.role <= BaseRole::Reader
}

fn covers(caller: &Caller, member: &Member, roles: &impl Roles) -> bool {
    let grant = member_grant(member, roles, &mut Vec::new());
    caller.authority().surely_covers(&Authority::all_of([grant]))
}

fn proposal(caller: &Caller, now: Timestamp, event: Event, before: Option<&Member>) -> Proposal {
    let mut expects = caller.basis().to_vec();
    let stands = before.map(|member| Expectation::Member { id: member.id, revision: member.revision });
    expects.extend(stands.filter(|stands| !expects.contains(stands)));
    Proposal { at: now, account: caller.account, actor: caller.actor(), event, expects }
}

/// The custom roles of a member that still exist, for whoever shows them.
pub fn living_roles(member: &Member, roles: &impl Roles) -> Vec<RoleId> {
    let exists = |id: &RoleId| roles.by_id(member.account, *id).is_some();
    member.custom_roles.iter().copied().filter(exists).collect()
}
