//! Members: list, add, change, remove.

use std::sync::Arc;

use jeton_core::change::{Event, Expectation, Proposal};
use jeton_core::command::{AddMember, ChangeMember};
use jeton_core::member::{FIRST_NUMBER, Member, PasswordHash, Standing};
use jeton_core::refusal::Refusal;
use jeton_core::rule::{self, MemberFacts};
use jeton_store::{Outcome, Presence};

use crate::Service;
use crate::error::{Error, Failure};
use crate::session::Session;
use crate::tokens::ATTEMPTS;

impl Service {
    /// The members of the caller's account, by number. Everybody may know who the others are.
    pub fn members(&self, session: &Session) -> Vec<Arc<Member>> {
        self.inner.index.directory().members_of(session.caller().account)
    }

    /// One member of the caller's account.
    ///
    /// # Errors
    /// [`Refusal::NoSuchMember`].
    pub fn member(&self, session: &Session, id: jeton_core::id::MemberId) -> Result<Arc<Member>, Error> {
        let member = self.inner.index.directory().member(&id);
        let here = |member: &Arc<Member>| {
            member.account == session.caller().account && member.standing != Standing::Removed
        };
        Ok(member.filter(here).ok_or(Refusal::NoSuchMember)?)
    }

    /// One member of the caller's account, by number.
    ///
    /// # Errors
    /// [`Refusal::NoSuchMember`].
    pub fn member_by_number(&self, session: &Session, number: u32) -> Result<Arc<Member>, Error> {
        let member = self.inner.index.directory().member_by_number(session.caller().account, number);
        Ok(member.ok_or(Refusal::NoSuchMember)?)
    }

    /// When a member was last here. Everybody who may see the member may see that.
    pub fn presence(&self, member: &Member) -> Presence {
        self.inner.last_used.presence(member.id)
    }

    /// Refuses everybody who is no administrator.
    ///
    /// # Errors
    /// [`Refusal::AdministratorsOnly`].
    pub fn require_administrator(&self, session: &Session) -> Result<(), Error> {
        if session.caller().is_administrator() { Ok(()) } else { Err(Refusal::AdministratorsOnly.into()) }
    }

    /// Adds members, all of them or none.
    ///
    /// # Errors
    /// Refusals of [`rule::add_member`], for the first that can't be added.
    pub async fn add_members(
        &self,
        session: &Session,
        commands: &[AddMember],
    ) -> Result<Vec<Arc<Member>>, Error> {
        let mut current = session.clone();
        for _ in 0..ATTEMPTS {
            let proposals = self.additions(&current, commands).await?;
            let outcomes = self.inner.committer.commit_all(proposals).await?;
            let added: Option<Vec<Arc<Member>>> = outcomes.into_iter().map(added).collect();
            if let Some(added) = added {
                return Ok(added);
            }
            current = self.renewed(&current)?;
        }
        Err(Failure::Contended.into())
    }

    /// Whether these members could be added now, apart from their passwords: asked before these are hashed, which is a
    /// lot of work to do for somebody who may not.
    ///
    /// # Errors
    /// As [`Service::add_members`].
    pub async fn may_add_members(&self, session: &Session, commands: &[AddMember]) -> Result<(), Error> {
        self.additions(session, commands).await.map(drop)
    }

    /// Whether a member's password could be set now: asked before it is looked at.
    ///
    /// # Errors
    /// As [`Service::change_member`].
    pub fn may_set_password(&self, session: &Session, member: &Member) -> Result<(), Error> {
        let password = Some(PasswordHash::new(String::new()));
        let command = ChangeMember { password, ..ChangeMember::default() };
        let facts = MemberFacts { number: member.number, members: 0, email_taken: false };
        let (directory, limits) = (self.inner.index.directory(), &self.inner.limits);
        rule::change_member(session.caller(), member, &command, facts, directory, limits, self.now())?;
        Ok(())
    }

    async fn additions(&self, session: &Session, commands: &[AddMember]) -> Result<Vec<Proposal>, Error> {
        let (index, now) = (&self.inner.index, self.now());
        let account = session.caller().account;
        // Read before the facts: whatever comes in between makes the head another.
        let mut head = index.revision();
        let directory = index.directory();
        let members = directory.members_of(account).len();
        let first = directory.highest_number(account).max(FIRST_NUMBER - 1) + 1;
        let mut emails: Vec<String> = Vec::with_capacity(commands.len());
        let mut proposals = Vec::with_capacity(commands.len());
        for (number, (before, command)) in (first..).zip(commands.iter().enumerate()) {
            let email = command.email.to_lowercase();
            let taken = emails.contains(&email) || self.is_taken(session, &command.email, None).await?;
            let facts = MemberFacts { number, members: members + before, email_taken: taken };
            let mut proposal = rule::add_member(
                session.caller(),
                command,
                facts,
                directory,
                &self.inner.limits,
                now,
                &self.fresh(now),
            )?;
            if commands.len() > 1 {
                // Each follows the one before it, or none of them is written.
                proposal.expects.push(Expectation::Head(head));
                head = head.next();
            }
            proposals.push(proposal);
            emails.push(email);
        }
        Ok(proposals)
    }

