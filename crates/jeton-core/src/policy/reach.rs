//! The resource part of a statement: which resources it reaches (section 4.3).
//!
//! `notResources` is read as "the others of the same kind". The wording allows a wider reading, in which a statement
//! about all environments but one would also be about members; that one would grant more than its author looked at.
//!
//! What can't be told (a role attribute that isn't set, a view) matches nothing, so a list with it reaches less. For an
//! exclusion the same rule would make it reach *more*: "every project but mine" would become "every project" for a
//! member without the attribute. So there the effect decides, and both ways the answer is the one that grants less: an
//! allow doesn't reach what may be excluded, a deny does.

use super::fit::Fit;
use super::kind::Kind;
use super::specifier::Specifier;
use super::{Effect, Request};

/// `resources` or `notResources`, read. All specifiers are of the same kind.
#[derive(Debug)]
pub(super) enum Reach {
    /// Whatever some specifier matches.
    Listed(Box<[Specifier]>),
    /// What is of the same kind and no specifier matches.
    Excluded(Box<[Specifier]>),
}

impl Reach {
    /// The kind of resource that it is about; None for every kind.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Listed(specifiers) | Self::Excluded(specifiers) => {
                let first = specifiers.first().and_then(Specifier::kind);
                first.filter(|_| specifiers.iter().all(|specifier| specifier.kind() == first))
            }
        }
    }

    /// Whether a statement of that effect reaches the resource in question.
    pub(super) fn covers(&self, effect: Effect, request: &Request<'_>) -> bool {
        let fit = |specifier: &Specifier| specifier.fits(&request.resource, request.attributes);
        match self {
            Self::Listed(specifiers) => specifiers.iter().any(|it| fit(it) == Fit::Yes),
            Self::Excluded(specifiers) => specifiers.iter().all(|it| {
                it.means_kind(request.resource.kind())
                    && match fit(it) {
                        Fit::No => true,
                        Fit::Unknown => effect == Effect::Deny,
                        Fit::Yes => false,
                    }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Attributes, Resource};

    fn covers(reach: fn(Box<[Specifier]>) -> Reach, effect: Effect, specifier: &str, resource: &str) -> bool {
        let reach = reach([Specifier::parse(specifier).unwrap()].into());
        let resource = Resource::parse(resource).unwrap();
        reach.covers(effect, &Request { action: "any", resource, attributes: &Attributes::default() })
    }

    #[test]
    fn an_exclusion_stays_within_its_kind() {
        for effect in [Effect::Allow, Effect::Deny] {
            assert!(covers(Reach::Excluded, effect, "service-token/prod", "service-token/dev"));
            assert!(!covers(Reach::Excluded, effect, "service-token/prod", "service-token/prod"));
            assert!(!covers(Reach::Excluded, effect, "service-token/prod", "member/m"));
            assert!(!covers(Reach::Excluded, effect, "*", "member/m"));
        }
    }

    #[test]
    fn one_that_means_everything_makes_the_list_mean_every_kind() {
        let reach = |texts: &[&str]| {
            Reach::Listed(texts.iter().map(|text| Specifier::parse(text).unwrap()).collect())
        };
        assert!(reach(&["proj/*", "proj/p"]).kind().is_some());
        for texts in [&["*"][..], &["*", "proj/*"], &["proj/*", "*"]] {
            assert_eq!(reach(texts).kind(), None, "{texts:?}");
        }
    }

    #[test]
    fn what_cannot_be_told_never_grants() {
        for specifier in ["proj/${roleAttribute/mine}", "proj/*;view:k"] {
            assert!(!covers(Reach::Listed, Effect::Allow, specifier, "proj/p"));
            assert!(!covers(Reach::Listed, Effect::Deny, specifier, "proj/p"));
            assert!(!covers(Reach::Excluded, Effect::Allow, specifier, "proj/p"));
            assert!(covers(Reach::Excluded, Effect::Deny, specifier, "proj/p"));
        }
    }
}
