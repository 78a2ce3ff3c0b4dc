//! Secrets: the text that a client presents, shown once and kept nowhere.
//!
//! A secret of jeton's own reads
//!
//! ```text
//! jtn_pat_ 0123456789abcdefghijABCDEFGHIJ0123456789 3xQ0aF
//! prefix   40 random characters (238 bits)          checksum
//! ```
//!
//! without the spaces: 54 characters, so that SHA-256 takes it in one block. `pat` is a personal token, `svc` a service
//! token. The checksum is the CRC-32 of everything before it, in six base-62 digits: a typing error and a scanner's
//! false positive are found without asking anybody. There is one spelling: a changed character anywhere is refused.
//!
//! Secrets that were made elsewhere (given at first start, or imported) have no shape of ours. They are taken on length
//! and alphabet alone, and the digest decides.

use std::fmt;

use zeroize::Zeroizing;

use crate::checksum::crc32;
use crate::kind::TokenKind;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARACTERS: usize = 40;
const CHECKSUM_CHARACTERS: usize = 6;

/// The shortest secret that is accepted from elsewhere, in characters.
pub const MIN_FOREIGN: usize = 32;
/// The longest secret of any kind, in characters.
pub const MAX_LENGTH: usize = 255;

/// A secret in clear. It can't be printed, compared or copied by accident, and its memory is wiped when it is dropped.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret that came from outside: visible ASCII, 32 to 255 characters.
    ///
    /// # Errors
    /// Says what is wrong with the text, without repeating it.
    pub fn from_outside(text: String, format: &SecretFormat) -> Result<Self, Malformed> {
        let secret = Self(Zeroizing::new(text));
        format.recognize(secret.expose())?;
        Ok(secret)
    }

    /// The text itself. Each call of this is a place where a secret leaves: search for it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The last four characters, by which people tell their tokens apart.
    pub fn last_four(&self) -> LastFour {
        LastFour::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The last four characters of a secret: what lists show instead of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LastFour([u8; 4]);

impl LastFour {
    fn of(secret: &str) -> Self {
        let mut last = [b'0'; 4];
        let bytes = secret.as_bytes();
        let from = bytes.len().saturating_sub(4);
        last[4 - (bytes.len() - from)..].copy_from_slice(&bytes[from..]);
        Self(last)
    }

    /// Reads what [`LastFour::as_str`] wrote. `None` unless it is four visible ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 4] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_graphic).then_some(Self(bytes))
    }

    /// The four characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only visible ASCII is ever taken as a secret")
    }
}

/// What a text that claims to be a secret is, before anybody looks it up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One of ours: the prefix, the kind and the checksum are right.
    Own(TokenKind),
    /// Without our prefix: it may have been given from outside.
    Foreign,
}

/// Why a text can't be a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// Shorter than any secret.
    #[error("it is too short: a secret has at least {MIN_FOREIGN} characters")]
    TooShort,
    /// Longer than any secret.
    #[error("it is too long: a secret has at most {MAX_LENGTH} characters")]
    TooLong,
    /// A blank, a control character or something beyond ASCII.
    #[error("it holds a blank or a character that no secret has: only visible ASCII is allowed")]
    Alphabet,
    /// Our prefix, but neither `pat` nor `svc` after it, or a wrong length.
    #[error("it begins like one of ours, but is not complete: look for a part that was cut off or added")]
    Shape,
    /// Our shape, but the checksum disagrees.
    #[error("its checksum is wrong: a character was changed or mistyped")]
    Checksum,
}

/// How secrets of this installation look: their configurable prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretFormat {
    prefix: String,
}

/// A prefix that can't be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a token prefix is 2 to 12 lower-case letters and digits and begins with a letter")]
pub struct BadPrefix;

impl SecretFormat {
    /// A format with this prefix, `jtn` by default.
    ///
    /// # Errors
    /// [`BadPrefix`], unless it is 2 to 12 lower-case letters and digits and begins with a letter.
    pub fn new(prefix: &str) -> Result<Self, BadPrefix> {
        let fits = (2..=12).contains(&prefix.len())
            && prefix.starts_with(|first: char| first.is_ascii_lowercase())
            && prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if fits { Ok(Self { prefix: prefix.to_owned() }) } else { Err(BadPrefix) }
    }

    /// The prefix, without the underscore.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Makes a secret of 48 fresh random bytes.
    ///
    /// The bytes are read as one number, whose 40 lowest base-62 digits are the random characters. 384 bits onto 238
    /// leaves a bias below 2⁻¹⁴⁵, and needs no loop that could draw again.
    pub fn generate(&self, kind: TokenKind, random: &[u8; 48]) -> Secret {
        let mut text = Zeroizing::new(String::with_capacity(MAX_LENGTH));
        text.push_str(&self.prefix);
        text.push('_');
        text.push_str(infix(kind));
        text.push('_');
        push_base62(&mut text, random);
        let checksum = crc32(text.as_bytes());
        for digit in base62(checksum) {
            text.push(char::from(digit));
        }
        Secret(text)
    }

