//! Drawn tokens: random scopes, members and ceilings, in a form that is read twice: turned into the real records, and
//! evaluated naively by the formula itself.
//!
//! ```text
//! personal:  allowed = scope AND member now AND ceiling
//! service:   allowed = scope AND ceiling, in which its maker's rights were frozen
//! ```

use jeton_core::authority::{Authority, Grant, PolicyGrant};
use jeton_core::command::ScopeRequest;
use jeton_core::id::MemberId;
use jeton_core::member::Member;
use jeton_core::policy::Effect::{Allow, Deny};
use jeton_core::policy::{Policy, Resource, action};
use jeton_core::role::{BasePermissions, BaseRole};
use jeton_core::token::{Scope, Token, TokenKind};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cast::{Cast, account, another, member, personal, policy, service};

pub(crate) const ACTIONS: [&str; 8] = [
    action::CREATE_ACCESS_TOKEN,
    action::UPDATE_ACCESS_TOKEN_NAME,
    action::UPDATE_ACCESS_TOKEN_DESCRIPTION,
    action::UPDATE_ACCESS_TOKEN_POLICY,
    action::UPDATE_ACCESS_TOKEN_EXPIRY,
    action::UPDATE_ACCESS_TOKEN_DEFAULT_API_VERSION,
    action::RESET_ACCESS_TOKEN,
    action::DELETE_ACCESS_TOKEN,
];

/// A resource: a service token, or a personal token of a member.
pub(crate) type On = Option<MemberId>;

/// Whether it allows, which actions it names, which resources.
type Says = (bool, &'static str, &'static str);
/// A policy.
type Words = Vec<Says>;

/// A scope, in the form that a ceiling and a request can have too.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Drawn {
    Member,
    Base(BaseRole),
    /// Custom roles, by their place in [`ROLES`].
    Roles(Vec<usize>),
    Inline(Words),
}

/// What is frozen in a ceiling.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Frozen {
    Base(BaseRole),
    /// The rights that the first member, or the second, had.
    Member(bool, BaseRole),
    Policy(Words),
}

/// A token, its owner included.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct DrawnToken {
    pub(crate) service: bool,
    /// Whether it is the first member's, or the second's.
    pub(crate) first: bool,
    pub(crate) scope: Drawn,
    pub(crate) ceiling: Vec<Frozen>,
}

/// The first member's rights: a base role, or custom roles in its place. The second is a writer.
#[derive(Clone, Debug)]
pub(crate) struct DrawnMember {
    pub(crate) role: BaseRole,
    pub(crate) roles: Vec<usize>,
}

/// The custom roles of the account.
fn roles() -> [Words; 3] {
    [
        vec![(true, "*", "service-token/*")],
        vec![(true, "*", "member/*:token/*"), (false, "delete*", "member/*:token/*")],
        vec![],
    ]
}

fn words() -> impl Strategy<Value = Words> {
    let actions = [
        "*",
        "update*",
        "createAccessToken",
        "resetAccessToken",
        "deleteAccessToken",
        "updateAccessTokenPolicy",
    ];
    let resources = ["*", "service-token/*", "member/*:token/*"];
    let says = (
        prop_oneof![3 => Just(true), 1 => Just(false)],
        select(actions.to_vec()),
        select(resources.to_vec()),
    );
    vec(says, 0..4)
}

fn base() -> impl Strategy<Value = BaseRole> {
    select(BaseRole::ALL.to_vec())
}

pub(crate) fn drawn() -> impl Strategy<Value = Drawn> {
    prop_oneof![
        2 => Just(Drawn::Member),
        3 => base().prop_map(Drawn::Base),
        1 => vec(0..3_usize, 0..3).prop_map(Drawn::Roles),
        3 => words().prop_map(Drawn::Inline),
    ]
}

