//! Explanations: why a token may do something, or why not, and which statement of which role or policy decided.
//!
//! It walks the very bounds that [`crate::caller`] makes of a token, and keeps what that throws away: whose words each
//! bound was. The two can't disagree, and a property test sees to it.

pub use crate::authority::Says;
use crate::authority::{Grant, PolicyGrant};
use crate::caller::{Roles, member_grant};
use crate::id::{AccountId, RoleId};
use crate::member::{Member, Standing};
use crate::policy::{Policy, Resource};
use crate::role::{BasePermissions, BaseRole};
use crate::timestamp::Timestamp;
use crate::token::{Scope, Token};

/// Why, bound by bound. What is allowed is allowed by all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// Whether the token may, and is good at all.
    pub allowed: bool,
    /// Why it is good for nothing now, if it is.
    pub lapse: Option<Lapse>,
    /// Everything that bounds it: its scope, its owner's rights now, its ceiling.
    pub bounds: Vec<Bound>,
}

/// Why a token is good for nothing, whatever it may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lapse {
    /// Its end has come.
    Expired,
    /// It acts for somebody who is blocked, removed or not yet approved.
    Owner(Standing),
}

impl Lapse {
    fn of(token: &Token, owner: &Member, now: Timestamp) -> Option<Self> {
        if token.expires_at.is_some_and(|end| end.has_come(now)) {
            return Some(Self::Expired);
        }
        (token.kind.is_of_a_person() && !owner.is_active()).then_some(Self::Owner(owner.standing))
    }

    fn words(self) -> String {
        match self {
            Self::Expired => "the token has expired".to_owned(),
            Self::Owner(standing) => format!("the token's owner is {}", standing.as_str()),
        }
    }
}

/// One bound of a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bound {
    /// What bounds it.
    pub source: Source,
    /// Whether this bound allows it.
    pub allowed: bool,
    /// Who has a say in it. One that allows is enough; without any, nothing is allowed.
    pub voices: Vec<Voice>,
}

/// What bounds a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// What it was given.
    Scope,
    /// What its owner may now.
    Owner,
    /// What its maker might, when it was made.
    Ceiling,
}

impl Source {
    /// The name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scope => "scope",
            Self::Owner => "owner",
            Self::Ceiling => "ceiling",
        }
    }
}

/// One base role or policy, and what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voice {
    /// Whose words they are.
    pub by: By,
    /// What they come to.
    pub says: Says,
}

/// Whose words decide.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum By {
    /// A base role.
    Base(BaseRole),
    /// A custom role.
    Role {
        /// Its id.
        id: RoleId,
        /// Its key.
        key: String,
        /// Its policy, as it is now.
        policy: Policy,
    },
    /// A policy of the token's own, or one that was frozen when it was made.
    Policy(Policy),
}

/// Explains whether a token may do this to that, as things are at `now`.
pub fn explain(
    token: &Token,
    owner: &Member,
    roles: &impl Roles,
    now: Timestamp,
    action: &str,
    resource: Resource<'_>,
) -> Explanation {
    let account = owner.account;
    let mut bounds = Vec::new();
    match &token.scope {
        Scope::Member => {}
        Scope::Base(role) => bounds.push(of_grant(Source::Scope, &Grant::Base(*role), action, resource)),
        Scope::Roles(ids) => bounds.push(of_roles(Source::Scope, ids, account, roles, action, resource)),
        Scope::Inline(policy) => {
            let grant = PolicyGrant { base_permissions: BasePermissions::Reader, policy: policy.clone() };
            bounds.push(of_grant(Source::Scope, &Grant::AnyOf(vec![grant]), action, resource));
        }
    }
    if token.kind.is_of_a_person() {
        bounds.push(if owner.custom_roles.is_empty() {
            of_grant(Source::Owner, &member_grant(owner, roles, &mut Vec::new()), action, resource)
        } else {
            of_roles(Source::Owner, &owner.custom_roles, account, roles, action, resource)
        });
    }
    let ceiling = token.ceiling.grants().iter();
    bounds.extend(ceiling.map(|grant| of_grant(Source::Ceiling, grant, action, resource)));
    let lapse = Lapse::of(token, owner, now);
    Explanation { allowed: lapse.is_none() && bounds.iter().all(|bound| bound.allowed), lapse, bounds }
}

