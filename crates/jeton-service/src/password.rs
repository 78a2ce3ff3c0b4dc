//! Passwords of people: argon2id over a value that is keyed with the server key, so that a stolen database can't even be
//! guessed at.

use argon2::{Argon2, PasswordHasher};
use jeton_core::digest::ServerKey;
use jeton_core::member::PasswordHash;

/// A password that can't be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the password cannot be hashed: there is not enough memory for it")]
pub struct Unhashable;

/// Hashes a password with a fresh salt. It takes some tens of milliseconds and 19 MiB, on purpose.
///
/// # Errors
/// [`Unhashable`], if there is no memory for it.
pub fn hash(password: &str, key: &ServerKey, salt: &[u8; 16]) -> Result<PasswordHash, Unhashable> {
    let seasoned = key.season(password);
    let hash =
        Argon2::default().hash_password_with_salt(seasoned.as_slice(), salt).map_err(|_| Unhashable)?;
    Ok(PasswordHash::new(hash.to_string()))
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
    }
}