pub(crate) fn drawn_token() -> impl Strategy<Value = DrawnToken> {
    let frozen = prop_oneof![
        base().prop_map(Frozen::Base),
        (any::<bool>(), base()).prop_map(|(first, role)| Frozen::Member(first, role)),
        words().prop_map(Frozen::Policy),
    ];
    (
        prop_oneof![2 => Just(false), 1 => Just(true)],
        prop_oneof![3 => Just(true), 1 => Just(false)],
        drawn(),
        vec(frozen, 0..3),
    )
        .prop_map(|(service, first, scope, ceiling)| DrawnToken { service, first, scope, ceiling })
}

pub(crate) fn drawn_member() -> impl Strategy<Value = DrawnMember> {
    let strong = select(vec![BaseRole::Reader, BaseRole::Writer, BaseRole::Admin, BaseRole::Owner]);
    let roles = prop_oneof![3 => Just(vec![]), 1 => vec(0..3_usize, 1..3)];
    (prop_oneof![4 => strong, 1 => base()], roles).prop_map(|(role, roles)| DrawnMember { role, roles })
}

/// The account as it was drawn.
pub(crate) struct Drawing {
    pub(crate) cast: Cast,
    first: DrawnMember,
}

impl Drawing {
    pub(crate) fn new(first: DrawnMember) -> Self {
        let mut cast = Cast::default();
        for (number, words) in roles().iter().enumerate() {
            cast.define(account(), &number.to_string(), real(words));
        }
        Self { cast, first }
    }

    pub(crate) fn member(&self, first: bool) -> Member {
        if !first {
            return another();
        }
        let custom_roles = self.first.roles.iter().map(|at| self.cast.roles[*at].id).collect();
        Member { role: self.first.role, custom_roles, ..member(BaseRole::Reader) }
    }

    pub(crate) fn token(&self, drawn: &DrawnToken) -> Token {
        let owner = self.member(drawn.first);
        let scope = match &drawn.scope {
            Drawn::Member => Scope::Member,
            Drawn::Base(role) => Scope::Base(*role),
            Drawn::Roles(places) => Scope::Roles(places.iter().map(|at| self.cast.roles[*at].id).collect()),
            Drawn::Inline(words) => Scope::Inline(real(words)),
        };
        let frozen = |frozen: &Frozen| match frozen {
            Frozen::Base(role) => Grant::Base(*role),
            Frozen::Member(first, role) => Grant::Member { id: self.member(*first).id, role: *role },
            Frozen::Policy(words) => Grant::AnyOf(vec![PolicyGrant {
                base_permissions: BasePermissions::NoAccess,
                policy: real(words),
            }]),
        };
        let ceiling = Authority::all_of(drawn.ceiling.iter().map(frozen));
        let token = if drawn.service { service(&owner, scope) } else { personal(&owner, scope) };
        Token { ceiling, ..token }
    }

    /// The formula.
    pub(crate) fn allowed(&self, token: &DrawnToken, action: &str, on: On) -> bool {
        let owner = self.member(token.first);
        let by_scope = match &token.scope {
            Drawn::Member => true,
            Drawn::Base(role) => role.is_administrator(),
            Drawn::Roles(places) => places.iter().any(|at| says(&roles()[*at], action, on)),
            Drawn::Inline(words) => says(words, action, on),
        };
        let by_member = token.service
            || if owner.custom_roles.is_empty() {
                member_may(owner.id, owner.role, action, on)
            } else {
                self.first.roles.iter().any(|at| says(&roles()[*at], action, on))
            };
        let by_ceiling = token.ceiling.iter().all(|frozen| match frozen {
            Frozen::Base(role) => role.is_administrator(),
            Frozen::Member(first, role) => member_may(self.member(*first).id, *role, action, on),
            Frozen::Policy(words) => says(words, action, on),
        });
        by_scope && by_member && by_ceiling
    }

