//! The keyed digest of secrets: `HMAC-SHA-256(key, SHA-256(secret))` (RFC 2104, FIPS 180-4).
//!
//! A verification is this and a look-up. It takes three blocks of SHA-256: one for a secret that fits into it, and two for
//! an HMAC whose key was taken in before. Processors that have instructions for SHA-256 do them in no time, by the library
//! `sha2`. Many servers have none (Intel's before Ice Lake, and virtual machines that hide them): there one secret is a
//! chain of rounds, each of which waits for the one before, and nothing helps. But several secrets have nothing to do with each
//! other, so where many are asked about at once, eight go side by side through vectors, in the time of two.
//! `scripts/bench verify` measures it.

#[cfg(target_arch = "x86_64")]
mod vectors;
/// Other processors that servers have know SHA-256.
#[cfg(not(target_arch = "x86_64"))]
mod vectors {
    pub(crate) fn digests(_: &super::Key, _: &[super::Block; super::SIDE_BY_SIDE]) -> super::Digests {
        None
    }
}

use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What SHA-256 has come to after some blocks.
type State = [u32; 8];
/// 64 bytes of a message.
type Block = [u8; 64];
/// What secrets come to side by side, if that is of any use.
type Digests = Option<[[u8; 32]; SIDE_BY_SIDE]>;

/// What every message begins with (FIPS 180-4, section 5.3.3).
const START: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
/// Bytes of a message that fit into a block beside the mark and the length that end it.
const ONE_BLOCK: usize = 55;
/// Secrets that go side by side: as many as there are words in a vector of 256 bits.
const SIDE_BY_SIDE: usize = 8;
/// Secrets that take longer one after the other than eight do side by side.
const WORTH_IT: usize = 3;

/// A key, taken in: each of its two halves as what SHA-256 has come to after it.
pub struct Key {
    inner: Zeroizing<State>,
    outer: Zeroizing<State>,
}

impl Key {
    /// The key with these bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        let half = |pad: u8| {
            let mut block = Zeroizing::new([pad; 64]);
            for (byte, key) in block.iter_mut().zip(bytes) {
                *byte ^= key;
            }
            let mut state = Zeroizing::new(START);
            compress256(&mut state, std::slice::from_ref(&*block));
            state
        };
        Self { inner: half(0x36), outer: half(0x5c) }
    }

    /// The digest of a secret.
    pub fn digest(&self, secret: &[u8]) -> [u8; 32] {
        if secret.len() > ONE_BLOCK {
            return self.digest_of_hash(&Sha256::digest(secret).into());
        }
        let mut state = START;
        compress256(&mut state, &[last_block(secret, 0)]);
        self.digest_of_hash(&bytes(&state))
    }

    /// The digest of a secret of which only the SHA-256 is known.
    pub fn digest_of_hash(&self, sha256: &[u8; 32]) -> [u8; 32] {
        let (mut inner, mut outer) = (*self.inner, *self.outer);
        compress256(&mut inner, &[last_block(sha256, 64)]);
        compress256(&mut outer, &[last_block(&bytes(&inner), 64)]);
        bytes(&outer)
    }

    /// The digests of many secrets, in their order.
    pub fn digests<Secret: AsRef<[u8]>>(&self, secrets: &[Secret]) -> Vec<[u8; 32]> {
        let mut digests = Vec::with_capacity(secrets.len());
        for secrets in secrets.chunks(SIDE_BY_SIDE) {
            match self.side_by_side(secrets) {
                Some(together) => digests.extend(together.into_iter().take(secrets.len())),
                None => digests.extend(secrets.iter().map(|secret| self.digest(secret.as_ref()))),
            }
        }
        digests
    }

    /// The digests of these and of some that nobody asked for. `None` where one after the other is faster.
    fn side_by_side<Secret: AsRef<[u8]>>(&self, secrets: &[Secret]) -> Digests {
        let fit = secrets.iter().all(|secret| secret.as_ref().len() <= ONE_BLOCK);
        if secrets.len() < WORTH_IT || !fit {
            return None;
        }
        let mut blocks = [[0; 64]; SIDE_BY_SIDE];
        for (block, secret) in blocks.iter_mut().zip(secrets) {
            *block = last_block(secret.as_ref(), 0);
        }
        vectors::digests(self, &blocks)
    }
}

/// The last block of a message: at most [`ONE_BLOCK`] bytes, after so many others.
fn last_block(message: &[u8], before: usize) -> Block {
    let mut block = [0; 64];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 0x80;
    block[56..].copy_from_slice(&(8 * (before + message.len()) as u64).to_be_bytes());
    block
}

/// The digest that a state is after the last block.
fn bytes(state: &State) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use proptest::prelude::*;

    use super::*;

    /// By the libraries.
    fn expected(key: &[u8; 32], secret: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(&Sha256::digest(secret));
        mac.finalize().into_bytes().into()
    }

    #[test]
    fn a_secret_of_any_length_has_the_digest_of_the_libraries() {
        let key = [7; 32];
        for length in 0..200 {
            let secret: Vec<u8> = (0..length).collect();
            assert_eq!(Key::new(&key).digest(&secret), expected(&key, &secret), "{length} bytes");
        }
    }

    proptest! {
        /// However many there are, and also where some are too long to go side by side.
        #[test]
        fn many_have_the_digests_that_each_has_alone(
            key in any::<[u8; 32]>(),
            secrets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..20),
        ) {
            let expected: Vec<_> = secrets.iter().map(|secret| expected(&key, secret)).collect();
            let key = Key::new(&key);
            let each: Vec<_> = secrets.iter().map(|secret| key.digest(secret)).collect();
            prop_assert_eq!(&each, &expected);
            prop_assert_eq!(&key.digests(&secrets), &expected);
        }
    }
}
