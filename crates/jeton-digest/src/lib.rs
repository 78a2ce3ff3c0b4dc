//! The keyed digest of secrets: `HMAC-SHA-256(key, SHA-256(secret))` (RFC 2104, FIPS 180-4).
//!
//! A verification is this and a look-up. It takes three blocks of SHA-256: one for a secret that fits into it, and two for
//! an HMAC whose key was taken in before. With instructions for SHA-256, which the library `sha2` uses, that is less than a
//! look that misses the processor's cache. Many servers have none (Intel's before Ice Lake, and virtual machines that hide
//! them): there it is most of a verification, a chain of rounds in which each waits for the one before, and nothing helps one
//! secret. But several secrets have nothing to do with each other, so where many are asked about at once, eight go side by
//! side through vectors, in the time of two. `scripts/bench verify` measures it.

#[cfg(target_arch = "x86_64")]
mod vectors;
/// One after the other: nobody has measured anything better elsewhere.
#[cfg(not(target_arch = "x86_64"))]
mod vectors {
    use super::{Block, Digests, Key};

    pub(crate) fn are_better() -> bool {
        false
    }

    pub(crate) fn digests(_: &Key, _: &[Block; super::SIDE_BY_SIDE]) -> Digests {
        None
    }
}

use sha2::block_api::compress256;
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
/// The bit after a message's last one.
const MARK: u8 = 0x80;
/// Secrets that go side by side: as many as there are words in a vector of 256 bits.
const SIDE_BY_SIDE: usize = 8;
/// Secrets that take longer one after the other than eight do side by side.
const WORTH_IT: usize = 3;

/// A key, taken in: what SHA-256 comes to after each of the two blocks that an HMAC makes of it. Wiped when it is dropped.
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
        self.digest_of_hash(&hash(&START, secret, 0))
    }

    /// The digest of a secret of which only the SHA-256 is known.
    pub fn digest_of_hash(&self, sha256: &[u8; 32]) -> [u8; 32] {
        self.mac(sha256)
    }

    /// `HMAC-SHA-256(key, message)`.
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        hash(&self.outer, &hash(&self.inner, message, 64), 64)
    }

    /// The digests of many secrets, in their order. Those of more than 55 bytes don't go side by side.
    pub fn digests<Bytes: AsRef<[u8]>>(&self, secrets: &[Bytes]) -> Vec<[u8; 32]> {
        if !vectors::are_better() {
            return secrets.iter().map(|secret| self.digest(secret.as_ref())).collect();
        }
        let mut digests = vec![[0; 32]; secrets.len()];
        let (short, long): (Vec<usize>, Vec<usize>) =
            (0..secrets.len()).partition(|at| secrets[*at].as_ref().len() <= ONE_BLOCK);
        let mut alone = long;
        for group in short.chunks(SIDE_BY_SIDE) {
            if group.len() < WORTH_IT {
                alone.extend(group);
                continue;
            }
            let mut blocks = [[0; 64]; SIDE_BY_SIDE];
            for (block, at) in blocks.iter_mut().zip(group) {
                [*block, _] = last_blocks(secrets[*at].as_ref(), 0);
            }
            match vectors::digests(self, &blocks) {
                Some(together) => group.iter().zip(together).for_each(|(at, digest)| digests[*at] = digest),
                None => alone.extend(group),
            }
        }
        for at in alone {
            digests[at] = self.digest(secrets[at].as_ref());
        }
        digests
    }
}

/// SHA-256 of a message, from what it has come to after so many bytes before: whole blocks.
fn hash(before: &State, message: &[u8], bytes_before: usize) -> [u8; 32] {
    let mut state = *before;
    let (whole, rest) = message.as_chunks();
    compress256(&mut state, whole);
    let last = last_blocks(rest, bytes_before + message.len() - rest.len());
    let needed = if rest.len() <= ONE_BLOCK { 1 } else { 2 };
    compress256(&mut state, &last[..needed]);
    bytes(&state)
}

/// How a message ends that has fewer bytes left than a block, after so many others: with these, a mark, and its length in bits.
/// The second block is needed where more than [`ONE_BLOCK`] are left.
fn last_blocks(rest: &[u8], bytes_before: usize) -> [Block; 2] {
    let mut blocks = [[0; 64]; 2];
    blocks[0][..rest.len()].copy_from_slice(rest);
    blocks[0][rest.len()] = MARK;
    let end = usize::from(rest.len() > ONE_BLOCK);
    blocks[end][56..].copy_from_slice(&(8 * (bytes_before + rest.len()) as u64).to_be_bytes());
    blocks
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
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// By the libraries.
    fn mac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    fn digest(key: &[u8; 32], secret: &[u8]) -> [u8; 32] {
        mac(key, &Sha256::digest(secret))
    }

    #[test]
    fn a_message_of_any_length_comes_to_what_the_libraries_say() {
        let key = [7; 32];
        for length in 0..200 {
            let message: Vec<u8> = (0..length).collect();
            assert_eq!(Key::new(&key).digest(&message), digest(&key, &message), "{length} bytes");
            assert_eq!(Key::new(&key).mac(&message), mac(&key, &message), "{length} bytes");
        }
    }

    proptest! {
        /// However many there are, and also where some are too long to go side by side.
        #[test]
        fn many_have_the_digests_that_each_has_alone(
            key in any::<[u8; 32]>(),
            secrets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..40),
        ) {
            let expected: Vec<_> = secrets.iter().map(|secret| digest(&key, secret)).collect();
            prop_assert_eq!(Key::new(&key).digests(&secrets), expected);
        }

        /// Also on a processor that has something better, where they would not come to this.
        #[cfg(target_arch = "x86_64")]
        #[test]
        fn side_by_side_each_comes_to_what_it_comes_to_alone(
            key in any::<[u8; 32]>(),
            secrets in prop::array::uniform8(prop::collection::vec(any::<u8>(), 0..=ONE_BLOCK)),
        ) {
            let blocks = secrets.each_ref().map(|secret| last_blocks(secret, 0)[0]);
            let digests = vectors::digests(&Key::new(&key), &blocks);
            prop_assert_eq!(digests.is_some(), is_x86_feature_detected!("avx2"));
            let expected = secrets.map(|secret| digest(&key, &secret));
            prop_assert!(digests.is_none_or(|digests| digests == expected));
        }
    }
}
