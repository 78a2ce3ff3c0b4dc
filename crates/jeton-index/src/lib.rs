//! The verification index: every credential of every account in memory, read without a lock.
//!
//! It is a plain data structure. It follows changes in revision order, one at a time ([`Index::apply`]), while any
//! number of threads ask it about secrets ([`Index::authenticate`]); a reader never waits for the writer. It opens
//! nothing, reads no clock and can't fail: once a change is durable, following it has no error path.
//!
//! | part | answers |
//! |---|---|
//! | `credentials` | which token a digest belongs to, and whether it is alive: in a `table` of `slot`s |
//! | `rights` | what a token may do by itself, kept once for all tokens that may the same |
//! | [`directory`] | who a member is, and what a role grants |
//! | [`roster`] | which tokens an account or a member has, in order, at any offset |
//! | [`verdict`] | whether a secret is good, and whether it may do what is asked of it |
//! | [`image`] | a canonical picture of it all, by which two indexes are compared |
//!
//! # In a program of your own
//!
//! [`verdict::Verifier`] goes from a presented text to a verdict. Four things stay with that program, which the server does in
//! `jeton-service`:
//!
//! - **How new the index is.** It answers as of [`Index::revision`], however long ago that was, so a program that can't prove
//!   that it has followed every change has to refuse by itself. Changes come from a store ([`Index::apply`], in order); what a
//!   running server streams at `/changes` holds no digests, and can't be followed.
//! - **The clock.** `now` is that by which tokens were given their ends.
//! - **Accounts.** A verdict is about a token of any account: who answers for one compares it with that of
//!   [`verdict::Verified::member`].
//! - **Silence.** Why a secret is refused is for the log.
//!
//! ```
//! use jeton_core::authority::Authority;
//! use jeton_core::caller::Rights;
//! use jeton_core::change::Revision;
//! use jeton_core::credential::Credential;
//! use jeton_core::digest::ServerKey;
//! use jeton_core::id::{AccountId, MemberId, TokenId};
//! use jeton_core::member::{Member, Standing};
//! use jeton_core::policy::Resource;
//! use jeton_core::role::BaseRole;
//! use jeton_core::secret::SecretFormat;
//! use jeton_core::snapshot::Record;
//! use jeton_core::timestamp::Timestamp;
//! use jeton_core::token::{ApiVersion, Scope, TokenKind};
//! use jeton_index::verdict::{Refused, Requirement, Verifier};
//! use jeton_index::{Dead, Index};
//!
//! let format = SecretFormat::new("acme").expect("2 to 12 letters or digits");
//! let key = ServerKey::new([7; 32].into());
//! let secret = format.generate(TokenKind::Service, &[1; 48]);
//!
//! // As they come from a store: members before the tokens that they made.
//! let member = Member {
//!     id: MemberId::from_bytes([1; 12]),
//!     account: AccountId::from_bytes([2; 12]),
//!     number: 1000,
//!     email: "ada@example.com".to_owned(),
//!     name: String::new(),
//!     family_name: String::new(),
//!     role: BaseRole::Owner,
//!     custom_roles: Vec::new(),
//!     standing: Standing::Active,
//!     password: None,
//!     created_at: Timestamp::from_millis(0),
//!     revision: Revision::ZERO,
//! };
//! let credential = Credential {
//!     id: TokenId::from_bytes([3; 12]),
//!     account: member.account,
//!     owner: member.id,
//!     rights: Rights {
//!         kind: TokenKind::Service,
//!         scope: Scope::Base(BaseRole::Reader),
//!         ceiling: Authority::default(),
//!         api_version: ApiVersion::LATEST,
//!     },
//!     expires_at: Some(Timestamp::from_millis(1_000)),
//!     digest: key.digest(secret.expose()),
//!     retiring: None,
//!     revision: Revision::ZERO,
//! };
//! let mut index = Index::with_capacity(1);
//! index.load([Record::Member(member), Record::Credential(credential)]);
//! index.built(Revision::ZERO);
//!
//! let verifier = Verifier { format: &format, key: &key, index: &index };
//! let verify = |presented: &str, action: &str, now: i64| {
//!     let resource = Resource::parse("proj/web").expect("a resource");
//!     verifier.verify(presented, Some(Requirement { action, resource }), Timestamp::from_millis(now))
//! };
//! assert_eq!(verify(secret.expose(), "viewProject", 999).unwrap().token, TokenId::from_bytes([3; 12]));
//! assert!(matches!(verify(secret.expose(), "updateProject", 999), Err(Refused::NotAllowed(_))));
//! assert!(matches!(verify(secret.expose(), "viewProject", 1_000), Err(Refused::Dead(Dead::Expired))));
//! assert!(matches!(verify("nothing of the kind", "viewProject", 999), Err(Refused::Malformed(_))));
//! ```

