//! The cast: an account with a member of every base role, and short words for what they ask.

use std::fmt::Debug;
use std::sync::Arc;

use jeton_core::authority::{Authority, Grant};
use jeton_core::caller::{Caller, Rights, Roles, authority_of};
use jeton_core::change::{Event, Proposal, Revision};
use jeton_core::command::{Amend, Issue, Rotate, ScopeRequest};
use jeton_core::digest::{Digest, ServerKey};
use jeton_core::id::{AccountId, MemberId, RoleId, TokenId};
use jeton_core::limits::Limits;
use jeton_core::member::{Member, Standing};
use jeton_core::policy::{Effect, Policy, Statement};
use jeton_core::refusal::Refusal;
use jeton_core::role::{BasePermissions, BaseRole, CustomRole};
use jeton_core::rule::{self, Fresh, Issued, Mint};
use jeton_core::secret::{LastFour, SecretFormat};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{ApiVersion, Scope, SecretRecord, Token, TokenKind};
use zeroize::Zeroizing;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
pub(crate) const LATER: Timestamp = Timestamp::from_millis(1_790_000_060_000);

/// The custom roles that the rules look up.
#[derive(Clone, Default)]
pub(crate) struct Cast {
    pub(crate) roles: Vec<Arc<CustomRole>>,
    pub(crate) limits: Limits,
    /// How many tokens the account is said to have.
    pub(crate) tokens: u64,
}

impl Roles for Cast {
    fn by_id(&self, account: AccountId, id: RoleId) -> Option<Arc<CustomRole>> {
        self.roles.iter().find(|role| role.account == account && role.id == id).cloned()
    }

    fn by_key(&self, account: AccountId, key: &str) -> Option<Arc<CustomRole>> {
        self.roles.iter().find(|role| role.account == account && role.key == key).cloned()
    }
}

impl Cast {
    /// Adds a custom role, and gives back its id.
    pub(crate) fn define(&mut self, account: AccountId, key: &str, policy: Policy) -> RoleId {
        let id = RoleId::from_bytes(id(0x30 + self.roles.len()));
        self.roles.push(Arc::new(CustomRole {
            id,
            account,
            key: key.to_owned(),
            name: String::new(),
            description: String::new(),
            base_permissions: BasePermissions::NoAccess,
            policy,
            created_at: NOW,
            revision: Revision::new(7),
        }));
        id
    }

    pub(crate) fn caller(&self, token: &Token, owner: &Member) -> Caller {
        assert_eq!(token.owner, owner.id);
        Caller::new((token.id, token.revision), &Rights::from(token), Arc::new(owner.clone()), self)
    }

    pub(crate) fn issue(&self, caller: &Caller, command: &Issue) -> Result<Issued, Refusal> {
        // Whoever it is for stands as the caller's member does.
        let owner = Member { id: command.owner, ..caller.member.as_ref().clone() };
        rule::issue(caller, command, &owner, self, self.tokens, &self.limits, &mint(), NOW, &fresh(0x77))
    }

    pub(crate) fn amend(
        &self,
        caller: &Caller,
        token: &Token,
        command: &Amend,
    ) -> Result<Option<Proposal>, Refusal> {
        rule::amend(caller, token, command, self, &self.limits, NOW)
    }

    /// Rotates a token, with the authority that bounds it now.
    pub(crate) fn rotate(&self, caller: &Caller, token: &Token, owner: &Member) -> Result<Issued, Refusal> {
        let theirs = authority_of(token, Arc::new(owner.clone()), self);
        rule::rotate(caller, token, &theirs, &Rotate::default(), &mint(), NOW, &fresh(0x78))
    }
}

pub(crate) fn account() -> AccountId {
    AccountId::from_bytes(id(1))
}

pub(crate) fn other_account() -> AccountId {
    AccountId::from_bytes(id(2))
}

/// The account's member with this base role.
pub(crate) fn member(role: BaseRole) -> Member {
    Member {
        id: MemberId::from_bytes(id(0x10 + role as usize)),
        account: account(),
        number: 1000 + role as u32,
        email: format!("{}@example.com", role.as_str()),
        name: String::new(),
        family_name: String::new(),
        role,
        custom_roles: Vec::new(),
        standing: Standing::Active,
        password: None,
        created_at: NOW,
        revision: Revision::new(3),
    }
}

/// Another writer of the account.
pub(crate) fn another() -> Member {
    Member { id: MemberId::from_bytes(id(0x1f)), number: 1099, ..member(BaseRole::Writer) }
}

/// A member with custom roles in place of the base role.
pub(crate) fn with_roles(roles: &[RoleId]) -> Member {
    Member { id: MemberId::from_bytes(id(0x1e)), custom_roles: roles.to_vec(), ..member(BaseRole::Reader) }
}

/// A personal token of the member's.
pub(crate) fn personal(owner: &Member, scope: Scope) -> Token {
    Token {
        id: TokenId::from_bytes(id(0x20 + usize::from(owner.id.as_bytes()[11]))),
        account: owner.account,
        owner: owner.id,
        kind: TokenKind::Personal,
        name: "before".to_owned(),
        description: "before".to_owned(),
        scope,
        ceiling: Authority::default(),
        api_version: ApiVersion::LATEST,
        issued_at: NOW,
        modified_at: NOW,
        expires_at: None,
        secret: SecretRecord {
            digest: Digest::from_bytes([0x5a; 32]),
            last_four: LastFour::parse("abcd").unwrap(),
        },
        retiring: None,
        revision: Revision::new(9),
    }
}

