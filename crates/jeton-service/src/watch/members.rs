//! Watching the members of an account, or one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jeton_core::change::{Change, Event};
use jeton_core::id::MemberId;
use jeton_core::member::{Member, Standing};
use jeton_core::refusal::Refusal;

use super::{Ended, Post, Watching};
use crate::error::Error;
use crate::feed::Topic;
use crate::session::Session;
use crate::{Presence, Service};

/// What a watcher of members is told.
#[derive(Debug)]
pub enum MemberNews {
    /// Who is there, by number. Comes before anything else.
    There(Vec<MemberView>),
    /// Members as they are now, in the order in which they became so. The standing of one who is gone is
    /// [`Standing::Removed`].
    Happened(Vec<MemberView>),
}

/// A member as a watcher is told of them.
#[derive(Debug)]
pub struct MemberView {
    /// The record.
    pub member: Arc<Member>,
    /// When they were last here.
    pub presence: Presence,
}

/// A watch over the members of an account, or over one of them.
pub struct MemberWatch {
    post: Post,
    /// The only one of interest; every one where there is none.
    only: Option<MemberId>,
    over: bool,
}

impl Service {
    /// Watches the members of the caller's account, or the one with this number.
    ///
    /// # Errors
    /// [`Refusal::NoSuchMember`]; [`Failure::TooManyStreams`](crate::Failure::TooManyStreams).
    pub fn watch_members(&self, session: &Session, only: Option<u32>) -> Result<MemberWatch, Error> {
        let only = only.map(|number| self.member_by_number(session, number)).transpose()?;
        let news = Topic::Members(session.caller().account);
        let post = Post::take(self, session, news, self.inner.index.revision())?;
        Ok(MemberWatch { post, only: only.map(|member| member.id), over: false })
    }
}

impl MemberWatch {
    /// Who is there. To be asked once, before anything else.
    ///
    /// # Errors
    /// [`Refusal::NoSuchMember`] for the one who is not there; or if the store fails.
    pub async fn there(&mut self) -> Result<MemberNews, Error> {
        let index = &self.post.service.inner.index;
        let before = index.revision();
        let account = self.post.session.caller().account;
        let mut members: BTreeMap<u32, Arc<Member>> = index
            .directory()
            .members_of(account)
            .into_iter()
            .filter(|member| self.concerns(member))
            .map(|member| (member.number, member))
            .collect();
        let (log, as_of) = self.post.meanwhile(before).await?;
        for member in log.iter().filter(|change| change.account == account).filter_map(changed) {
            if member.standing == Standing::Removed {
                members.remove(&member.number);
            } else if self.concerns(member) {
                members.insert(member.number, Arc::new(member.clone()));
            }
        }
        if self.only.is_some() && members.is_empty() {
            return Err(Refusal::NoSuchMember.into());
        }
        self.post.subscription.skip_to(as_of);
        Ok(MemberNews::There(members.into_values().map(|member| self.view(member)).collect()))
    }

    fn view(&self, member: Arc<Member>) -> MemberView {
        MemberView { presence: self.post.service.presence(&member), member }
    }

    fn concerns(&self, member: &Member) -> bool {
        self.only.is_none_or(|only| only == member.id)
    }
}

impl Watching for MemberWatch {
    type News = MemberNews;

    async fn next(&mut self) -> Result<Option<MemberNews>, Ended> {
        if self.over {
            return Err(Ended::Gone);
        }
        let changes = self.post.changes().await?;
        let members = changes.iter().filter_map(|change| changed(change));
        let members = members.filter(|member| self.concerns(member)).cloned().map(Arc::new);
        let happened: Vec<_> = members.map(|member| self.view(member)).collect();
        self.standing()?;
        let Some(last) = happened.last() else {
            self.post.subscription.woken().await;
            return Ok(None);
        };
        self.over = self.only.is_some() && last.member.standing == Standing::Removed;
        Ok(Some(MemberNews::Happened(happened)))
    }

    fn post(&self) -> &Post {
        &self.post
    }

    fn standing(&mut self) -> Result<(), Ended> {
        self.post.renew()
    }
}

/// The member that a change is about, as they are after it.
fn changed(change: &Change) -> Option<&Member> {
    match &change.event {
        Event::MemberAdded { member } | Event::MemberChanged { after: member, .. } => Some(member),
        _ => None,
    }
}
