//! What a group of proposals stands on: the records it relies on and might collide with, read at once, and then moved on in
//! memory as the proposals are taken.
//!
//! Whoever commits holds the row with the last revision, so nobody else moves these records before the group has ended. To
//! ask the database about each proposal in turn was rejected: a group of a thousand would take as many ways there and back,
//! and an insertion that is refused would end the transaction.

use std::collections::{HashMap, HashSet};

use jeton_core::change::{Event, Expectation, Proposal, Revision};
use jeton_core::id::{AccountId, MemberId, RoleId, TokenId};
use jeton_core::member::{Member, Standing};
use jeton_core::role::CustomRole;
use jeton_core::token::Token;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::read::HEAD;
use super::row::{bytes, number, revision};
use super::session::{ReadError, Session};
use super::text::{email_key, kept};
use crate::StoreError;
use crate::encoding::{self, unreadable};

const LOCK_HEAD: &str = "SELECT revision FROM head WHERE number = 1 FOR UPDATE";
const ACCOUNTS: &str = "SELECT id FROM accounts WHERE id = ANY($1)";
const MEMBERS: &str = "SELECT id, revision, account, number, email_key FROM members WHERE id = ANY($1)
    UNION SELECT id, revision, account, number, email_key FROM members WHERE account = ANY($2) AND number = ANY($3)
    UNION SELECT id, revision, account, number, email_key FROM members WHERE email_key = ANY($4)";
const ROLES: &str = "SELECT id, revision, account, key FROM roles WHERE id = ANY($1)
    UNION SELECT id, revision, account, key FROM roles WHERE account = ANY($2) AND key = ANY($3)";
const TOKENS: &str = "SELECT id, revision, owner, kind FROM tokens WHERE id = ANY($1)";

/// Every statement with which a group begins.
pub(super) const STATEMENTS: &[&str] = &[HEAD, LOCK_HEAD, ACCOUNTS, MEMBERS, ROLES, TOKENS];

type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Locks the row with the last revision, in the transaction that runs, and gives it back.
pub(super) async fn lock_head(session: &Session) -> Result<Revision, ReadError> {
    head_from(&session.query(LOCK_HEAD, &[]).await?).map_err(ReadError::Content)
}

fn head_from(rows: &[Row]) -> Result<Revision, StoreError> {
    revision(rows.first().ok_or_else(|| unreadable("database without a last revision"))?, 0)
}

/// What has to be read for a group.
#[derive(Default)]
struct Sought {
    accounts: Vec<Vec<u8>>,
    members: Vec<Vec<u8>>,
    roles: Vec<Vec<u8>>,
    tokens: Vec<Vec<u8>>,
    /// Where numbers and keys of new records could be taken.
    within: Vec<Vec<u8>>,
    numbers: Vec<i64>,
    addresses: Vec<String>,
    keys: Vec<String>,
}

impl Sought {
    fn by(proposals: &[Proposal]) -> Self {
        let mut sought = Self::default();
        for proposal in proposals {
            sought.expected(&proposal.expects);
            sought.touched(&proposal.event);
        }
        sought
    }

    fn expected(&mut self, expects: &[Expectation]) {
        for expectation in expects {
            match expectation {
                Expectation::Token { id, .. } => self.tokens.push(id.as_bytes().to_vec()),
                Expectation::Member { id, .. } => self.members.push(id.as_bytes().to_vec()),
                Expectation::Role { id, .. } => self.roles.push(id.as_bytes().to_vec()),
                Expectation::Head(_) => {}
            }
        }
    }

    fn touched(&mut self, event: &Event) {
        match event {
            Event::AccountFounded { account } => self.accounts.push(account.id.as_bytes().to_vec()),
            Event::MemberAdded { member } | Event::MemberChanged { after: member, .. } => {
                self.members.push(member.id.as_bytes().to_vec());
                self.within.push(member.account.as_bytes().to_vec());
                self.numbers.push(member.number.into());
                self.addresses.push(email_key(&member.email));
            }
            Event::RoleDefined { role }
            | Event::RoleChanged { after: role, .. }
            | Event::RoleRemoved { role } => {
                self.roles.push(role.id.as_bytes().to_vec());
                self.within.push(role.account.as_bytes().to_vec());
                self.keys.push(kept(&role.key).into_owned());
            }
            Event::TokenIssued { token }
            | Event::TokenChanged { after: token, .. }
            | Event::TokenRotated { after: token, .. }
            | Event::TokenRevoked { token } => self.tokens.push(token.id.as_bytes().to_vec()),
        }
    }
}

struct MemberAt {
    revision: Revision,
    account: AccountId,
    /// `None` once the member is removed.
    address: Option<String>,
}

