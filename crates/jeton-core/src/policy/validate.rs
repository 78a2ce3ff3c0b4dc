//! Reading the statements of a policy, and refusing those that aren't in order (section 4.2).
//!
//! Sizes are looked at before contents, so that a policy that is far too large costs no more than measuring it.

use super::error::{Fault, List, Place, PolicyError};
use super::limits::PolicyLimits;
use super::pattern::Unreadable;
use super::reach::Reach;
use super::specifier::Specifier;
use super::statement::Statement;

/// The resource parts of all statements, in their order, or the first thing that is wrong with any of them.
pub(super) fn reaches(statements: &[Statement]) -> Result<Vec<Reach>, PolicyError> {
    check_size(statements).map_err(|fault| PolicyError::new(Place::Policy, fault))?;
    statements.iter().enumerate().map(|(index, statement)| reach(index, statement)).collect()
}

fn check_size(statements: &[Statement]) -> Result<(), Fault> {
    if statements.len() > PolicyLimits::STATEMENTS {
        return Err(Fault::TooManyStatements);
    }
    if weight(statements) > PolicyLimits::TOTAL_BYTES { Err(Fault::LongPolicy) } else { Ok(()) }
}

/// All texts together, each counted with what it costs to keep a text at all: a thousand empty ones are not free.
pub(super) fn weight(statements: &[Statement]) -> usize {
    let cost = |list: &[String]| list.iter().map(|text| text.len() + PolicyLimits::ITEM_BYTES).sum::<usize>();
    let lists = |it: &Statement| {
        cost(&it.resources) + cost(&it.not_resources) + cost(&it.actions) + cost(&it.not_actions)
    };
    statements.iter().map(lists).sum()
}

fn reach(index: usize, statement: &Statement) -> Result<Reach, PolicyError> {
    let actions = (List::Actions, statement.actions.as_slice());
    let not_actions = (List::NotActions, statement.not_actions.as_slice());
    let (list, items) = one_of(index, actions, not_actions)?;
    for (item, action) in items.iter().enumerate() {
        check_action(action).map_err(|fault| PolicyError::new(Place::Item(index, list, item), fault))?;
    }

    let resources = (List::Resources, statement.resources.as_slice());
    let not_resources = (List::NotResources, statement.not_resources.as_slice());
    let (list, items) = one_of(index, resources, not_resources)?;
    let specifiers = specifiers(index, list, items)?;
    Ok(if list == List::Resources { Reach::Listed(specifiers) } else { Reach::Excluded(specifiers) })
}

type Items<'a> = (List, &'a [String]);

/// The one list of a pair that was given.
fn one_of<'a>(index: usize, positive: Items<'a>, negative: Items<'a>) -> Result<Items<'a>, PolicyError> {
    let refuse = |fault| Err(PolicyError::new(Place::Statement(index), fault));
    let (list, items) = match (positive.1, negative.1) {
        ([], []) => return refuse(Fault::Neither(positive.0, negative.0)),
        (_, []) => positive,
        ([], _) => negative,
        _ => return refuse(Fault::Both(positive.0, negative.0)),
    };
    if items.len() > PolicyLimits::ITEMS {
        return Err(PolicyError::new(Place::List(index, list), Fault::TooManyItems));
    }
    Ok((list, items))
}

/// Any text is an action: stored policies outlive the actions that they name.
fn check_action(action: &str) -> Result<(), Fault> {
    match action.len() {
        0 => Err(Fault::EmptyAction),
        length if length > PolicyLimits::ACTION_BYTES => Err(Fault::LongAction),
        _ => Ok(()),
    }
}

fn specifiers(index: usize, list: List, items: &[String]) -> Result<Box<[Specifier]>, PolicyError> {
    let mut specifiers: Vec<Specifier> = Vec::with_capacity(items.len());
    for (item, text) in items.iter().enumerate() {
        let refuse = |fault| PolicyError::new(Place::Item(index, list, item), fault);
        let specifier = specifier(text).map_err(refuse)?;
        // A bare `*` has a kind of its own, "every kind", and so stands alone.
        if specifiers.first().is_some_and(|first| first.kind() != specifier.kind()) {
            return Err(refuse(Fault::MixedKinds));
        }
        specifiers.push(specifier);
    }
    Ok(specifiers.into())
}

