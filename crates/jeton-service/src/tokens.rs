//! Tokens: list, get, issue, amend, rotate, revoke.

use std::sync::Arc;

use jeton_core::caller::authority_of;
use jeton_core::change::{Event, Proposal};
use jeton_core::command::{Amend, Field, Issue, Rotate};
use jeton_core::explain::{self, Explanation};
use jeton_core::id::{AccountId, MemberId, TokenId};
use jeton_core::member::Member;
use jeton_core::policy::Resource;
use jeton_core::refusal::Refusal;
use jeton_core::rule;
use jeton_core::secret::Secret;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{Token, TokenKind};
use jeton_index::roster::{Selection, Start};
use jeton_store::StoredToken;

use crate::Service;
use crate::committer::Committed;
use crate::error::{Error, Failure};
use crate::session::Session;

/// How often a decision is taken before the others win.
pub(crate) const ATTEMPTS: usize = 16;

/// A token as it is shown.
#[derive(Clone, Debug)]
pub struct TokenView {
    /// The record.
    pub token: Token,
    /// Its owner, or whoever made a service token.
    pub owner: Option<Arc<Member>>,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// A list that its asker may see. Only the service makes one.
#[derive(Clone, Copy, Debug)]
pub struct Visible(Selection);

/// Part of a list of tokens.
#[derive(Debug)]
pub struct TokenPage {
    /// The tokens, oldest first.
    pub items: Vec<TokenView>,
    /// Where the page ends and the next one starts; `None` for an empty page.
    pub end: Option<TokenId>,
    /// The length of the whole list.
    pub total: u64,
    /// Whether others come after these.
    pub more: bool,
}

impl Service {
    /// The member whose tokens a caller turns to by number.
    ///
    /// # Errors
    /// [`Refusal::AdministratorsOnly`], [`Refusal::NoSuchMember`].
    pub fn member_for(&self, session: &Session, number: u32) -> Result<Arc<Member>, Error> {
        let caller = session.caller();
        let member = self.inner.index.directory().member_by_number(caller.account, number);
        Ok(rule::tokens_of(caller, member)?)
    }

    /// The tokens that the caller sees: service tokens and their own, or with `all`, which only moves administrators,
    /// everybody's.
    pub fn visible_to(&self, session: &Session, all: bool) -> Visible {
        let caller = session.caller();
        Visible(match caller.kind {
            _ if all && rule::may_list_all(caller) => Selection::All,
            TokenKind::Personal | TokenKind::Login => Selection::ServiceAndOwn(caller.member.id),
            // A service token is nobody: it has no personal tokens of its own to see.
            TokenKind::Service => Selection::ServiceAndOwn(MemberId::from_bytes([0; 12])),
        })
    }

    /// One member's personal tokens, as [`Service::member_for`] gave the member.
    pub fn personal_of(&self, member: &Member) -> Visible {
        Visible(Selection::Personal(member.id))
    }

    /// A page of a list, at most `limit` tokens.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list(
        &self,
        session: &Session,
        Visible(selection): Visible,
        start: Start,
        limit: usize,
    ) -> Result<TokenPage, Error> {
        let account = session.caller().account;
        let page = self.inner.index.rosters().page(account, selection, start, limit);
        let end = page.ids.last().copied();
        let stored = self.inner.store.tokens(account, &page.ids).await?;
        let items = stored.into_iter().map(|stored| self.view(stored)).collect();
        Ok(TokenPage { items, end, total: page.total, more: page.more })
    }

    /// One token that the caller sees.
    ///
    /// # Errors
    /// [`Refusal::NoSuchToken`], also for a token that the caller may not know of.
    pub async fn get(&self, session: &Session, id: TokenId) -> Result<TokenView, Error> {
        let caller = session.caller();
        match self.inner.store.token(caller.account, id).await? {
            Some(stored) if rule::may_see(caller, &stored.token) => Ok(self.view(stored)),
            _ => Err(Refusal::NoSuchToken.into()),
        }
    }

