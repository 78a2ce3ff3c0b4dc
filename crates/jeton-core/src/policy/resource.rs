//! A concrete resource: the thing that a question is about.
//!
//! It is a kind and the names on the way to it. Those who ask about a token build it from ids; the names are kept apart
//! and never joined into a text, so no id, whatever it contains, can pretend to be more than one name.

use std::fmt;

use super::kind::{Kind, MAX_DEPTH, NAMELESS};
use super::syntax::{self, Qualifier, Segment};

/// One resource, borrowed from the ids or the text that it was made of. It needs no heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource<'a> {
    kind: Kind,
    /// As many are in use as the kind has labels.
    segments: [Segment<'a>; MAX_DEPTH],
}

impl<'a> Resource<'a> {
    /// The account itself: `acct`.
    pub fn account() -> Self {
        Self::named(Kind::ACCOUNT, &[""])
    }

    /// A personal token, a child of its owner (section 3.2): `member/<member>:token/<token>`.
    pub fn token(member: &'a str, token: &'a str) -> Self {
        Self::named(Kind::PERSONAL_TOKEN, &[member, token])
    }

    /// A service token, which nobody owns (section 3.2): `service-token/<token>`.
    pub fn service_token(token: &'a str) -> Self {
        Self::named(Kind::SERVICE_TOKEN, &[token])
    }

    /// A member: `member/<member>`.
    pub fn member(member: &'a str) -> Self {
        Self::named(Kind::MEMBER, &[member])
    }

    /// A custom role: `role/<key>`.
    pub fn role(key: &'a str) -> Self {
        Self::named(Kind::ROLE, &[key])
    }

    /// Reads a resource of any kind with the tags and properties that it has, such as
    /// `proj/p:env/e;qa,{critical:true}:flag/f`.
    ///
    /// None if the text isn't of the grammar, names an unknown kind, or holds a role attribute. A resource has no
    /// patterns: a `*` in it is only a character.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (kind, segments) = syntax::read(text)?;
        let resource = Self { kind, segments };
        resource.segments().all(is_concrete).then_some(resource)
    }

    /// Whether this is a service token.
    pub fn is_service_token(&self) -> bool {
        self.kind == Kind::SERVICE_TOKEN
    }

    /// Whether this is a personal token of that member.
    pub fn is_token_of(&self, member: &str) -> bool {
        self.kind == Kind::PERSONAL_TOKEN && self.segments[0].name == member
    }

    /// Whether this is the account, its people, or what gives them rights: what a Writer may not touch (section 3.1,
    /// rule 12).
    pub fn is_about_people(&self) -> bool {
        self.kind.is_about_people()
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The segments, and empty ones behind them. A specifier of the same kind knows how many count.
    pub(super) fn padded_segments(&self) -> &[Segment<'a>; MAX_DEPTH] {
        &self.segments
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = Segment<'a>> {
        self.kind.labels().zip(self.segments).map(|(_, segment)| segment)
    }

    fn named(kind: Kind, names: &[&'a str]) -> Self {
        let mut segments = [Segment::default(); MAX_DEPTH];
        for (segment, name) in segments.iter_mut().zip(names) {
            segment.name = name;
        }
        Self { kind, segments }
    }
}

fn is_concrete(segment: Segment<'_>) -> bool {
    let is_name = segment.name.is_empty() || syntax::is_word(segment.name);
    is_name
        && segment.qualifiers().all(|qualifier| match qualifier {
            Some(Qualifier::Tag(word) | Qualifier::View(word)) => syntax::is_word(word),
            Some(Qualifier::Property(_)) => true,
            None => false,
        })
}

/// Writes the text that [`Resource::parse`] reads.
impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (label, segment)) in self.kind.labels().zip(self.segments).enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{label}")?;
            if label != NAMELESS {
                write!(f, "/{}", segment.name)?;
            }
            if !segment.qualifiers.is_empty() {
                write!(f, ";{}", segment.qualifiers)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_resource_reads_as_the_same_resource() {
        let table = [
            (Resource::token("m1", "t1"), "member/m1:token/t1"),
            (Resource::service_token("t1"), "service-token/t1"),
            (Resource::member("m1"), "member/m1"),
            (Resource::role("ops"), "role/ops"),
        ];
        for (resource, text) in table {
            assert_eq!(resource.to_string(), text);
            assert_eq!(Resource::parse(text), Some(resource));
        }
        for text in ["acct", "proj/p;a,{b:c}:env/e;view:k:flag/f;t"] {
            assert_eq!(Resource::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_single_resource_is_refused() {
        for text in [
            "",
            "*",
            "proj/a b",
            "proj/${roleAttribute/x}",
            "proj/a;",
            "proj/a;{b}",
            "proj/a;view:b:c",
            "planet/earth",
        ] {
            assert_eq!(Resource::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_name_cannot_pretend_to_be_two() {
        let odd = Resource::member("m1:token/t1");
        assert_ne!(odd, Resource::token("m1", "t1"));
        assert!(!odd.is_token_of("m1"));
    }

    #[test]
    fn questions_about_the_kind() {
        assert!(Resource::token("m1", "t1").is_token_of("m1"));
        assert!(!Resource::token("m1", "t1").is_token_of("t1"));
        assert!(Resource::service_token("t1").is_service_token());
        for text in ["acct", "member/m", "member/m:token/t", "service-token/t", "role/r", "team/t"] {
            assert!(Resource::parse(text).unwrap().is_about_people(), "{text}");
        }
        assert!(!Resource::parse("proj/p:env/e:flag/f").unwrap().is_about_people());
    }
}
