//! Custom roles: list, define, change, delete.

use std::sync::Arc;

use jeton_core::caller::Roles as _;
use jeton_core::change::Event;
use jeton_core::command::{ChangeRole, DefineRole};
use jeton_core::id::RoleId;
use jeton_core::member::Member;
use jeton_core::refusal::Refusal;
use jeton_core::role::CustomRole;
use jeton_core::rule;

use crate::Service;
use crate::error::{Error, Failure};
use crate::session::Session;
use crate::tokens::ATTEMPTS;

impl Service {
    /// The custom roles of the caller's account, oldest first. Everybody may know what there is.
    pub fn roles(&self, session: &Session) -> Vec<Arc<CustomRole>> {
        self.inner.index.directory().roles_of(session.caller().account)
    }

    /// One custom role, by id or key.
    ///
    /// # Errors
    /// [`Refusal::NoSuchCustomRole`].
    pub fn role(&self, session: &Session, name: &str) -> Result<Arc<CustomRole>, Error> {
        let (directory, account) = (self.inner.index.directory(), session.caller().account);
        let by_id = RoleId::parse(name).and_then(|id| directory.by_id(account, id));
        Ok(by_id.or_else(|| directory.by_key(account, name)).ok_or(Refusal::NoSuchCustomRole)?)
    }

    /// The custom roles of a member that still exist.
    pub fn living_roles(&self, member: &Member) -> Vec<RoleId> {
        rule::living_roles(member, self.inner.index.directory())
    }

    /// Defines a custom role.
    ///
    /// # Errors
    /// Refusals of [`rule::define_role`].
    pub async fn define_role(
        &self,
        session: &Session,
        command: &DefineRole,
    ) -> Result<Arc<CustomRole>, Error> {
        let mut current = session.clone();
        for _ in 0..ATTEMPTS {
            let (directory, account, now) =
                (self.inner.index.directory(), current.caller().account, self.now());
            let facts =
                (directory.by_key(account, &command.key).is_some(), directory.roles_of(account).len());
            let limits = &self.inner.limits;
            let proposal =
                rule::define_role(current.caller(), command, facts, limits, now, &self.fresh(now))?;
            if let Some(Event::RoleDefined { role }) = self.commit_first(vec![proposal]).await? {
                return Ok(Arc::new(role));
            }
            current = self.renewed(&current)?;
        }
        Err(Failure::Contended.into())
    }

    /// Changes a custom role by a command that is worked out from the role as it is, anew whenever it changed
    /// meanwhile. It works on the next request of whoever holds the role.
    ///
    /// # Errors
    /// Refusals of [`rule::change_role`], and whatever `command` says.
    pub async fn change_role_with<E: From<Error>>(
        &self,
        session: &Session,
        name: &str,
        command: impl Fn(&CustomRole) -> Result<ChangeRole, E>,
    ) -> Result<Arc<CustomRole>, E> {
        let mut current = session.clone();
        for _ in 0..ATTEMPTS {
            let before = self.role(&current, name)?;
            let command = command(&before)?;
            let proposal =
                rule::change_role(current.caller(), &before, &command, &self.inner.limits, self.now())
                    .map_err(Error::from)?;
            let Some(proposal) = proposal else {
                self.until_all_know().await?;
                return Ok(before);
            };
            if let Some(Event::RoleChanged { after, .. }) = self.commit_first(vec![proposal]).await? {
                return Ok(Arc::new(after));
            }
            current = self.renewed(&current)?;
        }
        Err(Error::from(Failure::Contended).into())
    }

    /// Deletes a custom role. Whoever holds it loses what it granted.
    ///
    /// # Errors
    /// Refusals of [`rule::remove_role`].
    pub async fn remove_role(&self, session: &Session, name: &str) -> Result<(), Error> {
        let mut current = session.clone();
        for _ in 0..ATTEMPTS {
            let before = self.role(&current, name)?;
            let proposal = rule::remove_role(current.caller(), &before, self.now())?;
            if self.commit_first(vec![proposal]).await?.is_some() {
                return Ok(());
            }
            current = self.renewed(&current)?;
        }
        Err(Failure::Contended.into())
    }
}
