//! A million tokens as an installation of some years has them, made up from a seed: always the same.
//!
//! 20,000 members with the tokens spread unevenly among them; nine tokens in ten personal, most with their owner's own
//! rights, some with a base role, a few with custom roles or a policy of their own; a third with an end; descriptions
//! on a fifth. They are committed through the store's own port, in large groups, so that the change log is as full as
//! the tables.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use jeton_core::authority::Authority;
use jeton_core::change::{Actor, Event, Proposal, Revision};
use jeton_core::digest::ServerKey;
use jeton_core::id::{AccountId, MemberId, RoleId, TokenId};
use jeton_core::member::{Member, Standing};
use jeton_core::policy::{Effect, Policy, Statement};
use jeton_core::role::{BasePermissions, BaseRole, CustomRole};
use jeton_core::rule::{self, Founding, Fresh, Mint};
use jeton_core::secret::{Secret, SecretFormat};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{ApiVersion, Scope, Token, TokenKind};
use jeton_store::postgres::Address;
use jeton_store::{Outcome, Postgres, Sqlite, Store};

use crate::rounds::Dice;
use crate::server::{KEY, OWNER};
use crate::{Fallible, interrupt};

/// Tokens for each member.
const TOKENS_EACH: u32 = 50;
/// Tokens of which the ids are given back.
const SAMPLE: u32 = 10_000;
/// Proposals in one transaction.
const GROUP: usize = 20_000;
/// 1 January 2024, and three years from it.
const FIRST: i64 = 1_704_067_200_000;
const SPAN: i64 = 3 * 365 * 86_400_000;

const NAMES: [&str; 8] = [
    "deploy",
    "CI of the web shop",
    "laptop",
    "Terraform, production",
    "nightly export",
    "a",
    "Grafana",
    "integration tests of the payment service, staging environment, team Kestrel",
];

/// What there is to ask for afterwards.
pub(crate) struct Population {
    /// A sample of the ids, ten thousand or so.
    pub(crate) ids: Vec<TokenId>,
    /// Some personal tokens of members: id, the owner's number, and the secret.
    pub(crate) secrets: Vec<(TokenId, u32, String)>,
}

/// Fills a new database of SQLite.
pub(crate) fn fill(database: &Path, tokens: u32, seed: u64) -> Fallible<Population> {
    fill_store(&Sqlite::open(database, "the benchmark")?, tokens, seed)
}

/// Fills a new database of PostgreSQL.
pub(crate) fn fill_postgres(address: &str, tokens: u32, seed: u64) -> Fallible<Population> {
    let store = pollster::block_on(Postgres::open(&address.parse::<Address>()?, Duration::ZERO))?;
    fill_store(&store, tokens, seed)
}

fn fill_store(store: &dyn Store, tokens: u32, seed: u64) -> Fallible<Population> {
    let mint = mint()?;
    pollster::block_on(store.bind_key(mint.key.fingerprint()))?;
    let mut group = Vec::new();
    let mut numbers = HashMap::new();
    let mut population = Population { ids: Vec::new(), secrets: Vec::new() };
    let mut dice = Dice::new(seed);
    let one_in = u64::from(tokens / SAMPLE).max(1);
    imagine(tokens, seed, mint, |proposal, secret| {
        match (&proposal.event, secret) {
            (Event::MemberAdded { member }, _) => drop(numbers.insert(member.id, member.number)),
            (Event::TokenIssued { token }, Some(secret)) if dice.below(one_in) == 0 => {
                population.ids.push(token.id);
                if token.kind == TokenKind::Personal && token.expires_at.is_none() {
                    let number = numbers.get(&token.owner).copied().unwrap_or(0);
                    population.secrets.push((token.id, number, secret.expose().to_owned()));
                }
            }
            _ => {}
        }
        group.push(proposal);
        if group.len() >= GROUP { commit(store, &mut group) } else { Ok(()) }
    })?;
    commit(store, &mut group)?;
    Ok(population)
}

/// What secrets are made with.
pub(crate) fn mint() -> Fallible<Mint> {
    Ok(Mint { format: SecretFormat::new("jtn")?, key: ServerKey::new(KEY.into()) })
}

/// Makes it all up, one proposal after the other: an account with its owner, roles, members, tokens with their secrets.
pub(crate) fn imagine(
    tokens: u32,
    seed: u64,
    mint: Mint,
    mut take: impl FnMut(Proposal, Option<&Secret>) -> Fallible<()>,
) -> Fallible<()> {
    let mut maker =
        Maker { dice: Dice::new(seed), mint, account: None, members: Vec::new(), roles: Vec::new() };
    for proposal in maker.founding()? {
        take(proposal, None)?;
    }
    for number in 0..12 {
        take(maker.role(number)?, None)?;
    }
    for number in 1..(tokens / TOKENS_EACH).max(1) {
        take(maker.member(number), None)?;
    }
    for number in 1..tokens {
        interrupt::check()?;
        let issued_at = Timestamp::from_millis(FIRST + SPAN / i64::from(tokens) * i64::from(number));
        let (proposal, secret) = maker.token(issued_at);
        take(proposal, Some(&secret))?;
    }
    Ok(())
}

