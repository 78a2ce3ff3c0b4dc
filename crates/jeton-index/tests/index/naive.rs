//! The naive model: the records in sorted maps, and every question answered by looking at all of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jeton_core::authority::Authority;
use jeton_core::caller::{Caller, Rights, Roles};
use jeton_core::change::{Actor, Change, Event, Proposal, Revision};
use jeton_core::credential::Credential;
use jeton_core::digest::Digest;
use jeton_core::id::{AccountId, MemberId, RoleId, TokenId};
use jeton_core::member::{Member, Standing};
use jeton_core::policy::{Effect, Policy, Statement};
use jeton_core::role::{BasePermissions, BaseRole, CustomRole};
use jeton_core::secret::LastFour;
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{ApiVersion, RetiringSecret, Scope, SecretRecord, Token, TokenKind};
use jeton_index::roster::Selection;
use jeton_index::{Dead, Index};

/// Records, and the numbers to make more from.
#[derive(Default)]
pub(crate) struct Naive {
    pub(crate) revision: Revision,
    pub(crate) members: BTreeMap<MemberId, Arc<Member>>,
    pub(crate) roles: BTreeMap<RoleId, Arc<CustomRole>>,
    pub(crate) tokens: BTreeMap<TokenId, Token>,
    /// Every digest that ever was, alive or dead.
    pub(crate) digests: Vec<Digest>,
    serial: u64,
}

impl Naive {
    /// One active member of one account.
    pub(crate) fn new() -> (Self, Vec<Change>) {
        let mut naive = Self::default();
        let member = naive.new_member();
        let added = naive.happen(Event::MemberAdded { member });
        (naive, vec![added])
    }

    /// Gives the event its revision and takes it in.
    pub(crate) fn happen(&mut self, event: Event) -> Change {
        let account = account(0);
        let at = Timestamp::from_millis(0);
        let proposal = Proposal { at, account, actor: Actor::System, event, expects: Vec::new() };
        self.revision = self.revision.next();
        let change = proposal.at_revision(self.revision);
        self.follow(&change.event);
        change
    }

    fn follow(&mut self, event: &Event) {
        match event.clone() {
            Event::AccountFounded { .. } => {}
            Event::MemberAdded { member } => drop(self.members.insert(member.id, Arc::new(member))),
            Event::MemberChanged { after, .. } => {
                if after.standing == Standing::Removed {
                    let goes = |token: &Token| token.owner == after.id && token.kind == TokenKind::Personal;
                    self.tokens.retain(|_, token| !goes(token));
                }
                self.members.insert(after.id, Arc::new(after));
            }
            Event::RoleDefined { role: after } | Event::RoleChanged { after, .. } => {
                self.roles.insert(after.id, Arc::new(after));
            }
            Event::RoleRemoved { role } => drop(self.roles.remove(&role.id)),
            Event::TokenIssued { token: after }
            | Event::TokenChanged { after, .. }
            | Event::TokenRotated { after, .. } => {
                self.digests.push(after.secret.digest);
                self.tokens.insert(after.id, after);
            }
            Event::TokenRevoked { token } => drop(self.tokens.remove(&token.id)),
        }
    }

    /// An index built from what there is now.
    pub(crate) fn built(&self) -> Index {
        let mut index = Index::with_capacity(self.tokens.len());
        index.load(self.members.values().map(|member| Record::Member(Member::clone(member))));
        index.load(self.roles.values().map(|role| Record::Role(CustomRole::clone(role))));
        index.load(self.tokens.values().map(|token| Record::Credential(Credential::from(token))));
        index.built(self.revision);
        index
    }