mod credentials;
pub mod directory;
pub mod image;
mod rights;
pub mod roster;
mod slab;
mod slot;
mod table;
pub mod verdict;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use jeton_core::caller::{Caller, Rights};
use jeton_core::change::{Change, Event, Revision};
use jeton_core::credential::Credential;
use jeton_core::digest::Digest;
use jeton_core::id::{AccountId, MemberId, TokenId};
use jeton_core::member::{Member, Standing};
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::Token;

use credentials::{Credentials, Found};
use directory::{Directory, Seat};
use roster::Rosters;

/// Credentials that are taken in together: so many that waiting for memory overlaps, so few that what was brought near is
/// still there when its turn comes.
const TOGETHER: usize = 256;

/// Every credential in memory. See the [crate documentation](crate).
pub struct Index {
    credentials: Credentials,
    directory: Directory,
    rosters: Rosters,
    revision: AtomicU64,
    /// One writer at a time. Readers never touch it.
    writer: Mutex<()>,
}

/// A token that a secret belongs to, and its owner: alive at the instant that was asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The token.
    pub token: TokenId,
    /// Its owner.
    pub owner: MemberId,
    /// The change that last touched the token.
    pub revision: Revision,
    /// Whether the secret was replaced and works only until its grace ends.
    pub retiring: bool,
}

/// A good secret, as [`Index::verify`] shows it: what decides is at hand, what is only reported is fetched when asked for.
pub struct Living<'i> {
    found: &'i Found<'i>,
    seat: &'i Seat,
    /// What the token may do by itself.
    pub rights: &'i Rights,
}

impl Living<'_> {
    /// The token.
    pub fn token(&self) -> TokenId {
        self.found.token
    }

    /// Its owner.
    pub fn owner(&self) -> MemberId {
        self.seat.id
    }

    /// The change that last touched the token.
    pub fn revision(&self) -> Revision {
        self.found.worth.revision
    }

    /// Whether the secret was replaced and works only until its grace ends.
    pub fn is_retiring(&self) -> bool {
        self.found.worth.retiring
    }

    /// When the secret ends by itself, if it does: its token's end, or that of its grace.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.found.worth.until.at()
    }

    /// The owner's record.
    pub(crate) fn record(&self) -> Option<Arc<Member>> {
        self.seat.record()
    }

    /// All that is reported.
    pub fn identity(&self) -> Identity {
        let (token, owner) = (self.token(), self.owner());
        Identity { token, owner, revision: self.revision(), retiring: self.is_retiring() }
    }
}

/// Why a secret is refused. For the log and for the token's owner: a stranger learns only that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dead {
    /// No token has this secret, or none has it any more.
    Unknown,
    /// The token, or the grace of a replaced secret, has ended.
    Expired,
    /// The owner of a personal token is blocked, removed or not yet approved.
    OwnerInactive,
    /// The token was revoked; a login also if it was ended because it had expired. Only [`Index::why`] tells.
    Revoked,
    /// Another secret took its place when the token was rotated, and no grace was given, or it ended, by itself, with the
    /// token or because somebody revoked this secret alone. Only [`Index::why`] tells.
    Replaced,
}

