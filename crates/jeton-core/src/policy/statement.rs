//! One statement of a policy, as its author wrote it.
//!
//! A statement is plain data that anybody may build; only [`Policy::new`](super::Policy::new) says whether it is in
//! order. It is kept word for word, because every client expects to read back what it sent.

/// Whether a statement grants or refuses (section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Grants, unless another statement of the same policy denies.
    Allow,
    /// Refuses, whatever the other statements of the same policy say.
    Deny,
}

impl Effect {
    /// The word of the policy language.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        }
    }

    /// Reads a word of the policy language. Capital letters are refused: clients exist that can't read them back.
    pub fn parse(text: &str) -> Option<Effect> {
        [Effect::Allow, Effect::Deny].into_iter().find(|effect| effect.as_str() == text)
    }
}

/// A rule over actions and resources (sections 2.4 and 4.1).
///
/// Of each pair of lists exactly one is to be given. An empty list means "not given", because some clients send all
/// four.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Statement {
    /// What happens if the statement applies.
    pub effect: Effect,
    /// Resource specifiers, any of which may match.
    pub resources: Vec<String>,
    /// Resource specifiers, none of which may match. The statement then reaches the other resources of the same kind.
    pub not_resources: Vec<String>,
    /// Globs over the names of actions, any of which may match.
    pub actions: Vec<String>,
    /// Globs over the names of actions, none of which may match.
    pub not_actions: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_read_in_lower_case_only() {
        assert_eq!(Effect::parse("allow"), Some(Effect::Allow));
        assert_eq!(Effect::parse("deny"), Some(Effect::Deny));
        for word in ["Allow", "DENY", "", "allow "] {
            assert_eq!(Effect::parse(word), None, "{word:?}");
        }
    }
}