fn specifier(text: &str) -> Result<Specifier, Fault> {
    if text.len() > PolicyLimits::SPECIFIER_BYTES {
        return Err(Fault::LongSpecifier);
    }
    Specifier::parse(text).map_err(|reason| match reason {
        Unreadable::Syntax => Fault::Specifier(text.to_owned()),
        Unreadable::SeveralAttributes => Fault::SeveralAttributes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Effect, Policy};

    fn good() -> Statement {
        Statement {
            effect: Effect::Allow,
            resources: vec!["proj/*".to_owned()],
            not_resources: Vec::new(),
            actions: vec!["*".to_owned()],
            not_actions: Vec::new(),
        }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    /// Refuses a policy whose second statement is `good()` with one change.
    fn refuse(change: impl FnOnce(&mut Statement)) -> (String, String) {
        let mut changed = good();
        change(&mut changed);
        let error = Policy::new(vec![good(), changed]).unwrap_err();
        (error.pointer(), error.to_string())
    }

    fn is(refusal: &(String, String), pointer: &str, message: &str) {
        assert_eq!((refusal.0.as_str(), refusal.1.as_str()), (pointer, message));
    }

    #[test]
    fn a_refusal_says_what_and_where() {
        is(
            &refuse(|it| it.resources = texts(&["proj/a", "proj/a:*"])),
            "/1/resources/1",
            "Error parsing resource specifier \"proj/a:*\"",
        );
        is(
            &refuse(|it| it.resources.push("proj/*:env/*".to_owned())),
            "/1/resources/1",
            "Resource specifiers in a single statement must represent the same kind of resource.",
        );
        is(
            &refuse(|it| it.resources.push("*".to_owned())),
            "/1/resources/1",
            "Resource specifiers in a single statement must represent the same kind of resource.",
        );
        is(
            &refuse(|it| it.resources = texts(&["proj/${roleAttribute/a}${roleAttribute/b}"])),
            "/1/resources/0",
            "A name or a tag in a resource specifier may refer to one role attribute only.",
        );
        is(&refuse(|it| it.actions.push(String::new())), "/1/actions/1", "An action must not be empty.");
    }

    #[test]
    fn of_each_pair_exactly_one_list_is_needed() {
        is(
            &refuse(|it| it.resources.clear()),
            "/1",
            "A statement needs one of \"resources\" and \"notResources\", and it must not be empty.",
        );
        is(
            &refuse(|it| it.not_actions = texts(&["a"])),
            "/1",
            "A statement can't have both \"actions\" and \"notActions\".",
        );
    }

    #[test]
    fn a_line_break_does_not_get_into_a_message() {
        is(
            &refuse(|it| it.resources = texts(&["proj/a\nb"])),
            "/1/resources/0",
            "Error parsing resource specifier \"proj/a\\nb\"",
        );
    }

    #[test]
    fn a_list_and_its_items_are_limited() {
        is(
            &refuse(|it| (it.actions, it.not_actions) = (Vec::new(), texts(&["a"; 257]))),
            "/1/notActions",
            "A list in a statement can have at most 256 items.",
        );
        is(
            &refuse(|it| it.actions = vec!["a".repeat(257)]),
            "/1/actions/0",
            "An action can have at most 256 bytes.",
        );
        is(
            &refuse(|it| it.resources = vec!["a".repeat(1025)]),
            "/1/resources/0",
            "A resource specifier can have at most 1024 bytes.",
        );
    }

    #[test]
    fn a_policy_is_limited() {
        let many = Policy::new(vec![good(); 257]).unwrap_err();
        is(&(many.pointer(), many.to_string()), "", "A policy can have at most 256 statements.");
        assert!(Policy::new(vec![good(); 256]).is_ok());

        let mut long = good();
        long.actions = vec!["a".repeat(256); 256];
        let long = Policy::new(vec![long]).unwrap_err();
        let message = "The actions and resources of a policy can have at most 65536 bytes together.";
        is(&(long.pointer(), long.to_string()), "", message);
    }
}
