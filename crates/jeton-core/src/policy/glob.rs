//! Matching text against a pattern in which `*` stands for any run of characters, also an empty one.
//!
//! The pattern comes as an iterator of bytes, so that one that is made of several pieces (a name with the value of an
//! attribute in its middle) needs no string to be built. Comparing bytes is enough: in UTF-8 the bytes of one
//! character never look like the beginning of another.
//!
//! Only the last star seen is ever tried again. That is sound, because a later star can take over whatever an earlier
//! one could have swallowed, and it bounds the work to the length of the pattern times that of the text. The recursive
//! way to write this is shorter and takes exponential time on a pattern such as `*a*a*a*a*b`.

/// A pattern that was looked at once: most have no star or one at their end, and are then compared in one step.
#[derive(Debug)]
pub(super) struct Glob {
    text: Box<str>,
    shape: Shape,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    /// A star alone.
    Anything,
    /// No star.
    Itself,
    /// One star, at the end.
    Beginning,
    Other,
}

impl Glob {
    pub(super) fn new(text: &str) -> Self {
        let shape = match text.find('*') {
            None => Shape::Itself,
            Some(0) if text.len() == 1 => Shape::Anything,
            Some(at) if at + 1 == text.len() => Shape::Beginning,
            Some(_) => Shape::Other,
        };
        Self { text: text.into(), shape }
    }

    /// The pattern as it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it covers the whole text, compared with its case.
    pub(super) fn covers(&self, text: &str) -> bool {
        match self.shape {
            Shape::Anything => true,
            Shape::Itself => *self.text == *text,
            Shape::Beginning => text.as_bytes().starts_with(&self.text.as_bytes()[..self.text.len() - 1]),
            Shape::Other => matches(self.text.bytes(), text, exact),
        }
    }
}

/// Whether the whole of `text` is covered by `pattern`, comparing bytes with `same(in the pattern, in the text)`.
pub(super) fn matches<P>(mut pattern: P, text: &str, same: impl Fn(u8, u8) -> bool) -> bool
where
    P: Iterator<Item = u8> + Clone,
{
    let text = text.as_bytes();
    let mut at = 0;
    let mut last_star: Option<(P, usize)> = None;
    loop {
        match (pattern.next(), text.get(at)) {
            (Some(b'*'), _) => last_star = Some((pattern.clone(), at)),
            (Some(wanted), Some(&found)) if same(wanted, found) => at += 1,
            (None, None) => return true,
            // The text is too short, and a star that swallowed more would leave even less of it.
            (Some(_), None) => return false,
            (_, Some(_)) => {
                let Some((after, from)) = last_star.as_mut() else {
                    return false;
                };
                *from += 1;
                at = *from;
                pattern = after.clone();
            }
        }
    }
}

/// For names and actions, which are compared with their case.
pub(super) fn exact(wanted: u8, found: u8) -> bool {
    wanted == found
}

/// For tags, which are compared without it. Letters beyond ASCII keep their case: tags don't have any.
pub(super) fn ignoring_case(wanted: u8, found: u8) -> bool {
    wanted.eq_ignore_ascii_case(&found)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_is_any_run_and_everything_else_is_itself() {
        let table = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "é*", true),
            ("a", "A", false),
            ("a?", "ab", false),
            ("qa_*", "qa_test", true),
            ("*_qa", "test_qa", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("*ab*ab*", "abab", true),
            ("*ab*ab*", "aba", false),
            ("**a**", "xay", true),
            ("ü*", "über", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern.bytes(), text, exact), expected, "{pattern:?} on {text:?}");
        }
    }

    #[test]
    fn case_is_ignored_only_where_asked() {
        assert!(matches("QA_*".bytes(), "qa_Test", ignoring_case));
        assert!(!matches("QA_*".bytes(), "qa_Test", exact));
    }

    /// The bytes of the pattern that are looked at until there is an answer.
    fn steps(pattern: &str, text: &str) -> usize {
        let steps = Cell::new(0);
        matches(pattern.bytes().inspect(|_| steps.set(steps.get() + 1)), text, exact);
        steps.get()
    }

    fn bound(pattern: &str, text: &str) -> usize {
        (pattern.len() + 1) * (text.len() + 1)
    }

    #[test]
    fn a_thousand_stars_stay_within_the_bound() {
        let text = "a".repeat(1000);
        for pattern in ["*".repeat(1000), "*a".repeat(1000) + "b", "*a".repeat(500) + "*b*"] {
            assert!(steps(&pattern, &text) <= bound(&pattern, &text));
        }
    }

    proptest! {
        #[test]
        fn a_glob_covers_what_its_text_matches(pattern in "[aé*]{0,5}", text in "[aé]{0,6}") {
            prop_assert_eq!(Glob::new(&pattern).covers(&text), matches(pattern.bytes(), &text, exact));
        }

        #[test]
        fn every_pattern_stays_within_the_bound(pattern in "[ab*]{0,60}", text in "[ab]{0,60}") {
            prop_assert!(steps(&pattern, &text) <= bound(&pattern, &text));
        }
    }
}
