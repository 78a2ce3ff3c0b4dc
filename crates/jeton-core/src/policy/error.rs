//! Why a policy is refused, and where in it the reason stands.
//!
//! The messages are written for the author of the policy and go to them as they are. Two of them are those of the
//! contract (section 4.2), which existing tools look for.

use super::limits::PolicyLimits;

/// The first thing that is wrong with a policy. Displayed, it is a sentence for the policy's author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct PolicyError {
    place: Place,
    fault: Fault,
}

impl PolicyError {
    pub(super) fn new(place: Place, fault: Fault) -> Self {
        Self { place, fault }
    }

    /// Where the reason stands, as a JSON pointer (RFC 6901) from the root of the policy, such as `/0/resources/1`. The
    /// empty text is the whole policy.
    pub fn pointer(&self) -> String {
        match self.place {
            Place::Policy => String::new(),
            Place::Statement(index) => format!("/{index}"),
            Place::List(index, list) => format!("/{index}/{}", list.as_str()),
            Place::Item(index, list, item) => format!("/{index}/{}/{item}", list.as_str()),
        }
    }
}

/// A place in a policy; the numbers are those of the statement and of the item in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Policy,
    Statement(usize),
    List(usize, List),
    Item(usize, List, usize),
}

/// A list of a statement, by its name in the policy language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Resources,
    NotResources,
    Actions,
    NotActions,
}

impl List {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::NotResources => "notResources",
            Self::Actions => "actions",
            Self::NotActions => "notActions",
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    // Quoted as Rust quotes text: the same as plain quotes for any sensible specifier, and no line break gets through.
    #[error("Error parsing resource specifier {0:?}")]
    Specifier(String),
    #[error("Resource specifiers in a single statement must represent the same kind of resource.")]
    MixedKinds,
    #[error("A name or a tag in a resource specifier may refer to one role attribute only.")]
    SeveralAttributes,
    #[error("A statement needs one of {:?} and {:?}, and it must not be empty.", .0.as_str(), .1.as_str())]
    Neither(List, List),
    #[error("A statement can't have both {:?} and {:?}.", .0.as_str(), .1.as_str())]
    Both(List, List),
    #[error("An action must not be empty.")]
    EmptyAction,
    #[error("A policy can have at most {} statements.", PolicyLimits::STATEMENTS)]
    TooManyStatements,
    #[error("A list in a statement can have at most {} items.", PolicyLimits::ITEMS)]
    TooManyItems,
    #[error("A resource specifier can have at most {} bytes.", PolicyLimits::SPECIFIER_BYTES)]
    LongSpecifier,
    #[error("An action can have at most {} bytes.", PolicyLimits::ACTION_BYTES)]
    LongAction,
    #[error(
        "The actions and resources of a policy can have at most {} bytes together.",
        PolicyLimits::TOTAL_BYTES
    )]
    LongPolicy,
}
