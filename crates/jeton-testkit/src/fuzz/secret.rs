//! Secrets: the format once more, by other means, and the neighbourhood of good ones.
//!
//! The second opinion computes the checksum bit by bit, and reads digits instead of writing them.

use jeton_core::secret::{LastFour, MAX_LENGTH, MIN_FOREIGN, Malformed, Secret, SecretFormat, Shape};
use jeton_core::token::TokenKind;

use super::draw::Draw;

const DIGITS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(super) fn check(input: &[u8]) {
    let mut draw = Draw::new(input);
    let prefix = draw.text_like(&["jtn", "ab", "acme2", "z0123456789a", "j", "Jtn", "jtn_"]);
    let format = SecretFormat::new(&prefix);
    assert_eq!(format.is_ok(), is_prefix(&prefix), "{prefix:?}");
    let Ok(format) = format else { return };
    match draw.number(0..=2) {
        0 => recognized(&format, &draw.rest_as_text()),
        1 => {
            let body = format!("{prefix}_{}", draw.rest_as_text());
            recognized(&format, &format!("{body}{}", checksum(body.as_bytes())));
        }
        _ => generated(&format, &mut draw),
    }
}

fn is_prefix(text: &str) -> bool {
    let fits = |(at, c): (usize, char)| c.is_ascii_lowercase() || (at > 0 && c.is_ascii_digit());
    text.len() > 1 && text.len() < 13 && text.chars().enumerate().all(fits)
}

/// Both opinions about a text are the same, and taking it in goes by them.
fn recognized(format: &SecretFormat, text: &str) {
    let shape = format.recognize(text);
    assert_eq!(shape, opinion(format.prefix(), text), "{text:?}");
    match Secret::from_outside(text.to_owned(), format) {
        Ok(secret) => {
            assert!(shape.is_ok());
            assert_eq!(secret.expose(), text);
            let last = secret.last_four();
            assert!(text.ends_with(last.as_str()));
            assert_eq!(LastFour::parse(last.as_str()), Some(last));
            assert_eq!(format!("{secret:?}"), "Secret(…)");
        }
        Err(malformed) => assert_eq!(shape, Err(malformed)),
    }
}

fn opinion(prefix: &str, text: &str) -> Result<Shape, Malformed> {
    let visible = |text: &str| text.chars().all(|c| ('!'..='~').contains(&c));
    match text.split_once('_') {
        _ if text.len() > MAX_LENGTH => Err(Malformed::TooLong),
        Some((before, after)) if before == prefix => own(text, after).map(Shape::Own),
        _ if !visible(text) => Err(Malformed::Alphabet),
        _ if text.len() < MIN_FOREIGN => Err(Malformed::TooShort),
        _ => Ok(Shape::Foreign),
    }
}

fn own(text: &str, after_prefix: &str) -> Result<TokenKind, Malformed> {
    let kind = match after_prefix.split_once('_') {
        Some(("pat", _)) => TokenKind::Personal,
        Some(("svc", _)) => TokenKind::Service,
        Some(("log", _)) => TokenKind::Login,
        _ => return Err(Malformed::Shape),
    };
    let random = &after_prefix.as_bytes()[4..];
    if random.len() != 46 {
        return Err(Malformed::Shape);
    }
    if random[..40].iter().any(|byte| !DIGITS.as_bytes().contains(byte)) {
        return Err(Malformed::Alphabet);
    }
    let body = &text.as_bytes()[..text.len() - 6];
    let said = random[40..].iter().try_fold(0, |number: u64, byte| {
        let digit = DIGITS.bytes().position(|digit| digit == *byte)?;
        Some(number * 62 + digit as u64)
    });
    if said == Some(crc32(body).into()) { Ok(kind) } else { Err(Malformed::Checksum) }
}

/// CRC-32 as in ISO 3309, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

fn checksum(bytes: &[u8]) -> String {
    digits(&crc32(bytes).to_be_bytes(), 6)
}

/// The lowest digits of a number, the lowest last.
fn digits(number: &[u8], count: usize) -> String {
    let mut number = number.to_vec();
    let mut text = Vec::new();
    for _ in 0..count {
        let mut left = 0;
        for byte in &mut number {
            let all = left * 256 + u32::from(*byte);
            *byte = u8::try_from(all / 62).unwrap();
            left = all % 62;
        }
        text.push(DIGITS.chars().nth(left as usize).unwrap());
    }
    text.iter().rev().collect()
}

/// A secret that was made is a secret; one with a byte changed, left out or added is none.
fn generated(format: &SecretFormat, draw: &mut Draw<'_>) {
    let kind = match draw.number(0..=2) {
        0 => TokenKind::Personal,
        1 => TokenKind::Service,
        _ => TokenKind::Login,
    };
    let random: [u8; 48] = draw.exactly();
    let secret = format.generate(kind, &random);
    let text = secret.expose();
    assert_eq!(format.recognize(text), Ok(Shape::Own(kind)));
    recognized(format, text);
    // The lowest digit of the number stands first.
    let numbered: String = digits(&random, 40).chars().rev().collect();
    assert_eq!(text[format.prefix().len() + 5..text.len() - 6], numbered);

    let flip = u8::try_from(draw.number(1..=255)).unwrap();
    for at in 0..text.len() {
        let mut changed = text.as_bytes().to_vec();
        changed[at] ^= flip;
        refused(format, at, &changed);
        changed.remove(at);
        refused(format, at, &changed);
        changed.insert(at, flip);
        changed.insert(at, text.as_bytes()[at]);
        refused(format, at, &changed);
    }
}

/// Bytes are refused that differ from a good secret from this place on. Without our prefix they may be somebody else's
/// secret, which only the digest can tell; ours they never are.
fn refused(format: &SecretFormat, at: usize, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    recognized(format, text);
    let shape = format.recognize(text);
    assert!(!matches!(shape, Ok(Shape::Own(_))), "{text:?}");
    assert!(at <= format.prefix().len() || shape.is_err(), "{text:?}");
}
