//! Digests: what is kept of a secret.
//!
//! `digest = HMAC-SHA-256(server key, SHA-256(secret))`. The inner hash lets tokens that were issued elsewhere be
//! imported by their SHA-256. The outer one binds them to a key that lives outside the database: who steals the
//! database can verify nothing, and who writes to it can mint nothing.

use std::fmt;

use jeton_digest::Key;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The keyed digest of a secret. Worthless without the server key, but never shown all the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest with these bytes, as a store kept them.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, as a store keeps them.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this is the same, found out in a time that tells nothing of where they differ.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// The installation's key. It is made once, kept outside the database, and wiped from memory when it is dropped.
pub struct ServerKey {
    bytes: Zeroizing<[u8; 32]>,
    /// The same, taken in once: a digest costs two blocks of SHA-256 beside that of the secret instead of four.
    key: Key,
}

impl ServerKey {
    /// The key with these 32 bytes.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        let key = Key::new(&bytes);
        Self { bytes, key }
    }

    /// The bytes, for the file that keeps them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The digest of a secret in clear.
    pub fn digest(&self, secret: &str) -> Digest {
        Digest(self.key.digest(secret.as_bytes()))
    }

    /// The digests of secrets in clear, in their order: of many together faster than of each by itself.
    pub fn digests(&self, secrets: &[&str]) -> impl Iterator<Item = Digest> + use<> {
        self.key.digests(secrets).into_iter().map(Digest)
    }

    /// The digest of a secret of which only the SHA-256 is known: an import.
    pub fn digest_of_hash(&self, sha256: &[u8; 32]) -> Digest {
        Digest(self.key.digest_of_hash(sha256))
    }

    /// A value that tells this key from others and reveals nothing of it. The store keeps it, so that a server that
    /// starts with the wrong key says so instead of refusing every token.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.key.mac(b"jeton server key fingerprint, version 1")
    }

    /// What stands for a password before it is stretched: without the server key nobody can even begin to guess.
    pub fn season(&self, password: &str) -> Zeroizing<[u8; 32]> {
        let mut message = Zeroizing::new(b"jeton password, version 1:".to_vec());
        message.extend_from_slice(password.as_bytes());
        Zeroizing::new(self.key.mac(&message))
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> ServerKey {
        ServerKey::new(Zeroizing::new([byte; 32]))
    }

    /// Checked with Python: `hmac.new(b"\x01"*32, hashlib.sha256(b"secret").digest(), "sha256").hexdigest()`.
    #[test]
    fn the_digest_is_the_documented_one() {
        let hex: String =
            key(1).digest("secret").as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5a5e27c95515a672ba1eb239a8b71cdb8b98ddb550e60e7592c84f7ad1e4bdb3");
    }

    #[test]
    fn a_digest_depends_on_the_secret_and_on_the_key() {
        assert_ne!(key(1).digest("secret"), key(1).digest("Secret"));
        assert_ne!(key(1).digest("secret"), key(2).digest("secret"));
        assert_ne!(key(1).fingerprint(), key(2).fingerprint());
    }

    #[test]
    fn nothing_prints_a_key_or_a_digest() {
        assert_eq!(format!("{:?} {:?}", key(1), key(1).digest("secret")), "ServerKey(…) Digest(…)");
    }
}
