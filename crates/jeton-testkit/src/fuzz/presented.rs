//! What a question to the verification surfaces says, once more: the pairs of a form, the secret in a header, and whether
//! that is somebody who may ask. A second opinion, by other means than the server's.

use std::collections::BTreeMap;

use jeton_core::policy::Resource;
use jeton_core::token::TokenKind;
use jeton_service::Session;

use super::world::World;

/// Callers' numbers in place of the marks `<0>` to `<9>`, as their secrets.
pub(super) fn named(world: &World, text: &[u8]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if let [b'<', digit @ b'0'..=b'9', b'>', after @ ..] = rest {
            filled.extend(world.caller(usize::from(digit - b'0')).bytes());
            rest = after;
        } else {
            filled.push(*first);
            rest = after;
        }
    }
    filled
}

/// The pairs of a form or a query, decoded, all values of a name together.
pub(super) fn pairs(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_at(pair.find('=').unwrap_or(pair.len()));
        pairs.entry(decoded(name)).or_default().push(decoded(value.strip_prefix('=').unwrap_or(value)));
    }
    pairs
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits
            .filter(|two| *first == b'%' && two.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What stands in a header: nothing, or a text that may be a secret.
pub(super) fn in_header(value: Option<&[u8]>) -> Option<String> {
    let value = value?;
    let visible = |byte: &u8| (b' '..=b'~').contains(byte) || *byte == b'\t';
    if !value.iter().all(visible) {
        return Some("\u{fffd}".to_owned());
    }
    let text = String::from_utf8_lossy(value).trim().to_owned();
    let bearer = text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer "));
    let secret = if bearer { text[7..].trim_start().to_owned() } else { text };
    Some(secret).filter(|secret| !secret.is_empty())
}

/// Whether somebody may ask about the tokens of others.
pub(super) fn may_ask(session: &Session) -> bool {
    let caller = session.caller();
    caller.kind == TokenKind::Service || caller.may("verifyToken", Resource::parse("acct").unwrap())
}

/// RFC 4648, section 4.
pub(super) fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let padded = format!("{bits:0<width$}", width = bits.len().next_multiple_of(6));
    let sign = |at: usize| char::from(SIGNS[usize::from_str_radix(&padded[at..at + 6], 2).unwrap()]);
    let signs: String = (0..padded.len()).step_by(6).map(sign).collect();
    format!("{signs:=<width$}", width = signs.len().next_multiple_of(4))
}