    /// Tells whether `text` is well formed, without looking anything up and without allocating.
    ///
    /// # Errors
    /// Why nobody can have issued this.
    pub fn recognize(&self, text: &str) -> Result<Shape, Malformed> {
        if text.len() > MAX_LENGTH {
            return Err(Malformed::TooLong);
        }
        if let Some(rest) = text.strip_prefix(self.prefix.as_str()).and_then(|rest| rest.strip_prefix('_')) {
            return self.recognize_own(text, rest).map(Shape::Own);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Malformed::Alphabet);
        }
        if text.len() < MIN_FOREIGN {
            return Err(Malformed::TooShort);
        }
        Ok(Shape::Foreign)
    }

    fn recognize_own(&self, text: &str, rest: &str) -> Result<TokenKind, Malformed> {
        let kind = match rest.get(..4) {
            Some("pat_") => TokenKind::Personal,
            Some("svc_") => TokenKind::Service,
            Some("log_") => TokenKind::Login,
            _ => return Err(Malformed::Shape),
        };
        if rest.len() != 4 + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS {
            return Err(Malformed::Shape);
        }
        let (body, checksum) = text.as_bytes().split_at(text.len() - CHECKSUM_CHARACTERS);
        // The checksum alone would let a character outside the alphabet through where four changes cancel out.
        // Every character is looked at, whatever those before it were: many at a time are faster than one by one.
        let random = &body[self.prefix.len() + 5..];
        if !random.iter().fold(true, |all, byte| all & byte.is_ascii_alphanumeric()) {
            return Err(Malformed::Alphabet);
        }
        if base62(crc32(body)) != *checksum {
            return Err(Malformed::Checksum);
        }
        Ok(kind)
    }
}

fn infix(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Personal => "pat",
        TokenKind::Service => "svc",
        TokenKind::Login => "log",
    }
}

/// Six base-62 digits, most significant first, padded with zeros: enough for any 32-bit number.
fn base62(mut number: u32) -> [u8; CHECKSUM_CHARACTERS] {
    let mut digits = [b'0'; CHECKSUM_CHARACTERS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    digits
}

/// Appends the 40 lowest base-62 digits of a 384-bit number, by long division: five digits at a time, because 62⁵ is the
/// largest power that a limb can be divided by.
fn push_base62(text: &mut String, random: &[u8; 48]) {
    const DIGITS: usize = 5;
    const DIVISOR: u64 = 62_u64.pow(5);
    let mut limbs = Zeroizing::new([0_u32; 12]);
    for (limb, bytes) in limbs.iter_mut().zip(random.chunks_exact(4)) {
        *limb = u32::from_be_bytes(bytes.try_into().expect("chunks of four bytes"));
    }
    for _ in 0..RANDOM_CHARACTERS / DIGITS {
        let mut remainder = 0_u64;
        for limb in limbs.iter_mut() {
            let dividend = remainder << 32 | u64::from(*limb);
            *limb =
                u32::try_from(dividend / DIVISOR).expect("the remainder is smaller, so the quotient fits");
            remainder = dividend % DIVISOR;
        }
        for _ in 0..DIGITS {
            text.push(char::from(ALPHABET[usize::try_from(remainder % 62).expect("below 62")]));
            remainder /= 62;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format() -> SecretFormat {
        SecretFormat::new("jtn").unwrap()
    }

    #[test]
    fn a_secret_has_the_documented_shape() {
        let secret = format().generate(TokenKind::Personal, &[7; 48]);
        assert_eq!(secret.expose().len(), 54);
        assert!(secret.expose().starts_with("jtn_pat_"));
        assert_eq!(format().recognize(secret.expose()), Ok(Shape::Own(TokenKind::Personal)));
        assert_eq!(secret.last_four().as_str(), &secret.expose()[50..]);
    }

    #[test]
    fn the_largest_checksum_fits_in_six_digits() {
        assert_eq!(&base62(u32::MAX), b"4gfFC3");
        assert_eq!(&base62(0), b"000000");
    }

    #[test]
    fn what_no_one_issued_is_refused_with_its_reason() {
        let secret = format().generate(TokenKind::Service, &[9; 48]).expose().to_owned();
        let cases = [
            ("", Malformed::TooShort),
            ("short", Malformed::TooShort),
            ("jtn_", Malformed::Shape),
            ("jtn_abc_0000000000000000000000000000000000000000000000", Malformed::Shape),
            (&secret[..53], Malformed::Shape),
            ("an otherwise long enough text, but with blanks", Malformed::Alphabet),
            ("ünïcödé-ünïcödé-ünïcödé-ünïcödé-ünïcödé", Malformed::Alphabet),
        ];
        for (text, expected) in cases {
            assert_eq!(format().recognize(text), Err(expected), "{text}");
        }
        assert_eq!(format().recognize(&"x".repeat(256)), Err(Malformed::TooLong));
        assert_eq!(format().recognize(&secret.replace("svc", "pat")), Err(Malformed::Checksum));
        assert_eq!(format().recognize(&"x".repeat(32)), Ok(Shape::Foreign));
    }

    #[test]
    fn a_prefix_is_short_and_plain() {
        for good in ["jtn", "ab", "acme2"] {
            assert!(SecretFormat::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "2go", "Jtn", "j_n", "muchtoolongprefix"] {
            assert_eq!(SecretFormat::new(bad), Err(BadPrefix), "{bad}");
        }
    }
}
