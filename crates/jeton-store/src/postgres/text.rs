//! Texts that people write, in columns. PostgreSQL keeps every character but zero, and jeton's clients may send that one.
//!
//! It is written as two characters, the first of which is so rare that nearly every text stands as it is. What is equal
//! stays equal and what differs differs, so keys and addresses can be compared as they are written. (JSON has its own way.)

use std::borrow::Cow;

const ESCAPE: char = '\u{1}';

/// As it is written.
pub(super) fn kept(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(ESCAPE, "\u{1}1").replace('\0', "\u{1}0"))
}

/// As it was given.
pub(super) fn given(text: &str) -> String {
    if text.contains(ESCAPE) {
        text.replace("\u{1}0", "\0").replace("\u{1}1", "\u{1}")
    } else {
        text.to_owned()
    }
}

/// An address as it is compared: as SQLite compares, without regard to the case of ASCII letters, and by the same rule
/// whatever the collation of the database.
pub(super) fn email_key(email: &str) -> String {
    kept(&email.to_ascii_lowercase()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        for text in ["", "plain", "\0", "\u{1}", "\u{1}0", "\u{1}1\0", "a\0\0b\u{1}\u{1}", "\0\u{1}0"] {
            let written = kept(text);
            assert!(!written.contains('\0'), "{text:?}");
            assert_eq!(given(&written), text);
        }
        assert!(matches!(kept("an ordinary \\ text"), Cow::Borrowed(_)));
        assert_eq!(email_key("Ada@Example.ÜK"), "ada@example.Ük");
    }
}