    /// The token that the caller presented, what a login made included.
    ///
    /// # Errors
    /// [`Refusal::NoSuchToken`], if it has just been revoked.
    pub async fn own_token(&self, session: &Session) -> Result<TokenView, Error> {
        Ok(self.view(self.token_of_any_kind(session.caller().account, session.caller().token).await?))
    }

    /// Why a token may do this to that, or why not: the caller's own, or another that the caller sees.
    ///
    /// # Errors
    /// [`Refusal::NoSuchToken`].
    pub async fn explain(
        &self,
        session: &Session,
        id: TokenId,
        action: &str,
        resource: Resource<'_>,
    ) -> Result<(TokenView, Explanation), Error> {
        let own = id == session.caller().token;
        let view = if own { self.own_token(session).await? } else { self.get(session, id).await? };
        let owner = view.owner.as_deref().ok_or(Refusal::NoSuchToken)?;
        let directory = self.inner.index.directory();
        let explanation = explain::explain(&view.token, owner, directory, self.now(), action, resource);
        Ok((view, explanation))
    }

    /// One personal token of one member.
    ///
    /// # Errors
    /// [`Refusal::NoSuchToken`].
    pub async fn get_of(&self, session: &Session, member: &Member, id: TokenId) -> Result<TokenView, Error> {
        let view = self.get(session, id).await?;
        if view.token.kind == TokenKind::Personal && view.token.owner == member.id {
            Ok(view)
        } else {
            Err(Refusal::NoSuchToken.into())
        }
    }

    /// Issues a token. The secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// Refusals of [`rule::issue`].
    pub async fn issue(&self, session: &Session, command: &Issue) -> Result<(TokenView, Secret), Error> {
        let mut current = None;
        for _ in 0..ATTEMPTS {
            let caller = current.as_ref().unwrap_or(session).caller();
            let owner = self.inner.index.directory().member(&command.owner).ok_or(Refusal::NoSuchMember)?;
            let now = self.now();
            let issued = rule::issue(
                caller,
                command,
                &owner,
                self.inner.index.directory(),
                self.inner.index.tokens_of_account(caller.account),
                &self.inner.limits,
                &self.inner.mint,
                now,
                &self.fresh(now),
            )?;
            if let Some(token) = self.commit(issued.proposal).await? {
                return Ok((self.view(StoredToken { token, last_used_at: None }), issued.secret));
            }
            current = Some(self.renewed(session)?);
        }
        Err(Failure::Contended.into())
    }

    /// Changes a token.
    ///
    /// # Errors
    /// Refusals of [`rule::amend`].
    pub async fn amend(&self, session: &Session, id: TokenId, command: &Amend) -> Result<TokenView, Error> {
        self.amend_with(session, id, command.fields(), |_| Ok(command.clone())).await
    }

    /// Changes a token by a command that is worked out from the token as it is, anew whenever it changed meanwhile: a
    /// JSON Patch is applied to what is there. It is worked out only for a caller who may change these `fields`.
    ///
    /// # Errors
    /// Refusals of [`rule::may_amend`] and [`rule::amend`], and whatever `command` says.
    pub async fn amend_with<E: From<Error>>(
        &self,
        session: &Session,
        id: TokenId,
        fields: impl IntoIterator<Item = Field> + Clone + Send,
        command: impl Fn(&TokenView) -> Result<Amend, E> + Send,
    ) -> Result<TokenView, E> {
        let mut current = session.clone();
        for _ in 0..ATTEMPTS {
            let before = self.token(&current, id).await?;
            rule::may_amend(current.caller(), &before.token, fields.clone()).map_err(Error::from)?;
            let view = self.view(before.clone());
            let command = command(&view)?;
            let proposal = rule::amend(
                current.caller(),
                &before.token,
                &command,
                self.inner.index.directory(),
                &self.inner.limits,
                self.now(),
            )
            .map_err(Error::from)?;
            let Some(proposal) = proposal else {
                self.until_all_know().await?;
                return Ok(view);
            };
            if let Some(token) = self.commit(proposal).await? {
                return Ok(self.view(StoredToken { token, last_used_at: before.last_used_at }));
            }
            current = self.renewed(&current)?;
        }
        Err(Error::from(Failure::Contended).into())
    }

