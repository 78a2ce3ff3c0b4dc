//! Watching the personal tokens of a member, or one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jeton_core::change::{Change, Event, Revision};
use jeton_core::id::{MemberId, TokenId};
use jeton_core::member::{Member, Standing};
use jeton_core::refusal::Refusal;
use jeton_core::token::{Token, TokenKind};
use jeton_index::roster::{Selection, Start};
use jeton_store::StoredToken;

use super::{Ended, Post, Watching};
use crate::error::Error;
use crate::feed::Topic;
use crate::session::Session;
use crate::{Service, TokenView};

/// Tokens that are read at once: as many as anybody may have with long texts and policies, twice over, fit into memory.
const PAGE: usize = 25;
/// After every id that there can be.
const END: TokenId = TokenId::from_bytes([0xff; 12]);

/// What a watcher of tokens is told.
#[derive(Debug)]
pub enum TokenNews {
    /// Part of what is there, oldest first. Comes before anything else.
    There {
        /// The tokens.
        tokens: Vec<TokenView>,
        /// Whether another part follows.
        more: bool,
    },
    /// What has happened since, in order.
    Happened(Vec<TokenEvent>),
}

/// What happened to a token.
#[derive(Debug)]
pub enum TokenEvent {
    /// It was issued or changed, and is like this now.
    Normal(TokenView),
    /// It is gone, and was like this.
    Deleted(TokenView),
}

/// A watch over the personal tokens of one member, or over one of them.
pub struct TokenWatch {
    post: Post,
    member: Arc<Member>,
    /// The only one of interest; every one where there is none.
    only: Option<TokenId>,
    beginning: Beginning,
    /// The only one of interest, as it was told last.
    last: Option<TokenView>,
    over: bool,
}

/// How much of what is there has been told.
struct Beginning {
    /// Where the next part begins; `None` when all has been told.
    next: Option<Start>,
    /// Up to which token each part went, and as of which revision it was told. Let go of once the watch has passed the
    /// last of them.
    parts: Vec<(TokenId, Revision)>,
}

impl Service {
    /// Watches the personal tokens of the member with this number, or one of them.
    ///
    /// # Errors
    /// As [`Service::member_for`]; [`Failure::TooManyStreams`](crate::Failure::TooManyStreams).
    pub fn watch_tokens(
        &self,
        session: &Session,
        number: u32,
        only: Option<TokenId>,
    ) -> Result<TokenWatch, Error> {
        let member = self.member_for(session, number)?;
        let post = Post::take(self, session, Topic::TokensOf(member.id), self.inner.index.revision())?;
        let beginning = Beginning { next: Some(Start::Offset(0)), parts: Vec::new() };
        Ok(TokenWatch { post, member, only, beginning, last: None, over: false })
    }
}

impl TokenWatch {
    /// The next part of what is there. The first is read before anything is answered, so that what is wrong is said as
    /// to any other request.
    ///
    /// # Errors
    /// [`Refusal::NoSuchToken`] for the one that is not there; or if the store fails.
    pub async fn there(&mut self) -> Result<TokenNews, Error> {
        let Some(start) = self.beginning.next else {
            return Ok(TokenNews::There { tokens: Vec::new(), more: false });
        };
        let service = &self.post.service;
        let (store, index, account) = (&service.inner.store, &service.inner.index, self.member.account);
        let before = index.revision();
        let (ids, end, more) = if let Some(id) = self.only {
            (vec![id], END, false)
        } else {
            let page = index.rosters().page(account, Selection::Personal(self.member.id), start, PAGE);
            let end = page.ids.last().copied().filter(|_| page.more).unwrap_or(END);
            (page.ids, end, page.more)
        };
        let read = store.tokens(account, &ids).await?;
        let (log, as_of) = self.post.meanwhile(before).await?;
        let mut part = Part { from: self.beginning.told(), to: end, tokens: BTreeMap::new() };
        for stored in read.into_iter().filter(|stored| self.concerns(&stored.token)) {
            part.tokens.insert(stored.token.id, stored);
        }
        for change in &log {
            part.play(change, self.member.id, |token| self.concerns(token));
        }
        let tokens: Vec<_> = part.tokens.into_values().map(|stored| service.view(stored)).collect();
        if self.only.is_some() {
            self.last = Some(tokens.first().cloned().ok_or(Refusal::NoSuchToken)?);
        }
        self.beginning.next = more.then_some(Start::After(end));
        self.beginning.parts.push((end, as_of));
        Ok(TokenNews::There { tokens, more })
    }

