//! Route maps of any text, and what they say of paths in every spelling.

use std::fmt::Write as _;

use jeton_server::verify::{Denied, Need, RouteMap};

use super::draw::Draw;

const SEGMENTS: [&str; 14] =
    ["a", "admin", "{name}", "{*rest}", "%61", "b.c", "..", "%2e", "{", "%2F", ";x", "ü", "%C3%BC", ""];

pub(super) fn check(input: &[u8]) {
    let mut draw = Draw::new(input);
    let method = draw.text_like(&["GET", "DELETE", "get", ""]);
    let paths: Vec<String> = (0..=draw.number(0..=3)).map(|_| path(&mut draw)).collect();
    let raw = draw.rarely(4);
    let text = if raw { draw.rest_as_text() } else { made(&mut draw) };
    let Ok(map) = RouteMap::parse(&text) else { return };
    for path in paths {
        let need = asked(&map, &method, &path, &text);
        if let (Need::Permission { resource, .. }, false) = (need, raw) {
            // What the map itself says is plain, and so is what came from the path.
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
            assert!(resource.chars().all(plain), "{resource:?} of {path:?}, in {text}");
        }
    }
}

fn path(draw: &mut Draw<'_>) -> String {
    if draw.rarely(4) {
        return draw.text(30);
    }
    let count = draw.number(1..=4);
    let segments: Vec<String> = (0..count).map(|_| draw.text_like(&SEGMENTS)).collect();
    format!("/{}", segments.join("/"))
}

/// A map of the right form, of parts that may be wrong.
fn made(draw: &mut Draw<'_>) -> String {
    let mut text = draw
        .one_of(&["", "otherwise = \"verify\"\n", "otherwise = \"deny\"\n", "otherwise = 1\n"])
        .to_owned();
    while !draw.is_empty() && text.len() < 2000 {
        let path = toml_text(&path(draw));
        let need = draw.one_of(&[
            "",
            "open = true",
            "action = \"viewProject\"\nresource = \"proj/{name}\"",
            "action = \"viewProject\"\nresource = \"proj/web\"",
            "method = \"DELETE\"",
            "method = [\"GET\", \"HEAD\"]\nopen = true",
            "resource = \"proj/{rest}\"",
        ]);
        write!(text, "[[route]]\npath = {path}\n{need}\n").unwrap();
    }
    text
}

fn toml_text(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

fn asked(map: &RouteMap, method: &str, uri: &str, text: &str) -> Need {
    let need = map.need(method, uri);
    let path = uri.split('?').next().unwrap();
    if need == Need::Denied(Denied::Ambiguous) {
        // Nothing that is encoded once more makes it plain.
        let again = uri.replace('%', "%25");
        assert!(again == uri || map.need(method, &again) == need, "{again:?} is plain, {text}");
        return need;
    }
    let decoded = decoded(path.as_bytes());
    assert!(is_plain(&decoded) && !uri.contains('#'), "{path:?} can be read in two ways");
    // Upstream all of these are one path.
    for spelling in
        [spelled(&decoded, |_| true), spelled(&decoded, |at| at % 2 == 0), spelled(&decoded, |_| false)]
    {
        let same = map.need(method, &format!("{spelling}?{uri}"));
        assert_eq!(same, need, "{path:?} is {spelling:?}, in {text}");
    }
    need
}

/// One decoding, byte by byte.
fn decoded(mut rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let escaped = digit(0).zip(digit(1)).filter(|_| *first == b'%');
        bytes.push(escaped.map_or(*first, |(high, low)| u8::try_from(high * 16 + low).unwrap()));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    bytes
}

/// Whether a decoded path says one thing: text of whole segments, none of which is empty or climbs.
fn is_plain(path: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(path) else { return false };
    let mut segments: Vec<&str> = text.split('/').collect();
    // A slash at the end is no empty segment.
    if segments.len() > 1 && segments.last() == Some(&"") {
        segments.pop();
    }
    let bad = |c: char| c.is_control() || "\\;%?#".contains(c);
    segments.first() == Some(&"")
        && segments[1..].iter().all(|segment| !["", ".", ".."].contains(segment) && !segment.contains(bad))
}

/// A path with some of its bytes encoded that need not be, and all that have to be.
fn spelled(path: &[u8], also: impl Fn(usize) -> bool) -> String {
    let mut text = String::new();
    for (at, byte) in path.iter().enumerate() {
        // What may not come encoded at all.
        let never = b"/.".contains(byte);
        let may = byte.is_ascii_graphic();
        if never || (may && !also(at)) {
            text.push(char::from(*byte));
        } else {
            write!(text, "%{byte:02x}").unwrap();
        }
    }
    text
}