    /// The base roles that bound a token, and whether a policy does as well.
    fn ranks(&self, token: &DrawnToken) -> (Vec<BaseRole>, bool) {
        let owner = self.member(token.first);
        let (mut ranks, mut policies) = (Vec::new(), false);
        match &token.scope {
            Drawn::Member => {}
            Drawn::Base(role) => ranks.push(*role),
            Drawn::Roles(_) | Drawn::Inline(_) => policies = true,
        }
        if !token.service && owner.custom_roles.is_empty() {
            ranks.push(owner.role);
        }
        policies |= !token.service && !owner.custom_roles.is_empty();
        for frozen in &token.ceiling {
            match frozen {
                Frozen::Base(role) | Frozen::Member(_, role) => ranks.push(*role),
                Frozen::Policy(_) => policies = true,
            }
        }
        (ranks, policies)
    }

    pub(crate) fn is_administrator(&self, token: &DrawnToken) -> bool {
        let (ranks, policies) = self.ranks(token);
        !policies && ranks.into_iter().all(BaseRole::is_administrator)
    }

    pub(crate) fn highest(&self, token: &DrawnToken) -> BaseRole {
        self.ranks(token).0.into_iter().min().unwrap_or(BaseRole::Owner)
    }

    /// Whether the caller may know of the token.
    pub(crate) fn sees(&self, caller: &DrawnToken, token: &DrawnToken) -> bool {
        token.service || is_own(caller, token) || self.is_administrator(caller)
    }

    /// Every question that the rules can ask.
    pub(crate) fn questions(&self) -> Vec<(&'static str, On)> {
        let on = [None, Some(self.member(true).id), Some(self.member(false).id)];
        ACTIONS.into_iter().flat_map(|action| on.map(|on| (action, on))).collect()
    }
}

/// Whether the token is the caller's, who is a person.
pub(crate) fn is_own(caller: &DrawnToken, token: &DrawnToken) -> bool {
    !caller.service && caller.first == token.first
}

pub(crate) fn request(scope: &Drawn) -> ScopeRequest {
    match scope {
        Drawn::Member => ScopeRequest::Member,
        Drawn::Base(role) => ScopeRequest::Base(*role),
        Drawn::Roles(places) => ScopeRequest::Roles(places.iter().map(ToString::to_string).collect()),
        Drawn::Inline(words) => ScopeRequest::Inline(real(words)),
    }
}

pub(crate) fn kind(service: bool) -> TokenKind {
    if service { TokenKind::Service } else { TokenKind::Personal }
}

/// Asks with the real resource.
pub(crate) fn with_resource<T>(on: On, ask: impl FnOnce(Resource<'_>) -> T) -> T {
    match on {
        None => ask(Resource::service_token("t")),
        Some(member) => ask(Resource::token(member.hex().as_str(), "t")),
    }
}

fn real(words: &Words) -> Policy {
    let statement =
        |(allows, action, resource): &Says| (if *allows { Allow } else { Deny }, *action, *resource);
    policy(&words.iter().map(statement).collect::<Vec<_>>())
}

/// A policy, naively: some statement allows, and none denies.
fn says(words: &Words, action: &str, on: On) -> bool {
    let applies = |(_, actions, resources): &Says| {
        let named = match actions.strip_suffix('*') {
            Some(prefix) => action.starts_with(prefix),
            None => action == *actions,
        };
        named && (*resources == "*" || resources.starts_with("service") == on.is_none())
    };
    words.iter().any(|word| word.0 && applies(word)) && !words.iter().any(|word| !word.0 && applies(word))
}

fn member_may(id: MemberId, role: BaseRole, action: &str, on: On) -> bool {
    match role {
        BaseRole::Admin | BaseRole::Owner => true,
        BaseRole::Reader | BaseRole::Writer => {
            on == Some(id) || (on.is_none() && action == jeton_core::policy::action::CREATE_ACCESS_TOKEN)
        }
        BaseRole::NoAccess => false,
    }
}