    /// Whether the watch is over this token.
    fn concerns(&self, token: &Token) -> bool {
        token.kind == TokenKind::Personal
            && token.owner == self.member.id
            && self.only.is_none_or(|only| only == token.id)
    }

    /// Whether nothing can come after this change: the only token of interest is gone, or the member is.
    fn ends(&self, change: &Change) -> bool {
        match &change.event {
            Event::TokenRevoked { token } => self.only == Some(token.id),
            Event::MemberChanged { after, .. } => is_end_of(self.member.id, after),
            _ => false,
        }
    }

    fn told(&mut self, change: &Change) -> Option<TokenEvent> {
        let view =
            |token: &Token| self.post.service.view(StoredToken { token: token.clone(), last_used_at: None });
        let (event, id) = match &change.event {
            Event::TokenIssued { token }
            | Event::TokenChanged { after: token, .. }
            | Event::TokenRotated { after: token, .. }
                if self.concerns(token) =>
            {
                (TokenEvent::Normal(view(token)), token.id)
            }
            Event::TokenRevoked { token } if self.concerns(token) => {
                (TokenEvent::Deleted(view(token)), token.id)
            }
            // Who is removed takes their tokens along, and this one is the only one that anybody here has seen.
            Event::MemberChanged { after, .. } if is_end_of(self.member.id, after) => {
                let last = self.last.take()?;
                let id = last.token.id;
                (TokenEvent::Deleted(last), id)
            }
            _ => return None,
        };
        if self.beginning.covers(id, change.revision) {
            return None;
        }
        if let (TokenEvent::Normal(view), true) = (&event, self.only.is_some()) {
            self.last = Some(view.clone());
        }
        Some(event)
    }
}

impl Watching for TokenWatch {
    type News = TokenNews;

    async fn next(&mut self) -> Result<Option<TokenNews>, Ended> {
        if self.over {
            return Err(Ended::Gone);
        }
        if self.beginning.next.is_some() {
            let there = self.there().await?;
            self.standing()?;
            return Ok(Some(there));
        }
        let changes = self.post.changes().await?;
        self.over |= changes.iter().any(|change| self.ends(change));
        let happened: Vec<_> = changes.iter().filter_map(|change| self.told(change)).collect();
        if self.over {
            // Nobody may turn to the tokens of a member who is gone, but that is no news to keep from a watcher.
            self.post.renew()?;
        } else {
            self.standing()?;
        }
        if happened.is_empty() {
            if self.over {
                return Err(Ended::Gone);
            }
            self.post.subscription.woken().await;
            return Ok(None);
        }
        Ok(Some(TokenNews::Happened(happened)))
    }

    fn post(&self) -> &Post {
        &self.post
    }

    fn standing(&mut self) -> Result<(), Ended> {
        self.post.renew()?;
        let seen = self.post.service.member_for(&self.post.session, self.member.number);
        seen.map(drop).map_err(Ended::from)
    }
}

impl Beginning {
    /// The last token of the parts told so far.
    fn told(&self) -> Option<TokenId> {
        self.parts.last().map(|(end, _)| *end)
    }

    /// Whether the beginning told of the token as of this revision or a later one.
    fn covers(&mut self, id: TokenId, revision: Revision) -> bool {
        if self.parts.last().is_some_and(|(_, as_of)| revision > *as_of) {
            self.parts = Vec::new();
        }
        let part = self.parts.partition_point(|(end, _)| *end < id);
        self.parts.get(part).is_some_and(|(_, as_of)| revision <= *as_of)
    }
}

/// A part of what is there, on its way to being the state as of one revision.
struct Part {
    from: Option<TokenId>,
    to: TokenId,
    tokens: BTreeMap<TokenId, StoredToken>,
}

impl Part {
    /// Plays a change over what was read. It may have been read already; then it makes no difference.
    fn play(&mut self, change: &Change, member: MemberId, concerns: impl Fn(&Token) -> bool) {
        match &change.event {
            Event::TokenIssued { token }
            | Event::TokenChanged { after: token, .. }
            | Event::TokenRotated { after: token, .. }
                if concerns(token) && self.from.is_none_or(|from| from < token.id) && token.id <= self.to =>
            {
                let last_used_at = self.tokens.get(&token.id).and_then(|stored| stored.last_used_at);
                self.tokens.insert(token.id, StoredToken { token: token.clone(), last_used_at });
            }
            Event::TokenRevoked { token } => {
                self.tokens.remove(&token.id);
            }
            Event::MemberChanged { after, .. } if is_end_of(member, after) => self.tokens.clear(),
            _ => {}
        }
    }
}

fn is_end_of(member: MemberId, after: &Member) -> bool {
    after.id == member && after.standing == Standing::Removed
}