    /// Changes a member. A new password ends the member's logins, but for the one that asks.
    ///
    /// # Errors
    /// Refusals of [`rule::change_member`].
    pub async fn change_member(
        &self,
        session: &Session,
        id: jeton_core::id::MemberId,
        command: &ChangeMember,
    ) -> Result<Arc<Member>, Error> {
        self.change_member_with(session, id, |_| Ok::<_, Error>(command.clone())).await
    }

    /// Changes a member by a command that is worked out from the member as they are, anew whenever they changed
    /// meanwhile.
    ///
    /// # Errors
    /// Refusals of [`rule::change_member`], and whatever `command` says.
    pub async fn change_member_with<E: From<Error>>(
        &self,
        session: &Session,
        id: jeton_core::id::MemberId,
        command: impl Fn(&Member) -> Result<ChangeMember, E>,
    ) -> Result<Arc<Member>, E> {
        let mut current = session.clone();
        for _ in 0..ATTEMPTS {
            let before = self.member(&current, id)?;
            let command = command(&before)?;
            let email_taken = match &command.email {
                Some(email) => self.is_taken(&current, email, Some(&before)).await?,
                None => false,
            };
            let facts = MemberFacts { number: before.number, members: 0, email_taken };
            let directory = self.inner.index.directory();
            let (limits, now) = (&self.inner.limits, self.now());
            let proposal =
                rule::change_member(current.caller(), &before, &command, facts, directory, limits, now)
                    .map_err(Error::from)?;
            let Some(proposal) = proposal else {
                self.until_all_know().await?;
                return Ok(before);
            };
            let mut proposals = vec![proposal];
            if command.password.is_some() {
                proposals.extend(self.ended_logins(&before, current.caller().token).await?);
            }
            if self.commit_first(proposals).await?.is_some() {
                if command.password.is_some() {
                    // Those that were prolonged before the commit, or made after they were looked for.
                    self.end_logins(&before, current.caller().token).await?;
                }
                return Ok(self.member(&current, id)?);
            }
            current = self.renewed(&current)?;
        }
        Err(Error::from(Failure::Contended).into())
    }

    /// Removes a member. When this answers, every personal token and every login of theirs is dead.
    ///
    /// # Errors
    /// Refusals of [`rule::remove_member`].
    pub async fn remove_member(&self, session: &Session, id: jeton_core::id::MemberId) -> Result<(), Error> {
        let mut current = session.clone();
        for _ in 0..ATTEMPTS {
            let before = self.member(&current, id)?;
            let directory = self.inner.index.directory();
            let proposal = rule::remove_member(current.caller(), &before, directory, self.now())?;
            if self.commit_first(vec![proposal]).await?.is_some() {
                return Ok(());
            }
            current = self.renewed(&current)?;
        }
        Err(Failure::Contended.into())
    }

    /// Commits proposals of which the first is what was asked for. `None` if the ground moved under that one.
    pub(crate) async fn commit_first(&self, proposals: Vec<Proposal>) -> Result<Option<Event>, Error> {
        let outcomes = self.inner.committer.commit_all(proposals).await?;
        Ok(match outcomes.into_iter().next() {
            Some(Outcome::Committed(change)) => Some(change.event),
            Some(Outcome::Stale(_) | Outcome::Duplicate) | None => None,
        })
    }

    /// Whether somebody else in the account has this address.
    async fn is_taken(&self, session: &Session, email: &str, but: Option<&Member>) -> Result<bool, Error> {
        let found = self.inner.store.members_by_email(email).await?;
        let account = session.caller().account;
        Ok(found.iter().any(|other| other.account == account && but.is_none_or(|but| but.id != other.id)))
    }
}

fn added(outcome: Outcome) -> Option<Arc<Member>> {
    match outcome {
        Outcome::Committed(change) => match change.event {
            Event::MemberAdded { member } => Some(Arc::new(member)),
            _ => None,
        },
        Outcome::Stale(_) | Outcome::Duplicate => None,
    }
}