struct RoleAt {
    revision: Revision,
    account: AccountId,
    key: String,
}

struct TokenAt {
    revision: Revision,
    owner: MemberId,
    of_a_person: bool,
}

/// The records that a group relies on or might collide with, as they are after what was taken so far.
pub(super) struct Ground {
    pub(super) head: Revision,
    accounts: HashSet<AccountId>,
    members: HashMap<MemberId, MemberAt>,
    numbers: HashSet<(AccountId, u32)>,
    addresses: HashMap<(AccountId, String), MemberId>,
    roles: HashMap<RoleId, RoleAt>,
    keys: HashMap<(AccountId, String), RoleId>,
    tokens: HashMap<TokenId, TokenAt>,
}

/// Begins the transaction of a group, locks the last revision and reads the ground: one way there and back. The statements
/// are prepared.
pub(super) async fn begin(session: &Session, proposals: &[Proposal]) -> Result<Ground, ReadError> {
    let sought = Sought::by(proposals);
    let of_members: Values<'_> = &[&sought.members, &sought.within, &sought.numbers, &sought.addresses];
    let of_roles: Values<'_> = &[&sought.roles, &sought.within, &sought.keys];
    let (of_accounts, of_tokens): (Values<'_>, Values<'_>) = (&[&sought.accounts], &[&sought.tokens]);
    // They run in this order, each with its own view of what is committed: so all that are asked after the lock see
    // whatever its last holder wrote.
    let ((), head, accounts, members, roles, tokens) = tokio::try_join!(
        biased;
        session.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
        session.query(LOCK_HEAD, &[]),
        ask(session, ACCOUNTS, of_accounts, sought.accounts.is_empty()),
        ask(session, MEMBERS, of_members, sought.members.is_empty()),
        ask(session, ROLES, of_roles, sought.roles.is_empty()),
        ask(session, TOKENS, of_tokens, sought.tokens.is_empty()),
    )?;
    let mut ground = Ground::at(head_from(&head)?);
    for row in &accounts {
        ground.accounts.insert(AccountId::from_bytes(bytes(row, 0)?));
    }
    members.iter().try_for_each(|row| ground.find_member(row))?;
    roles.iter().try_for_each(|row| ground.find_role(row))?;
    tokens.iter().try_for_each(|row| ground.find_token(row))?;
    Ok(ground)
}

/// Asks, unless it is known that there is nothing to be found.
async fn ask(
    session: &Session,
    sql: &'static str,
    values: Values<'_>,
    nothing: bool,
) -> Result<Vec<Row>, Error> {
    if nothing { Ok(Vec::new()) } else { session.query(sql, values).await }
}

fn text(row: &Row, at: usize) -> Result<Option<String>, StoreError> {
    row.try_get(at).map_err(|error| unreadable(&super::error::told(&error)))
}

impl Ground {
    fn at(head: Revision) -> Self {
        Self {
            head,
            accounts: HashSet::new(),
            members: HashMap::new(),
            numbers: HashSet::new(),
            addresses: HashMap::new(),
            roles: HashMap::new(),
            keys: HashMap::new(),
            tokens: HashMap::new(),
        }
    }

    fn find_member(&mut self, row: &Row) -> Result<(), StoreError> {
        let (id, account) = (MemberId::from_bytes(bytes(row, 0)?), AccountId::from_bytes(bytes(row, 2)?));
        let address = text(row, 4)?;
        self.numbers.insert((account, number(row, 3)?));
        if let Some(address) = &address {
            self.addresses.insert((account, address.clone()), id);
        }
        self.members.insert(id, MemberAt { revision: revision(row, 1)?, account, address });
        Ok(())
    }

    fn find_role(&mut self, row: &Row) -> Result<(), StoreError> {
        let (id, account) = (RoleId::from_bytes(bytes(row, 0)?), AccountId::from_bytes(bytes(row, 2)?));
        let key = text(row, 3)?.unwrap_or_default();
        self.keys.insert((account, key.clone()), id);
        self.roles.insert(id, RoleAt { revision: revision(row, 1)?, account, key });
        Ok(())
    }

    fn find_token(&mut self, row: &Row) -> Result<(), StoreError> {
        let kind = encoding::kind(&text(row, 3)?.unwrap_or_default())?;
        let at = TokenAt {
            revision: revision(row, 1)?,
            owner: MemberId::from_bytes(bytes(row, 2)?),
            of_a_person: kind.is_of_a_person(),
        };
        self.tokens.insert(TokenId::from_bytes(bytes(row, 0)?), at);
        Ok(())
    }

