//! The pattern of a name or a tag: text, stars, and at most one role attribute (section 4.1).
//!
//! A value of the attribute takes the place of the reference before anything is matched, so a star in a value is a star
//! of the pattern: whoever sets a member's attributes decides what they reach, as whoever writes the role does.
//!
//! Several references in one pattern are refused. Each may have many values, and trying all combinations is a cost that
//! the author of a policy could set as high as they please.

use super::attributes::Attributes;
use super::fit::Fit;
use super::glob::{self, Glob};
use super::syntax::is_word;

/// Text with stars, and perhaps a role attribute in it.
#[derive(Debug)]
pub(super) struct Pattern {
    before: Glob,
    reference: Option<Reference>,
}

#[derive(Debug)]
struct Reference {
    attribute: Box<str>,
    after: Box<str>,
}

/// Why a text can't be used as a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It isn't of the grammar.
    Syntax,
    /// It has more than one reference to a role attribute.
    SeveralAttributes,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        let (before, reference) = match text.split_once("${") {
            Some((before, rest)) => (before, Some(Reference::parse(rest)?)),
            None => (text, None),
        };
        Ok(Self { before: Glob::new(&fragment(before)?), reference })
    }

    /// Whether this pattern covers the whole text, compared with its case; with an attribute, whether one of its values
    /// makes it do so.
    pub(super) fn fits(&self, text: &str, attributes: &Attributes) -> Fit {
        if self.reference.is_none() {
            return self.before.covers(text).into();
        }
        self.fits_as(text, attributes, glob::exact)
    }

    /// As [`Pattern::fits`], compared in this way.
    pub(super) fn fits_as(&self, text: &str, attributes: &Attributes, same: fn(u8, u8) -> bool) -> Fit {
        let before = self.before.as_str();
        let Some(reference) = &self.reference else {
            return glob::matches(before.bytes(), text, same).into();
        };
        let values = attributes.values(&reference.attribute);
        if values.is_empty() {
            return Fit::Unknown;
        }
        let with = |value: &str| {
            let pattern = before.bytes().chain(value.bytes()).chain(reference.after.bytes());
            glob::matches(pattern, text, same)
        };
        values.iter().any(|value| with(value)).into()
    }
}

impl Reference {
    /// Reads what follows `${`.
    fn parse(text: &str) -> Result<Self, Unreadable> {
        let (inside, after) = text.split_once('}').ok_or(Unreadable::Syntax)?;
        let attribute = inside.strip_prefix("roleAttribute/").filter(|name| is_word(name));
        if after.contains("${") {
            return Err(Unreadable::SeveralAttributes);
        }
        Ok(Self { attribute: attribute.ok_or(Unreadable::Syntax)?.into(), after: fragment(after)? })
    }
}

/// Text beside a reference; the account's name, which is empty, is one too.
fn fragment(text: &str) -> Result<Box<str>, Unreadable> {
    if text.is_empty() || is_word(text) { Ok(text.into()) } else { Err(Unreadable::Syntax) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(pattern: &str, text: &str) -> Fit {
        let values =
            |name: &str, values: &[&str]| (name.to_owned(), values.iter().map(ToString::to_string).collect());
        let attributes = Attributes::from_iter([values("x", &["one", "t*o"]), values("none", &[])]);
        Pattern::parse(pattern).unwrap().fits(text, &attributes)
    }

    #[test]
    fn any_value_of_an_attribute_may_fit() {
        let table = [
            ("a-${roleAttribute/x}-b", "a-one-b", Fit::Yes),
            ("a-${roleAttribute/x}-b", "a-two-b", Fit::Yes),
            ("a-${roleAttribute/x}-b", "a-three-b", Fit::No),
            ("*${roleAttribute/x}*", "xonex", Fit::Yes),
            ("${roleAttribute/y}", "one", Fit::Unknown),
            ("${roleAttribute/none}", "", Fit::Unknown),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(fit(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_reference_that_cannot_be_read_is_refused() {
        for text in
            ["${x}", "${roleAttribute/}", "${roleAttribute/x", "$x", "$${roleAttribute/x}", "a}", "{a", "a b"]
        {
            assert_eq!(Pattern::parse(text).err(), Some(Unreadable::Syntax), "{text}");
        }
        let several = Pattern::parse("${roleAttribute/x}${roleAttribute/x}");
        assert_eq!(several.err(), Some(Unreadable::SeveralAttributes));
    }
}