    /// Gives a token a new secret, which is in the answer and nowhere else.
    ///
    /// # Errors
    /// Refusals of [`rule::rotate`].
    pub async fn rotate(
        &self,
        session: &Session,
        id: TokenId,
        command: Rotate,
    ) -> Result<(TokenView, Secret), Error> {
        let mut current = session.clone();
        for _ in 0..ATTEMPTS {
            let before = self.token(&current, id).await?;
            let owner =
                self.inner.index.directory().member(&before.token.owner).ok_or(Refusal::NoSuchToken)?;
            let theirs = authority_of(&before.token, owner, self.inner.index.directory());
            let (mint, now) = (&self.inner.mint, self.now());
            let issued = rule::rotate(
                current.caller(),
                &before.token,
                &theirs,
                &command,
                mint,
                now,
                &self.fresh(now),
            )?;
            if let Some(token) = self.commit(issued.proposal).await? {
                let view = self.view(StoredToken { token, last_used_at: before.last_used_at });
                return Ok((view, issued.secret));
            }
            current = self.renewed(&current)?;
        }
        Err(Failure::Contended.into())
    }

    /// Revokes a token. When this answers, the secret is dead.
    ///
    /// # Errors
    /// Refusals of [`rule::revoke`].
    pub async fn revoke(&self, session: &Session, id: TokenId) -> Result<(), Error> {
        let mut current = session.clone();
        for _ in 0..ATTEMPTS {
            let before = self.token(&current, id).await?;
            let proposal = rule::revoke(current.caller(), &before.token, self.now())?;
            if self.commit(proposal).await?.is_some() {
                return Ok(());
            }
            current = self.renewed(&current)?;
        }
        Err(Failure::Contended.into())
    }

    async fn token(&self, session: &Session, id: TokenId) -> Result<StoredToken, Error> {
        let found = self.token_of_any_kind(session.caller().account, id).await?;
        // What a login made is managed by logging out, and by nothing else.
        if found.token.kind == TokenKind::Login { Err(Refusal::NoSuchToken.into()) } else { Ok(found) }
    }

    pub(crate) async fn token_of_any_kind(
        &self,
        account: AccountId,
        id: TokenId,
    ) -> Result<StoredToken, Error> {
        Ok(self.inner.store.token(account, id).await?.ok_or(Refusal::NoSuchToken)?)
    }

    /// Commits a proposal about a token, and gives the token back as it is then. `None` if the ground moved.
    async fn commit(&self, proposal: Proposal) -> Result<Option<Token>, Error> {
        match self.inner.committer.commit(proposal).await? {
            Committed::Again => Ok(None),
            Committed::Done(change) => match change.event {
                Event::TokenIssued { token }
                | Event::TokenChanged { after: token, .. }
                | Event::TokenRotated { after: token, .. }
                | Event::TokenRevoked { token } => Ok(Some(token)),
                Event::AccountFounded { .. }
                | Event::MemberAdded { .. }
                | Event::MemberChanged { .. }
                | Event::RoleDefined { .. }
                | Event::RoleChanged { .. }
                | Event::RoleRemoved { .. } => Ok(None),
            },
        }
    }

    pub(crate) fn view(&self, stored: StoredToken) -> TokenView {
        let StoredToken { token, last_used_at } = stored;
        TokenView {
            owner: self.inner.index.directory().member(&token.owner),
            last_used_at: self.inner.last_used.merged(token.id, last_used_at),
            token,
        }
    }
}