impl Index {
    /// An empty index with room for this many tokens before it first grows.
    pub fn with_capacity(tokens: usize) -> Self {
        let credentials = Credentials::with_capacity(tokens);
        let rosters = Rosters::of(credentials.ids());
        Self {
            credentials,
            directory: Directory::default(),
            rosters,
            revision: AtomicU64::new(0),
            writer: Mutex::new(()),
        }
    }

    /// Takes in records while the index is being built, faster together than one by one: the looks of one token wait for
    /// memory while those of the next begin. [`Index::built`] ends that.
    pub fn load(&mut self, records: impl IntoIterator<Item = Record>) {
        let mut credentials = Vec::new();
        for record in records {
            match record {
                Record::Member(member) => self.directory.put_member(member),
                Record::Role(role) => self.directory.put_role(role),
                Record::Credential(credential) => credentials.push(credential),
            }
        }
        credentials.chunks(TOGETHER).for_each(|credentials| self.add(credentials));
    }

    /// Says that everything up to `revision` was loaded.
    pub fn built(&mut self, revision: Revision) {
        self.revision.store(revision.number(), Ordering::Release);
    }

    /// The last change that was taken in.
    pub fn revision(&self) -> Revision {
        Revision::new(self.revision.load(Ordering::Acquire))
    }

    /// Follows one change. Changes come in revision order; one that was already taken in is passed over.
    pub fn apply(&self, change: &Change) {
        let _writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if change.revision <= self.revision() {
            return;
        }
        match &change.event {
            Event::AccountFounded { .. } => {}
            Event::MemberAdded { member } => self.directory.put_member(member.clone()),
            Event::MemberChanged { after, .. } => self.change_member(after),
            Event::RoleDefined { role } => self.directory.put_role(role.clone()),
            Event::RoleChanged { before, after } => {
                self.directory.replace_role(before, after.clone());
            }
            Event::RoleRemoved { role } => self.directory.remove_role(role),
            Event::TokenIssued { token } => self.add(&[Credential::from(token)]),
            Event::TokenChanged { before, after } | Event::TokenRotated { before, after } => {
                self.replace(before, after);
            }
            Event::TokenRevoked { token } => self.remove(token),
        }
        self.revision.store(change.revision.number(), Ordering::Release);
    }

    /// Finds the token that a secret with this digest belongs to, if it is alive at `now`.
    ///
    /// # Errors
    /// Why it is not.
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is of a single lifetime")]
    pub fn find(&self, digest: &Digest, now: Timestamp) -> Result<Identity, Dead> {
        self.verify(digest, now, |living| living.identity())
    }

