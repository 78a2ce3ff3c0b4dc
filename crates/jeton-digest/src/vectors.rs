//! Eight secrets side by side, on processors that have vectors and no instructions for SHA-256.
//!
//! A vector holds the same word of every message, so the rounds (FIPS 180-4, section 6.2.2) look as they do for one. What one
//! hash has come to is the next one's message, word for word: the secrets are laid side by side once, and their digests
//! taken apart once.
//!
//! ## Why there is unsafe code
//!
//! A function that is compiled for more than the oldest processor can only be called where the processor has it, and that
//! becomes known when the program runs: so Rust has its callers say `unsafe`. There is one such call, right after the question
//! whether this processor has it. Everything behind it is safe code: arithmetic, without one raw pointer.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_extract_epi32, _mm256_or_si256, _mm256_set_epi32,
    _mm256_set1_epi32, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_xor_si256,
};

use crate::{Block, Digests, Key, SIDE_BY_SIDE, START, State, bytes};

/// The same word of every message.
type Word = __m256i;

/// Whether eight side by side take less than eight one after the other.
pub(crate) fn are_better() -> bool {
    is_x86_feature_detected!("avx2") && !is_x86_feature_detected!("sha")
}

/// The digests of eight secrets, each in its block. `None` if this processor can't do it.
pub(crate) fn digests(key: &Key, secrets: &[Block; SIDE_BY_SIDE]) -> Digests {
    if !is_x86_feature_detected!("avx2") {
        return None;
    }
    // SAFETY: this processor has what the function is compiled for: it was asked just now.
    #[expect(unsafe_code, reason = "see the head of this file")]
    Some(unsafe { all_rounds(key, secrets) })
}

/// SHA-256 of the secrets, and both halves of the HMAC of that.
#[target_feature(enable = "avx2")]
fn all_rounds(key: &Key, secrets: &[Block; SIDE_BY_SIDE]) -> [[u8; 32]; SIDE_BY_SIDE] {
    let hash = compressed(&START, side_by_side(secrets));
    let inner = compressed(&key.inner, after_the_key(hash));
    apart(&compressed(&key.outer, after_the_key(inner)))
}

#[target_feature(enable = "avx2")]
fn side_by_side(secrets: &[Block; SIDE_BY_SIDE]) -> [Word; 16] {
    let mut words = [all(0); 16];
    for (at, word) in words.iter_mut().enumerate() {
        let of = |secret: usize| i32::from_be_bytes(secrets[secret].as_chunks().0[at]);
        *word = _mm256_set_epi32(of(7), of(6), of(5), of(4), of(3), of(2), of(1), of(0));
    }
    words
}

#[target_feature(enable = "avx2")]
fn apart(words: &[Word; 8]) -> [[u8; 32]; SIDE_BY_SIDE] {
    let mut states = [State::default(); SIDE_BY_SIDE];
    for (at, word) in words.iter().enumerate() {
        states[0][at] = _mm256_extract_epi32::<0>(*word).cast_unsigned();
        states[1][at] = _mm256_extract_epi32::<1>(*word).cast_unsigned();
        states[2][at] = _mm256_extract_epi32::<2>(*word).cast_unsigned();
        states[3][at] = _mm256_extract_epi32::<3>(*word).cast_unsigned();
        states[4][at] = _mm256_extract_epi32::<4>(*word).cast_unsigned();
        states[5][at] = _mm256_extract_epi32::<5>(*word).cast_unsigned();
        states[6][at] = _mm256_extract_epi32::<6>(*word).cast_unsigned();
        states[7][at] = _mm256_extract_epi32::<7>(*word).cast_unsigned();
    }
    states.map(|state| bytes(&state))
}

/// What one hash has come to, as the last block of the next one, which has taken in a block of the key before.
#[target_feature(enable = "avx2")]
fn after_the_key(hash: [Word; 8]) -> [Word; 16] {
    let mut block = [all(0); 16];
    block[..8].copy_from_slice(&hash);
    block[8] = all(0x8000_0000);
    block[15] = all(8 * (64 + 32));
    block
}

/// What these blocks make of a state.
#[expect(clippy::many_single_char_names, reason = "the standard names them so")]
#[target_feature(enable = "avx2")]
fn compressed(state: &State, mut words: [Word; 16]) -> [Word; 8] {
    let mut before = [all(0); 8];
    for (lanes, word) in before.iter_mut().zip(state) {
        *lanes = all(*word);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = before;
    for (quarter, constants) in CONSTANTS.as_chunks::<16>().0.iter().enumerate() {
        for at in 0..16 {
            if quarter > 0 {
                let early = spread::<7, 25, 18, 14, 3>(words[(at + 1) % 16]);
                let late = spread::<17, 15, 19, 13, 10>(words[(at + 14) % 16]);
                words[at] = plus(plus(words[at], early), plus(words[(at + 9) % 16], late));
            }
            let choice = xor(and(xor(f, g), e), g);
            let first = plus(plus(h, stirred::<6, 26, 11, 21, 25, 7>(e)), plus(choice, words[at]));
            let first = plus(first, all(constants[at]));
            let majority = xor(and(a, b), and(xor(a, b), c));
            let second = plus(stirred::<2, 30, 13, 19, 22, 10>(a), majority);
            (h, g, f, e) = (g, f, e, plus(d, first));
            (d, c, b, a) = (c, b, a, plus(first, second));
        }
    }
    let mut after = [a, b, c, d, e, f, g, h];
    for (word, before) in after.iter_mut().zip(before) {
        *word = plus(*word, before);
    }
    after
}

#[target_feature(enable = "avx2")]
fn all(word: u32) -> Word {
    _mm256_set1_epi32(word.cast_signed())
}

#[target_feature(enable = "avx2")]
fn plus(a: Word, b: Word) -> Word {
    _mm256_add_epi32(a, b)
}

#[target_feature(enable = "avx2")]
fn xor(a: Word, b: Word) -> Word {
    _mm256_xor_si256(a, b)
}

#[target_feature(enable = "avx2")]
fn and(a: Word, b: Word) -> Word {
    _mm256_and_si256(a, b)
}

/// Turned to the right: by so many bits, which are so many to the left.
#[target_feature(enable = "avx2")]
fn turned<const RIGHT: i32, const LEFT: i32>(word: Word) -> Word {
    const { assert!(RIGHT + LEFT == 32, "nothing is lost") };
    _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(word), _mm256_slli_epi32::<LEFT>(word))
}

/// Turned thrice, and added without carry.
#[target_feature(enable = "avx2")]
fn stirred<
    const A: i32,
    const A_LEFT: i32,
    const B: i32,
    const B_LEFT: i32,
    const C: i32,
    const C_LEFT: i32,
>(
    word: Word,
) -> Word {
    xor(xor(turned::<A, A_LEFT>(word), turned::<B, B_LEFT>(word)), turned::<C, C_LEFT>(word))
}

/// As [`stirred`], but what is pushed out at the third time is lost.
#[target_feature(enable = "avx2")]
fn spread<const A: i32, const A_LEFT: i32, const B: i32, const B_LEFT: i32, const C: i32>(
    word: Word,
) -> Word {
    xor(xor(turned::<A, A_LEFT>(word), turned::<B, B_LEFT>(word)), _mm256_srli_epi32::<C>(word))
}

/// What is added in each round (FIPS 180-4, section 4.2.2).
#[rustfmt::skip]
const CONSTANTS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];
