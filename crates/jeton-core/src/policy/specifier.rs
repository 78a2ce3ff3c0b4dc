//! A resource specifier: which resources one item of a statement means (sections 4.1 and 4.3).
//!
//! A specifier means resources of one kind, never their parents or children, or else every resource there is. It is
//! read once, when the policy is made, so that an evaluation only compares.

use super::attributes::Attributes;
use super::fit::Fit;
use super::glob;
use super::kind::Kind;
use super::pattern::{Pattern, Unreadable};
use super::resource::Resource;
use super::syntax::{self, Qualifier, Segment};

/// One item of `resources` or `notResources`, read.
#[derive(Debug)]
pub(super) enum Specifier {
    /// A bare `*`: every resource of every kind.
    Everything,
    Chain {
        kind: Kind,
        segments: Box<[SegmentPattern]>,
    },
}

/// What one segment of a resource has to be like.
#[derive(Debug)]
pub(super) struct SegmentPattern {
    name: Pattern,
    /// All of these have to hold.
    conditions: Box<[Condition]>,
}

#[derive(Debug)]
enum Condition {
    /// Some tag of the segment fits, whatever its case.
    Tag(Pattern),
    /// The segment has exactly this property and value, braces included.
    Property(Box<str>),
    /// The segment belongs to a view. No resource of this server does, and other servers' views aren't known here.
    View,
}

impl Specifier {
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        if text == "*" {
            return Ok(Self::Everything);
        }
        let (kind, segments) = syntax::read(text).ok_or(Unreadable::Syntax)?;
        let segments = kind.labels().zip(segments).map(|(_, segment)| SegmentPattern::parse(segment));
        Ok(Self::Chain { kind, segments: segments.collect::<Result<_, _>>()? })
    }

    /// The kind of resource that this means; None for every kind.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Everything => None,
            Self::Chain { kind, .. } => Some(*kind),
        }
    }

    /// Whether this means resources of that kind, by whatever name.
    pub(super) fn means_kind(&self, kind: Kind) -> bool {
        self.kind().is_none_or(|own| own == kind)
    }

    pub(super) fn fits(&self, resource: &Resource<'_>, attributes: &Attributes) -> Fit {
        match self {
            Self::Everything => Fit::Yes,
            Self::Chain { kind, .. } if *kind != resource.kind() => Fit::No,
            Self::Chain { segments, .. } => all(segments
                .iter()
                .zip(resource.padded_segments())
                .map(|(pattern, segment)| pattern.fits(*segment, attributes))),
        }
    }
}

impl SegmentPattern {
    fn parse(segment: Segment<'_>) -> Result<Self, Unreadable> {
        let name = Pattern::parse(segment.name)?;
        let conditions = segment.qualifiers().map(|it| Condition::parse(it.ok_or(Unreadable::Syntax)?));
        Ok(Self { name, conditions: conditions.collect::<Result<_, _>>()? })
    }

    fn fits(&self, segment: Segment<'_>, attributes: &Attributes) -> Fit {
        let name = self.name.fits(segment.name, attributes);
        name.min(all(self.conditions.iter().map(|condition| condition.fits(segment, attributes))))
    }
}

impl Condition {
    fn parse(qualifier: Qualifier<'_>) -> Result<Self, Unreadable> {
        Ok(match qualifier {
            Qualifier::Tag(text) => Self::Tag(Pattern::parse(text)?),
            Qualifier::Property(text) => Self::Property(text.into()),
            // The key decides nothing, but a mistake in it is one.
            Qualifier::View(key) => {
                Pattern::parse(key)?;
                Self::View
            }
        })
    }

    fn fits(&self, segment: Segment<'_>, attributes: &Attributes) -> Fit {
        let facts = segment.qualifiers().flatten();
        match self {
            Self::Tag(pattern) => any(facts.filter_map(|fact| match fact {
                Qualifier::Tag(tag) => Some(pattern.fits_as(tag, attributes, glob::ignoring_case)),
                Qualifier::Property(_) | Qualifier::View(_) => None,
            })),
            Self::Property(wanted) => {
                any(facts.map(|fact| matches!(fact, Qualifier::Property(found) if *found == **wanted).into()))
            }
            Self::View => Fit::Unknown,
        }
    }
}

fn all(fits: impl Iterator<Item = Fit>) -> Fit {
    fits.min().unwrap_or(Fit::Yes)
}

fn any(fits: impl Iterator<Item = Fit>) -> Fit {
    fits.max().unwrap_or(Fit::No)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(specifier: &str, resource: &str) -> Fit {
        let resource = Resource::parse(resource).unwrap();
        Specifier::parse(specifier).unwrap().fits(&resource, &Attributes::default())
    }

    #[test]
    fn kinds_names_and_conditions_all_have_to_fit() {
        let table = [
            ("*", "acct", Fit::Yes),
            ("acct", "acct", Fit::Yes),
            ("acct", "member/m", Fit::No),
            ("member/*", "member/m:token/t", Fit::No),
            ("member/*:token/*", "member/m", Fit::No),
            ("/service-token/a*", "service-token/abc", Fit::Yes),
            ("proj/*;QA_*", "proj/p;x,qa_1", Fit::Yes),
            ("proj/*;a,b", "proj/p;b,c,a", Fit::Yes),
            ("proj/*;a,b", "proj/p;a", Fit::No),
            ("proj/*;*", "proj/p", Fit::No),
            ("proj/*;*", "proj/p;{a:b}", Fit::No),
            ("proj/*;{a:b},t", "proj/p;T,{a:b}", Fit::Yes),
            ("proj/*;{a:b}", "proj/p;{a:B}", Fit::No),
            ("proj/*:env/*;t", "proj/p;t:env/e", Fit::No),
        ];
        for (specifier, resource, expected) in table {
            assert_eq!(fit(specifier, resource), expected, "{specifier} on {resource}");
        }
    }

    #[test]
    fn what_cannot_be_told_matters_only_if_the_rest_fits() {
        assert_eq!(fit("proj/*;view:k", "proj/p;view:k"), Fit::Unknown);
        assert_eq!(fit("proj/q;view:k", "proj/p"), Fit::No);
        assert_eq!(fit("proj/${roleAttribute/x}:env/e", "proj/p:env/e"), Fit::Unknown);
        assert_eq!(fit("proj/${roleAttribute/x}:env/e", "proj/p:env/f"), Fit::No);
    }

    #[test]
    fn a_specifier_that_cannot_be_read_is_refused() {
        let texts = [
            "",
            "proj/k:*",
            "flag/f",
            "proj/k:flag/*",
            "proj/ k",
            "proj/*;a,,b",
            "proj/*;a:b",
            "proj/*;{a}",
            "proj/*;view:a b",
            "proj/*;view:a:b",
            "proj/*;view:{env/b",
        ];
        for text in texts {
            assert_eq!(Specifier::parse(text).err(), Some(Unreadable::Syntax), "{text:?}");
        }
    }
}