fn commit(store: &dyn Store, group: &mut Vec<Proposal>) -> Fallible<()> {
    let outcomes = pollster::block_on(store.commit(std::mem::take(group)))?;
    let all = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Committed(_)));
    if all { Ok(()) } else { Err("the made-up tokens can't be committed".into()) }
}

struct Maker {
    dice: Dice,
    mint: Mint,
    account: Option<AccountId>,
    members: Vec<MemberId>,
    roles: Vec<RoleId>,
}

impl Maker {
    fn fresh(&mut self) -> Fresh {
        Fresh { id: self.dice.bytes(), secret: self.dice.bytes::<48>().into() }
    }

    fn founding(&mut self) -> Fallible<Vec<Proposal>> {
        let fresh = [self.fresh(), self.fresh(), self.fresh()];
        let owner_secret = Some(Secret::from_outside(OWNER.to_owned(), &self.mint.format)?);
        let founding =
            Founding { owner_email: "owner@localhost".to_owned(), owner_password: None, owner_secret };
        let now = Timestamp::from_millis(FIRST);
        let (proposals, _) = rule::found(founding, &self.mint, now, fresh.each_ref());
        for proposal in &proposals {
            self.account = Some(proposal.account);
            if let Event::MemberAdded { member } = &proposal.event {
                self.members.push(member.id);
            }
        }
        Ok(proposals)
    }

    fn proposal(&self, at: Timestamp, event: Event) -> Proposal {
        let account = self.account.expect("the account is founded first");
        Proposal { at, account, actor: Actor::System, event, expects: Vec::new() }
    }

    fn role(&mut self, number: u32) -> Fallible<Proposal> {
        let now = Timestamp::from_millis(FIRST);
        let role = CustomRole {
            id: RoleId::new(now, self.dice.bytes()),
            account: self.account.expect("the account is founded first"),
            key: format!("role-{number}"),
            name: format!("Role {number}"),
            description: String::new(),
            base_permissions: BasePermissions::Reader,
            policy: policy(&format!("proj/project-{number}:env/*"))?,
            created_at: now,
            revision: Revision::ZERO,
        };
        self.roles.push(role.id);
        Ok(self.proposal(now, Event::RoleDefined { role }))
    }

    fn member(&mut self, number: u32) -> Proposal {
        let now = Timestamp::from_millis(FIRST + 1);
        let role = [BaseRole::Reader, BaseRole::Writer, BaseRole::Writer, BaseRole::Admin];
        let member = Member {
            id: MemberId::new(now, self.dice.bytes()),
            account: self.account.expect("the account is founded first"),
            number: 1000 + number,
            email: format!("first.last-{number}@example.com"),
            name: format!("Member {number}"),
            family_name: String::new(),
            role: role[pick(&mut self.dice, role.len())],
            custom_roles: Vec::new(),
            standing: Standing::Active,
            password: None,
            created_at: now,
            revision: Revision::ZERO,
        };
        self.members.push(member.id);
        self.proposal(now, Event::MemberAdded { member })
    }

    fn token(&mut self, issued_at: Timestamp) -> (Proposal, Secret) {
        let kind = if self.dice.below(10) == 0 { TokenKind::Service } else { TokenKind::Personal };
        // The lower of two throws: some members have a hundred tokens, many a handful.
        let owner = pick(&mut self.dice, self.members.len()).min(pick(&mut self.dice, self.members.len()));
        let secret = self.mint.format.generate(kind, &self.dice.bytes());
        let day = 86_400_000;
        let end = 4_000_000_000_000 + i64::try_from(self.dice.below(1000)).unwrap_or(0) * day;
        let token = Token {
            id: TokenId::new(issued_at, self.dice.bytes()),
            account: self.account.expect("the account is founded first"),
            owner: self.members[owner],
            kind,
            name: NAMES[pick(&mut self.dice, NAMES.len())].to_owned(),
            description: if self.dice.below(5) == 0 {
                "Made for the rollout".to_owned()
            } else {
                String::new()
            },
            scope: self.scope(),
            ceiling: Authority::default(),
            api_version: ApiVersion::LATEST,
            issued_at,
            modified_at: issued_at,
            expires_at: (self.dice.below(3) == 0).then(|| Timestamp::from_millis(end)),
            secret: self.mint.record(&secret),
            retiring: None,
            revision: Revision::ZERO,
        };
        (self.proposal(issued_at, Event::TokenIssued { token }), secret)
    }

    fn scope(&mut self) -> Scope {
        match self.dice.below(20) {
            0 => Scope::Base(BaseRole::Reader),
            1 => Scope::Base(BaseRole::Writer),
            2 => Scope::Roles(vec![self.roles[pick(&mut self.dice, self.roles.len())]]),
            3 => {
                let project = self.dice.below(200);
                policy(&format!("proj/project-{project}:env/production:flag/*"))
                    .map_or(Scope::Member, Scope::Inline)
            }
            _ => Scope::Member,
        }
    }
}

fn pick(dice: &mut Dice, length: usize) -> usize {
    usize::try_from(dice.below(length as u64)).expect("below a length")
}

fn policy(resource: &str) -> Fallible<Policy> {
    let statement = Statement {
        effect: Effect::Allow,
        resources: vec![resource.to_owned()],
        not_resources: Vec::new(),
        actions: vec!["*".to_owned()],
        not_actions: Vec::new(),
    };
    Ok(Policy::new(vec![statement])?)
}