    /// The first expectation that does not hold.
    pub(super) fn broken(&self, expects: &[Expectation]) -> Option<Expectation> {
        expects.iter().find(|expectation| !self.holds(expectation)).copied()
    }

    fn holds(&self, expectation: &Expectation) -> bool {
        let (found, expected) = match expectation {
            Expectation::Head(revision) => (Some(self.head), revision),
            Expectation::Token { id, revision } => (self.tokens.get(id).map(|at| at.revision), revision),
            Expectation::Member { id, revision } => (self.members.get(id).map(|at| at.revision), revision),
            Expectation::Role { id, revision } => (self.roles.get(id).map(|at| at.revision), revision),
        };
        found == Some(*expected)
    }

    /// Takes an event as the next revision, which is given. `false`, and nothing is moved, if it makes a duplicate.
    pub(super) fn take(&mut self, event: &Event, revision: Revision) -> bool {
        let taken = match event {
            Event::AccountFounded { account } => self.accounts.insert(account.id),
            Event::MemberAdded { member } => self.add_member(member, revision),
            Event::MemberChanged { after, .. } => self.change_member(after, revision),
            Event::RoleDefined { role } => self.define_role(role, revision),
            Event::RoleChanged { after, .. } => self.change_role(after, revision),
            Event::RoleRemoved { role } => {
                if let Some(at) = self.roles.remove(&role.id) {
                    self.keys.remove(&(at.account, at.key));
                }
                true
            }
            Event::TokenIssued { token } => self.issue(token, revision),
            Event::TokenChanged { after, .. } | Event::TokenRotated { after, .. } => {
                if let Some(at) = self.tokens.get_mut(&after.id) {
                    at.revision = revision;
                }
                true
            }
            Event::TokenRevoked { token } => {
                self.tokens.remove(&token.id);
                true
            }
        };
        if taken {
            self.head = revision;
        }
        taken
    }

    fn add_member(&mut self, member: &Member, revision: Revision) -> bool {
        let (number, address) = ((member.account, member.number), address_of(member));
        let key = address.clone().map(|address| (member.account, address));
        let known = self.members.contains_key(&member.id)
            || self.numbers.contains(&number)
            || key.as_ref().is_some_and(|key| self.addresses.contains_key(key));
        if known {
            return false;
        }
        self.numbers.insert(number);
        if let Some(key) = key {
            self.addresses.insert(key, member.id);
        }
        self.members.insert(member.id, MemberAt { revision, account: member.account, address });
        true
    }

    /// A row that is not there is not changed, and collides with nothing.
    fn change_member(&mut self, after: &Member, revision: Revision) -> bool {
        let Some(at) = self.members.get_mut(&after.id) else { return true };
        let address = address_of(after);
        if let Some(address) = &address {
            let taken_by = self.addresses.get(&(at.account, address.clone()));
            if taken_by.is_some_and(|id| *id != after.id) {
                return false;
            }
        }
        if let Some(old) = std::mem::replace(&mut at.address, address.clone()) {
            self.addresses.remove(&(at.account, old));
        }
        if let Some(address) = address {
            self.addresses.insert((at.account, address), after.id);
        }
        at.revision = revision;
        if after.standing == Standing::Removed {
            self.tokens.retain(|_, token| !(token.owner == after.id && token.of_a_person));
        }
        true
    }

    fn define_role(&mut self, role: &CustomRole, revision: Revision) -> bool {
        let key = kept(&role.key).into_owned();
        let place = (role.account, key.clone());
        if self.roles.contains_key(&role.id) || self.keys.contains_key(&place) {
            return false;
        }
        self.keys.insert(place, role.id);
        self.roles.insert(role.id, RoleAt { revision, account: role.account, key });
        true
    }

    fn change_role(&mut self, after: &CustomRole, revision: Revision) -> bool {
        let Some(at) = self.roles.get_mut(&after.id) else { return true };
        let key = kept(&after.key).into_owned();
        if self.keys.get(&(at.account, key.clone())).is_some_and(|id| *id != after.id) {
            return false;
        }
        let old = std::mem::replace(&mut at.key, key.clone());
        self.keys.remove(&(at.account, old));
        self.keys.insert((at.account, key), after.id);
        at.revision = revision;
        true
    }

    fn issue(&mut self, token: &Token, revision: Revision) -> bool {
        if self.tokens.contains_key(&token.id) {
            return false;
        }
        let at = TokenAt { revision, owner: token.owner, of_a_person: token.kind.is_of_a_person() };
        self.tokens.insert(token.id, at);
        true
    }
}

/// The address that nobody else in the account may have.
fn address_of(member: &Member) -> Option<String> {
    (member.standing != Standing::Removed).then(|| email_key(&member.email))
}