/// A service token that the member made, bounded by what the member may.
pub(crate) fn service(maker: &Member, scope: Scope) -> Token {
    let bound = Grant::Member { id: maker.id, role: maker.role };
    Token {
        id: TokenId::from_bytes(id(0x60 + usize::from(maker.id.as_bytes()[11]))),
        kind: TokenKind::Service,
        ceiling: Authority::all_of((maker.role != BaseRole::Owner).then_some(bound)),
        ..personal(maker, scope)
    }
}

pub(crate) fn inline(statements: &[(Effect, &str, &str)]) -> Scope {
    Scope::Inline(policy(statements))
}

/// A policy of statements with one action and one resource each.
pub(crate) fn policy(statements: &[(Effect, &str, &str)]) -> Policy {
    let statement = |(effect, action, resource): &(Effect, &str, &str)| Statement {
        effect: *effect,
        resources: vec![(*resource).to_owned()],
        not_resources: Vec::new(),
        actions: vec![(*action).to_owned()],
        not_actions: Vec::new(),
    };
    Policy::new(statements.iter().map(statement).collect()).unwrap()
}

/// A personal token for the caller, as the dialects ask for one.
pub(crate) fn a_personal(caller: &Caller, scope: ScopeRequest) -> Issue {
    Issue {
        kind: TokenKind::Personal,
        owner: caller.member.id,
        name: "new".to_owned(),
        description: String::new(),
        scope,
        api_version: None,
        expires_at: None,
    }
}

pub(crate) fn a_service(caller: &Caller, scope: ScopeRequest) -> Issue {
    Issue { kind: TokenKind::Service, ..a_personal(caller, scope) }
}

pub(crate) fn rename() -> Amend {
    Amend { name: Some("after".to_owned()), ..Amend::default() }
}

pub(crate) fn rescope(scope: ScopeRequest) -> Amend {
    Amend { scope: Some(scope), ..Amend::default() }
}

/// The token that a proposal leaves behind.
pub(crate) fn after(proposal: &Proposal) -> Token {
    match &proposal.event {
        Event::TokenIssued { token } => token.clone(),
        Event::TokenChanged { after, .. } | Event::TokenRotated { after, .. } => after.clone(),
        other => panic!("this leaves no token behind: {other:?}"),
    }
}

pub(crate) fn mint() -> Mint {
    Mint { format: SecretFormat::new("jtn").unwrap(), key: ServerKey::new(Zeroizing::new([9; 32])) }
}

pub(crate) fn fresh(number: u8) -> Fresh {
    Fresh { id: [number; 6], secret: Zeroizing::new([number; 48]) }
}

/// What was answered, in a word or two that a table can hold.
pub(crate) fn answer<T: Debug>(result: &Result<T, Refusal>) -> &'static str {
    match result {
        Ok(_) => "yes",
        Err(Refusal::NotAllowed { .. }) => "not allowed",
        Err(Refusal::AdministratorsOnly) => "administrators only",
        Err(Refusal::ServiceCannotIssuePersonal) => "no personal by service",
        Err(Refusal::RoleAboveCaller) => "role above",
        Err(Refusal::CeilingTooDeep) => "too deep",
        Err(Refusal::SecretOfAnother) => "secret of another",
        Err(Refusal::StrongerThanCaller) => "stronger",
        Err(Refusal::RetiringSecret) => "retiring",
        Err(Refusal::NoSuchToken) => "no such token",
        Err(Refusal::NoSuchMember) => "no such member",
        Err(Refusal::NoSuchRole { .. }) => "no such role",
        Err(Refusal::ServiceScopeFixed) => "fixed",
        Err(Refusal::ExpiryInThePast) => "past",
        Err(Refusal::TextTooLong { .. }) => "too long",
        Err(Refusal::TooManyRoles { .. }) => "too many roles",
        Err(Refusal::TokenLimit { .. } | Refusal::MemberLimit { .. } | Refusal::RoleLimit { .. }) => {
            "account full"
        }
        Err(Refusal::BadEmail { .. }) => "no address",
        Err(Refusal::EmailTaken { .. }) => "address taken",
        Err(Refusal::OneOwner) => "one owner",
        Err(Refusal::OwnerStays) => "owner stays",
        Err(Refusal::StrongerMember) => "stronger member",
        Err(Refusal::RightsAboveCaller) => "rights above",
        Err(Refusal::WrongPassword) => "wrong password",
        Err(Refusal::MemberInactive) => "inactive",
        Err(Refusal::BadPassword { .. }) => "bad password",
        Err(Refusal::NoSuchCustomRole) => "no such custom role",
        Err(Refusal::BadRoleKey) => "bad key",
        Err(Refusal::RoleKeyTaken { .. }) => "key taken",
    }
}

fn id(number: usize) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[11] = u8::try_from(number).unwrap();
    bytes
}
