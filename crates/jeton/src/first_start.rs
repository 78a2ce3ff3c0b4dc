//! The first start: on an empty database, the account, its owner and the owner's token are made.
//!
//! The order is chosen for a process that may be killed between any two steps:
//!
//! 1. The secret is struck, and nothing is known of it anywhere.
//! 2. It is written to `owner-token`, durably.
//! 3. The founding is committed: now the database is not empty any more.
//! 4. The secret is shown.
//!
//! Killed before 3, the database is empty and the next start begins again, replacing whatever the file says: a secret
//! that no database ever knew. Killed after 3, the file holds the living secret, although nobody saw it. Writing the
//! file after the commit would leave a moment in which an account exists that nobody can enter but by `jeton recover`.
//! Taking up the secret that an earlier attempt left in the file was rejected: the file may be older than the database,
//! and what was revoked in one must not come alive in another.
//!
//! A secret from outside needs none of this: its giver has it, and it is neither written nor shown.

use std::io::Write as _;
use std::path::Path;

use jeton_core::member::PasswordHash;
use jeton_core::secret::{Secret, SecretFormat};
use jeton_core::token::TokenKind;
use jeton_server::http::ListenAddress;
use jeton_service::{Entropy as _, Founding, Service, password};

use zeroize::Zeroizing;

use crate::config::secret::SecretSource;
use crate::config::{NamedFile, Owner, Storage};
use crate::fault::Fault;
use crate::private_file;
use crate::system::SystemEntropy;
use crate::welcome::{Reached, Welcome};

/// What a first start is made of.
pub(crate) struct FirstStart<'a> {
    pub(crate) service: &'a Service,
    pub(crate) owner: &'a Owner,
    pub(crate) storage: &'a Storage,
    pub(crate) address: &'a ListenAddress,
    /// The TLS certificate, where there is one.
    pub(crate) tls_cert: Option<&'a NamedFile>,
    pub(crate) entropy: &'a SystemEntropy,
}

impl FirstStart<'_> {
    /// Does all of it, if this is the first start.
    pub(crate) async fn run(&self) -> Result<(), Fault> {
        if !self.service.is_empty() {
            self.say_what_is_ignored();
            return Ok(());
        }
        let owner_password = self.owner.password.as_ref().map(|source| self.hash(source)).transpose()?;
        if let Some(source) = &self.owner.token {
            let secret = owner_token(source, &self.service.mint().format)?;
            self.found(secret, owner_password).await?;
            return Ok(());
        }
        let path = self.storage.data_dir.join("owner-token");
        let fresh = self.service.mint().format.generate(TokenKind::Personal, &self.entropy.fresh().secret);
        write(&path, &fresh)?;
        match self.found(fresh, owner_password).await? {
            Some(secret) => self.welcome(&secret, &path),
            // Its secret is known to no database, and whoever founded the account has shown another one.
            None => std::fs::remove_file(&path)?,
        }
        Ok(())
    }

    /// Whoever gives a token to a database that has an account waits for it in vain. Those who leave the setting where it
    /// was for the first start are right too, so that this is no warning.
    fn say_what_is_ignored(&self) {
        let origins: Vec<_> = self.owner.origins.iter().map(ToString::to_string).collect();
        if !origins.is_empty() {
            tracing::info!(
                ignored = origins.join(", "),
                "the account was founded before: what is said of its owner counts on an empty database only"
            );
        }
    }

    fn hash(&self, source: &SecretSource) -> Result<PasswordHash, Fault> {
        let text = owner_password(source)?;
        Ok(password::hash(&text, &self.service.mint().key, &self.entropy.bytes())?)
    }

    /// `None` if another server of a new cluster was faster.
    async fn found(
        &self,
        secret: Secret,
        owner_password: Option<PasswordHash>,
    ) -> Result<Option<Secret>, Fault> {
        let owner_email = self.owner.email.clone();
        let founding = Founding { owner_email, owner_password, owner_secret: Some(secret) };
        let founded = self.service.found(founding).await?;
        let Some(founded) = founded else {
            tracing::info!(
                "another server has founded the account at this moment, and has shown its owner's token"
            );
            return Ok(None);
        };
        tracing::info!(account = %founded.account, owner = %founded.owner, "founded the account and its owner");
        Ok(Some(founded.secret))
    }

    fn welcome(&self, secret: &Secret, secret_file: &Path) {
        let server_key = &self.storage.server_key;
        let reached = Reached { address: self.address, tls_cert: self.tls_cert };
        let welcome = Welcome { secret, email: &self.owner.email, reached, secret_file, server_key };
        let mut stdout = std::io::stdout().lock();
        if stdout.write_all(welcome.text().as_bytes()).and_then(|()| stdout.flush()).is_err() {
            tracing::warn!(file = %secret_file.display(), "the welcome could not be printed; the token is in the file");
        }
    }
}

/// Reads a password that is given from outside.
pub(crate) fn owner_password(source: &SecretSource) -> Result<Zeroizing<String>, Fault> {
    let text = source.read()?;
    if text.is_empty() {
        return Err(Fault::usage(format!("{source} holds no password: write one, or leave it out")));
    }
    Ok(text)
}

/// Reads a token that is given from outside.
pub(crate) fn owner_token(source: &SecretSource, format: &SecretFormat) -> Result<Secret, Fault> {
    let text = source.read()?.as_str().to_owned();
    Secret::from_outside(text, format).map_err(|error| {
        Fault::usage(format!(
            "{source} cannot be the owner's token: {error}; give 32 to 255 visible ASCII characters, for example from \
             `openssl rand -base64 32`"
        ))
    })
}

fn write(path: &Path, secret: &Secret) -> Result<(), Fault> {
    let line = Zeroizing::new(format!("{}\n", secret.expose()));
    private_file::write(path, line.as_bytes()).map_err(|error| {
        Fault::failed(format!(
            "the owner's token cannot be written to {} ({error}): check that this user may write there and that the disk \
             has room",
            path.display()
        ))
    })
}