fn of_roles(
    source: Source,
    ids: &[RoleId],
    account: AccountId,
    roles: &impl Roles,
    action: &str,
    resource: Resource<'_>,
) -> Bound {
    let found = ids.iter().filter_map(|id| roles.by_id(account, *id));
    let voices = found.map(|role| {
        let grant = PolicyGrant { base_permissions: role.base_permissions, policy: role.policy.clone() };
        let says = grant.says(action, resource);
        Voice { says, by: By::Role { id: role.id, key: role.key.clone(), policy: grant.policy } }
    });
    bound(source, voices.collect())
}

fn of_grant(source: Source, grant: &Grant, action: &str, resource: Resource<'_>) -> Bound {
    let voices = match grant {
        Grant::Base(role) | Grant::Member { role, .. } => {
            let allows = grant.allows(action, resource);
            let says = if allows { Says::Allows { statement: None } } else { Says::Nothing };
            vec![Voice { by: By::Base(*role), says }]
        }
        Grant::AnyOf(grants) => grants
            .iter()
            .map(|grant| Voice { says: grant.says(action, resource), by: By::Policy(grant.policy.clone()) })
            .collect(),
    };
    bound(source, voices)
}

fn bound(source: Source, voices: Vec<Voice>) -> Bound {
    let allowed = voices.iter().any(|voice| matches!(voice.says, Says::Allows { .. }));
    Bound { source, allowed, voices }
}

impl Explanation {
    /// The explanation in a sentence, for people.
    pub fn sentence(&self) -> String {
        if let Some(lapse) = self.lapse {
            return format!("Denied: {}", lapse.words());
        }
        match self.bounds.iter().find(|bound| !bound.allowed) {
            None => {
                let reasons: Vec<String> = self.bounds.iter().filter_map(Bound::why_allowed).collect();
                if reasons.is_empty() {
                    "Allowed: nothing bounds this token".to_owned()
                } else {
                    format!("Allowed: {}", reasons.join("; "))
                }
            }
            Some(bound) => format!("Denied: {}", bound.why_denied()),
        }
    }
}

impl Bound {
    fn whose(&self) -> &'static str {
        match self.source {
            Source::Scope => "the token's scope",
            Source::Owner => "the rights of the token's owner",
            Source::Ceiling => "the rights that the token's maker had",
        }
    }

    fn why_allowed(&self) -> Option<String> {
        let voice = self.voices.iter().find(|voice| matches!(voice.says, Says::Allows { .. }))?;
        Some(format!("{} allow it ({})", self.whose(), voice.words()).replace("scope allow", "scope allows"))
    }

    fn why_denied(&self) -> String {
        let whose = self.whose();
        let denies = self.voices.iter().find(|voice| matches!(voice.says, Says::Denies { .. }));
        match (denies, self.voices.as_slice()) {
            (Some(voice), _) | (None, [voice]) => format!("in {whose}, {}", voice.words()),
            (None, []) => format!("in {whose} there is no role left, so nothing is allowed"),
            (None, voices) => format!("in {whose}, none of {} roles says anything about it", voices.len()),
        }
    }
}

impl Voice {
    fn words(&self) -> String {
        let by = match &self.by {
            By::Base(role) => format!("the base role {}", role.as_str()),
            By::Role { key, .. } => format!("the role {key}"),
            By::Policy(_) => "the policy".to_owned(),
        };
        match self.says {
            Says::Allows { statement: Some(at) } => format!("statement {at} of {by} allows it"),
            Says::Allows { statement: None } => format!("{by} allows it"),
            Says::Denies { statement } => format!("statement {statement} of {by} denies it"),
            Says::Nothing if matches!(self.by, By::Base(_)) => format!("{by} does not allow it"),
            Says::Nothing => format!("no statement of {by} allows it"),
        }
    }
}