    /// Has what is known of these secrets brought near, before one after the other is asked about: looks that wait for memory
    /// then overlap. Nothing depends on it.
    pub fn bring<'d>(&self, digests: impl Iterator<Item = &'d Digest>) {
        self.credentials.bring(digests);
    }

    /// Gives what `answer` makes of the secret with this digest, if it is alive at `now`. Nothing is copied or counted:
    /// a question that needs an allowance only costs the look.
    ///
    /// # Errors
    /// Why it is not alive.
    pub fn verify<T>(
        &self,
        digest: &Digest,
        now: Timestamp,
        answer: impl FnOnce(&Living<'_>) -> T,
    ) -> Result<T, Dead> {
        let admit = |found: &Found<'_>| match self.directory.seat(found.owner()) {
            None => Err(Dead::Unknown),
            Some(seat) if found.worth.rights.is_of_a_person() && !seat.is_active() => {
                Err(Dead::OwnerInactive)
            }
            Some(seat) => Ok(seat),
        };
        let answer = |found: &Found<'_>, seat, rights: &Rights| answer(&Living { found, seat, rights });
        self.credentials.find(digest, now, admit, answer)
    }

    /// Why a secret with this digest is good for nothing at `now`, as exactly as is known; `None` if it is alive.
    ///
    /// What is revoked or replaced is told from what never was until the table of secrets is built anew: at the start, and
    /// whenever the living and the dead have filled it. This is a second look, for whoever keeps a log. It takes the same
    /// steps for a secret that was revoked as for one that is unknown.
    pub fn why(&self, digest: &Digest, now: Timestamp) -> Option<Dead> {
        let dead = self.verify(digest, now, |_| ()).err()?;
        Some(match dead {
            Dead::Unknown | Dead::Expired => self.credentials.fate(digest).unwrap_or(dead),
            known => known,
        })
    }

    /// The caller who presented a secret with this digest at `now`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn authenticate(&self, digest: &Digest, now: Timestamp) -> Result<Caller, Dead> {
        self.verify(digest, now, |living| {
            let owner = living.seat.record().ok_or(Dead::Unknown)?;
            // Asked of the very record that the caller's basis will name: one that is read later could be of a member
            // who was blocked in between, and would make a write of theirs look well founded.
            if living.rights.kind.is_of_a_person() && !owner.is_active() {
                return Err(Dead::OwnerInactive);
            }
            let token = (living.token(), living.revision());
            let caller = Caller::new(token, living.rights, owner, &self.directory);
            Ok(if living.is_retiring() { caller.with_retiring_secret() } else { caller })
        })?
    }

    /// The caller who would present a secret with this digest, also if it is good for nothing at `now` but may be good again:
    /// its owner is blocked, or its token's end has come, which can be put off. `None` for what is gone for good.
    pub fn holder(&self, digest: &Digest, now: Timestamp) -> Option<Caller> {
        let admit = |found: &Found<'_>| self.directory.seat(found.owner()).ok_or(Dead::Unknown);
        let answer = |found: &Found<'_>, seat, rights: &Rights| {
            let living = Living { found, seat, rights };
            // The end of a grace is not put off.
            let gone = living.is_retiring() && living.ends_at().is_some_and(|end| end.has_come(now));
            let caller = |owner| {
                let caller = Caller::new((living.token(), living.revision()), rights, owner, &self.directory);
                if living.is_retiring() { caller.with_retiring_secret() } else { caller }
            };
            living.record().filter(|_| !gone).map(caller)
        };
        let long_ago = Timestamp::from_millis(i64::MIN);
        self.credentials.find(digest, long_ago, admit, answer).ok().flatten()
    }

    /// Members and roles.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Which tokens there are, in order.
    pub fn rosters(&self) -> &Rosters {
        &self.rosters
    }

    /// How many tokens there are, in all accounts.
    pub fn tokens(&self) -> u64 {
        self.rosters.total()
    }

    /// How many tokens an account has.
    pub fn tokens_of_account(&self, account: AccountId) -> u64 {
        self.rosters.count(account)
    }

    /// Bytes of memory that the table of secrets takes at its present size.
    pub fn bytes(&self) -> usize {
        self.credentials.bytes()
    }

    fn add(&self, credentials: &[Credential]) {
        // Where the table is nearly full, or short of names, they come one by one: room for all of them would be made before it
        // is needed.
        let together = if self.credentials.has_room_for(credentials) { credentials.len() } else { 1 };
        for some in credentials.chunks(together) {
            let seats = self.directory.seats_of(some.iter().map(|credential| credential.owner));
            let (places, moved) = self.credentials.add(some.iter().zip(seats.iter().copied()));
            self.rosters.follow(moved);
            let listed = some.iter().zip(places);
            self.rosters
                .add(listed.map(|(it, place)| ((it.account, it.rights.kind, it.owner), it.id, place)));
        }
    }

    fn replace(&self, before: &Token, after: &Token) {
        let (before, after) = (Credential::from(before), Credential::from(after));
        let (place, moved) = self.credentials.replace(&before, &after, self.directory.seat_of(after.owner));
        self.rosters.follow(moved);
        if let Some(place) = place {
            self.rosters.put((after.account, after.rights.kind, after.owner), after.id, place);
        }
    }

    fn remove(&self, token: &Token) {
        self.credentials.remove(&Credential::from(token));
        self.rosters.remove((token.account, token.kind, token.owner), token.id);
    }

    fn change_member(&self, after: &Member) {
        self.directory.put_member(after.clone());
        if after.standing == Standing::Removed && self.rosters.remove_personal(after.account, after.id) {
            self.credentials.remove_personal(self.directory.seat_of(after.id));
        }
    }
}
