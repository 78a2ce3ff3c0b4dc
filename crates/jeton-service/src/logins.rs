//! Logging in, by password or by token, and out.

use std::sync::Arc;

use jeton_core::change::{Event, Proposal};
use jeton_core::id::{MemberId, TokenId};
use jeton_core::member::{Member, PasswordHash};
use jeton_core::refusal::Refusal;
use jeton_core::rule;
use jeton_core::secret::Secret;
use jeton_core::token::TokenKind;

use crate::Service;
use crate::error::{Error, Failure};
use crate::session::Session;
use crate::tokens::ATTEMPTS;

/// By what somebody logs in.
enum By {
    /// A password, which this is the hash of.
    Password(Option<PasswordHash>),
    /// A token of theirs.
    Session(Box<Session>),
}

impl Service {
    /// Logs in whoever has this address and this password.
    ///
    /// # Errors
    /// [`Refusal::WrongPassword`], whatever of the two is wrong; [`Refusal::MemberInactive`].
    pub async fn login(&self, email: &str, password: &str) -> Result<(Arc<Member>, Secret), Error> {
        // Whoever was added or let in at another node a moment ago is known here too.
        self.catch_up().await?;
        let found = self.inner.store.members_by_email(email).await?;
        // An address may be known in several accounts, and then the password tells which is meant.
        let mut hashes: Vec<_> = found.iter().filter(|member| member.password.is_some()).collect();
        if hashes.is_empty() {
            self.is_password(password, None).await?;
        }
        for member in hashes.drain(..) {
            if self.is_password(password, member.password.as_ref()).await? {
                return self.open_login(member.id, By::Password(member.password.clone())).await;
            }
        }
        Err(Refusal::WrongPassword.into())
    }

    /// Logs in whoever presents a token of theirs, which goes on living; what an earlier login made is prolonged.
    ///
    /// # Errors
    /// If the token is good for nothing, or nobody's: a service token is no person.
    pub async fn login_with(&self, presented: &str) -> Result<(Arc<Member>, Secret), Error> {
        let session = self.authenticate(presented).await?;
        let caller = session.caller();
        if caller.kind == TokenKind::Service {
            return Err(Refusal::WrongPassword.into());
        }
        if caller.kind == TokenKind::Login {
            let token = self.token_of_any_kind(caller.account, caller.token).await?.token;
            self.commit_first(rule::prolong(&token, self.now()).into_iter().collect()).await?;
        }
        let session = self.renewed(&session)?;
        self.open_login(session.caller().member.id, By::Session(Box::new(session))).await
    }

    /// Ends what a login made: the token in `presented` if there is one, else the caller's own. Any other token is left
    /// alone, and so is one of somebody else.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn logout(&self, session: &Session, presented: Option<&str>) -> Result<(), Error> {
        let session = match presented {
            None => session.clone(),
            Some(presented) => match self.authenticate(presented).await {
                Ok(other) if other.caller().member.id == session.caller().member.id => other,
                Ok(_) => return Ok(()),
                Err(Error::Unauthenticated(_)) => return self.until_all_know().await,
                Err(error) => return Err(error),
            },
        };
        for _ in 0..ATTEMPTS {
            let caller = session.caller();
            let found = self.inner.store.token(caller.account, caller.token).await?;
            let Some(proposal) = found.and_then(|found| rule::logout(&found.token, self.now())) else {
                return self.until_all_know().await;
            };
            if self.commit_first(vec![proposal]).await?.is_some() {
                return Ok(());
            }
        }
        Err(Failure::Contended.into())
    }

    /// Sets a password. Who changes their own shows that they know the old one, if there is one.
    ///
    /// # Errors
    /// [`Refusal::WrongPassword`], [`Refusal::BadPassword`], and those of [`rule::change_member`].
    pub async fn set_password(
        &self,
        session: &Session,
        id: MemberId,
        current: Option<&str>,
        new: &str,
    ) -> Result<Arc<Member>, Error> {
        let member = self.member(session, id)?;
        self.may_set_password(session, &member)?;
        if session.caller().is_person(id)
            && member.password.is_some()
            && !self.is_password(current.unwrap_or_default(), member.password.as_ref()).await?
        {
            return Err(Refusal::WrongPassword.into());
        }
        let password = Some(self.hash_password(new).await?);
        let command = jeton_core::command::ChangeMember { password, ..Default::default() };
        self.change_member(session, id, &command).await
    }

    async fn open_login(&self, member: MemberId, mut by: By) -> Result<(Arc<Member>, Secret), Error> {
        for _ in 0..ATTEMPTS {
            let member = self.inner.index.directory().member(&member).ok_or(Refusal::WrongPassword)?;
            let now = self.now();
            let caller = match &by {
                By::Session(session) => Some(session.caller()),
                // It was changed since it was looked at, and the new one is another.
                By::Password(password) if *password != member.password => {
                    return Err(Refusal::WrongPassword.into());
                }
                By::Password(_) => None,
            };
            let issued = rule::login(&member, caller, &self.inner.mint, now, &self.fresh(now))?;
            let mut proposals = vec![issued.proposal];
            proposals.extend(self.old_logins(&member).await?);
            if let Some(Event::TokenIssued { .. }) = self.commit_first(proposals).await? {
                self.inner.last_used.note_login(member.id, now);
                return Ok((member, issued.secret));
            }
            match &by {
                By::Session(session) => by = By::Session(Box::new(self.renewed(session)?)),
                By::Password(_) => self.require_fresh()?,
            }
        }
        Err(Failure::Contended.into())
    }

    /// Ends all logins of a member but one, also such as are made or prolonged meanwhile.
    pub(crate) async fn end_logins(&self, member: &Member, but: TokenId) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let proposals = self.ended_logins(member, but).await?;
            if proposals.is_empty() {
                return Ok(());
            }
            self.inner.committer.commit_all(proposals).await?;
        }
        Err(Failure::Contended.into())
    }

    /// The end of those logins of a member that have expired, and of the oldest where there are too many.
    async fn old_logins(&self, member: &Member) -> Result<Vec<Proposal>, Error> {
        let ids = self.inner.index.rosters().logins(member.account, member.id);
        let too_many = (ids.len() + 1).saturating_sub(self.inner.limits.logins);
        let now = self.now();
        let stored = self.inner.store.tokens(member.account, &ids).await?;
        let old = stored.into_iter().enumerate().filter(|(at, stored)| {
            *at < too_many || stored.token.expires_at.is_some_and(|end| end.has_come(now))
        });
        Ok(old.filter_map(|(_, stored)| rule::logout(&stored.token, now)).collect())
    }

    /// The end of all logins of a member but one.
    pub(crate) async fn ended_logins(&self, member: &Member, but: TokenId) -> Result<Vec<Proposal>, Error> {
        let ids = self.inner.index.rosters().logins(member.account, member.id);
        let stored = self.inner.store.tokens(member.account, &ids).await?;
        let others = stored.into_iter().filter(|stored| stored.token.id != but);
        Ok(others.filter_map(|stored| rule::logout(&stored.token, self.now())).collect())
    }
}
