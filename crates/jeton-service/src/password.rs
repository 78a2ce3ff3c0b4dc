//! Passwords of people: argon2id over a value that is keyed with the server key, so that a stolen database can't even be
//! guessed at.
//!
//! A computation takes 19 MiB and some tens of milliseconds, on purpose. So few run at once, some wait, and the rest are
//! turned away: a storm of logins must not take the memory or the cores that verification lives on.

use std::sync::Arc;

use argon2::{Argon2, PasswordHash as Phc, PasswordHasher, PasswordVerifier};
use jeton_core::digest::ServerKey;
use jeton_core::member::PasswordHash;
use jeton_core::refusal::Refusal;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::Service;
use crate::error::{Error, Failure};

/// The fewest characters of a password.
const LEAST: usize = 8;
/// The most: nobody remembers more, and a longer one would only cost time.
const MOST: usize = 1024;

/// A password that can't be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the password cannot be hashed: there is not enough memory for it")]
pub struct Unhashable;

/// Hashes a password with a fresh salt. It takes some tens of milliseconds and 19 MiB, on purpose.
///
/// # Errors
/// [`Unhashable`], if there is no memory for it.
pub fn hash(password: &str, key: &ServerKey, salt: &[u8; 16]) -> Result<PasswordHash, Unhashable> {
    hash_seasoned(&key.season(password), salt)
}

fn hash_seasoned(seasoned: &[u8; 32], salt: &[u8; 16]) -> Result<PasswordHash, Unhashable> {
    let hash = Argon2::default().hash_password_with_salt(seasoned, salt).map_err(|_| Unhashable)?;
    Ok(PasswordHash::new(hash.to_string()))
}

fn verify_seasoned(seasoned: &[u8; 32], hash: &PasswordHash) -> bool {
    Phc::new(hash.as_phc()).is_ok_and(|phc| Argon2::default().verify_password(seasoned, &phc).is_ok())
}

/// How many computations run, and how many wait.
pub(crate) struct Turnstile {
    waiting: Semaphore,
    running: Arc<Semaphore>,
}

impl Default for Turnstile {
    fn default() -> Self {
        Self { waiting: Semaphore::new(64), running: Arc::new(Semaphore::new(2)) }
    }
}

impl Turnstile {
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let _place = self.waiting.try_acquire().map_err(|_| Failure::Busy)?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Failure::ShuttingDown)?;
        // The turn goes with the work: who hangs up does not make room for another before it is done.
        let work = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        work.await.map_err(|_| Failure::ShuttingDown)
    }
}

impl Service {
    /// Hashes a new password.
    ///
    /// # Errors
    /// [`Refusal::BadPassword`]; if there is no room for the computation.
    pub async fn hash_password(&self, password: &str) -> Result<PasswordHash, Error> {
        if !(LEAST..=MOST).contains(&password.chars().count()) {
            return Err(Refusal::BadPassword { least: LEAST, most: MOST }.into());
        }
        let seasoned = self.inner.mint.key.season(password);
        let fresh = self.inner.entropy.fresh();
        let mut salt = Zeroizing::new([0; 16]);
        salt.copy_from_slice(&fresh.secret[..16]);
        let hashed = self.inner.turnstile.run(move || hash_seasoned(&seasoned, &salt)).await?;
        Ok(hashed.map_err(|Unhashable| Failure::Busy)?)
    }

    /// Whether the password is the one that this is the hash of. Without a hash it takes as long, and is wrong: nobody
    /// learns from the time whether somebody has a password at all.
    ///
    /// # Errors
    /// If there is no room for the computation.
    pub(crate) async fn is_password(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, Failure> {
        let seasoned = self.inner.mint.key.season(password);
        let hash = hash.cloned();
        self.inner
            .turnstile
            .run(move || match hash {
                Some(hash) => verify_seasoned(&seasoned, &hash),
                None => hash_seasoned(&seasoned, &[0; 16]).is_err(),
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_as_argon2id_and_depends_on_the_key() {
        let key = |byte: u8| ServerKey::new([byte; 32].into());
        let one = hash("correct horse", &key(1), &[3; 16]).unwrap();
        assert!(one.as_phc().starts_with("$argon2id$v=19$"), "{}", one.as_phc());
        assert_eq!(one, hash("correct horse", &key(1), &[3; 16]).unwrap());
        assert_ne!(one, hash("correct horse", &key(2), &[3; 16]).unwrap());
        assert!(verify_seasoned(&key(1).season("correct horse"), &one));
        assert!(!verify_seasoned(&key(1).season("correct house"), &one));
        assert!(!verify_seasoned(&key(2).season("correct horse"), &one));
    }
}
