//! The role attributes of a member: what `${roleAttribute/NAME}` in a policy stands for (section 4.1).
//!
//! They let one role serve many members, each for the resources named in the member's own attributes. A policy only
//! reads them; who may set them and how many there may be is not decided here.

use std::collections::BTreeMap;

/// Names of role attributes and the values of each. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(BTreeMap<String, Vec<String>>);

impl Attributes {
    /// The values of an attribute, in the order given. An attribute without values counts as not set.
    pub fn values(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// All attributes, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }
}

/// A name that comes twice has the values of both.
impl FromIterator<(String, Vec<String>)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (String, Vec<String>)>>(pairs: I) -> Self {
        let mut attributes = Attributes::default();
        for (name, values) in pairs {
            attributes.0.entry(name).or_default().extend(values);
        }
        attributes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_same_name_add_up() {
        let pair = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
        let attributes = Attributes::from_iter([pair("x", "1"), pair("y", "2"), pair("x", "3")]);
        assert_eq!(attributes.values("x"), ["1", "3"]);
        assert!(attributes.values("z").is_empty());
        assert_eq!(attributes.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["x", "y"]);
    }
}