    /// Every secret that works or worked, with its token and its end.
    pub(crate) fn secrets(&self) -> Secrets<'_> {
        let mut secrets = HashMap::new();
        for token in self.tokens.values() {
            secrets.insert(token.secret.digest, (token, token.expires_at));
            if let Some(RetiringSecret { record, ends_at }) = token.retiring {
                let end = token.expires_at.map_or(ends_at, |end| end.min(ends_at));
                secrets.insert(record.digest, (token, Some(end)));
            }
        }
        Secrets { naive: self, secrets }
    }

    /// The whole list.
    pub(crate) fn list(&self, account: AccountId, selection: Selection) -> Vec<TokenId> {
        let personal = |token: &Token, member| token.kind == TokenKind::Personal && token.owner == member;
        let selected = |token: &Token| match selection {
            Selection::All => true,
            Selection::ServiceAndOwn(member) => token.kind == TokenKind::Service || personal(token, member),
            Selection::Personal(member) => personal(token, member),
        };
        let of_account = self.tokens.values().filter(|token| token.account == account);
        of_account.filter(|token| selected(token)).map(|token| token.id).collect()
    }

    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Members belong to one of two accounts.
    pub(crate) fn new_member(&mut self) -> Member {
        let number = self.next();
        Member {
            id: MemberId::from_bytes(bytes(number)),
            account: account(number % 2),
            number: u32::try_from(number).unwrap(),
            email: format!("{number}@example.com"),
            name: String::new(),
            family_name: String::new(),
            role: BaseRole::Writer,
            custom_roles: Vec::new(),
            standing: Standing::Active,
            password: None,
            created_at: Timestamp::from_millis(0),
            revision: Revision::ZERO,
        }
    }

    pub(crate) fn new_role(&mut self) -> CustomRole {
        let number = self.next();
        CustomRole {
            id: RoleId::from_bytes(bytes(number)),
            account: account(number % 2),
            key: format!("role-{number}"),
            name: String::new(),
            description: String::new(),
            base_permissions: BasePermissions::NoAccess,
            policy: policy(number % 3),
            created_at: Timestamp::from_millis(0),
            revision: Revision::ZERO,
        }
    }

    pub(crate) fn new_token(&mut self, owner: &Member, kind: TokenKind) -> Token {
        let number = self.next();
        Token {
            id: TokenId::from_bytes(bytes(number)),
            account: owner.account,
            owner: owner.id,
            kind,
            name: String::new(),
            description: String::new(),
            scope: Scope::Member,
            ceiling: Authority::default(),
            api_version: ApiVersion::LATEST,
            issued_at: Timestamp::from_millis(0),
            modified_at: Timestamp::from_millis(0),
            expires_at: None,
            secret: self.new_secret(),
            retiring: None,
            revision: Revision::ZERO,
        }
    }

    /// A digest that was not used before. One in four lands where others do, at either end of the table among them.
    pub(crate) fn new_secret(&mut self) -> SecretRecord {
        const CROWDED: [u64; 4] = [0, 1, u64::MAX - 1, u64::MAX];
        let number = self.next();
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let crowded = CROWDED[usize::try_from(number / 4 % 4).unwrap()];
        secret(if number.is_multiple_of(4) { crowded } else { scattered }, number)
    }
}

/// The secrets of a moment.
pub(crate) struct Secrets<'n> {
    naive: &'n Naive,
    secrets: HashMap<Digest, (&'n Token, Option<Timestamp>)>,
}

impl Secrets<'_> {
    pub(crate) fn find(&self, digest: &Digest, now: Timestamp) -> Result<&Token, Dead> {
        let (token, end) = self.secrets.get(digest).ok_or(Dead::Unknown)?;
        if end.is_some_and(|end| end <= now) {
            return Err(Dead::Expired);
        }
        let owner = &self.naive.members[&token.owner];
        if token.kind == TokenKind::Personal && owner.standing != Standing::Active {
            return Err(Dead::OwnerInactive);
        }
        Ok(token)
    }

    pub(crate) fn authenticate(&self, digest: &Digest, now: Timestamp) -> Result<Caller, Dead> {
        let token = self.find(digest, now)?;
        let owner = Arc::clone(&self.naive.members[&token.owner]);
        let caller = Caller::new((token.id, token.revision), &Rights::from(token), owner, self.naive);
        Ok(if token.secret.digest == *digest { caller } else { caller.with_retiring_secret() })
    }
}

impl Roles for Naive {
    fn by_id(&self, account: AccountId, id: RoleId) -> Option<Arc<CustomRole>> {
        self.roles.get(&id).filter(|role| role.account == account).cloned()
    }

    fn by_key(&self, account: AccountId, key: &str) -> Option<Arc<CustomRole>> {
        self.roles.values().find(|role| role.account == account && role.key == key).cloned()
    }
}

pub(crate) fn secret(high: u64, low: u64) -> SecretRecord {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&high.to_be_bytes());
    digest[8..16].copy_from_slice(&low.to_be_bytes());
    SecretRecord { digest: Digest::from_bytes(digest), last_four: LastFour::parse("abcd").unwrap() }
}

pub(crate) fn account(number: u64) -> AccountId {
    AccountId::from_bytes(bytes(number))
}

/// One of some policies.
pub(crate) fn policy(number: u64) -> Policy {
    let statement = Statement {
        effect: Effect::Allow,
        resources: vec![format!("service-token/{number}*")],
        not_resources: Vec::new(),
        actions: vec!["*".to_owned()],
        not_actions: Vec::new(),
    };
    Policy::new(vec![statement]).unwrap()
}

/// Ids out of order: each second one sorts before all others.
fn bytes(number: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[0] = if number.is_multiple_of(2) { 0 } else { 0x7f };
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    bytes
}
