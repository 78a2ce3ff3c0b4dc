//! Rights, kept once: a million tokens with the same rights share one record, and a token names it by a small number.
//!
//! Names belong to a table, as slots do, and a table never uses one again: a reader that holds one from before a change
//! finds nothing under it, and looks at the token again. When a table is built anew so are the names, without the gaps.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jeton_core::caller::Rights;
use jeton_core::policy::Policy;
use jeton_core::token::Scope;

use crate::slab::Slab;

/// As many names as there can be: 31 bits, and one is [`Name::number`] of no rights.
pub(crate) const MOST_NAMES: u32 = (1 << 31) - 1;

/// The name of some rights, in one table. The lowest bit tells whether the token acts for a person, so that an owner is
/// asked for without looking at the rights.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Name(u32);

impl Name {
    fn new(number: u32, rights: &Rights) -> Self {
        Self(number << 1 | u32::from(rights.kind.is_of_a_person()))
    }

    /// What rights are called for which no name is left: it stands for none. Who has it is refused, and nobody else.
    const fn none(self) -> Self {
        Self(MOST_NAMES << 1 | self.0 & 1)
    }

    const fn number(self) -> u32 {
        self.0 >> 1
    }

    pub(crate) const fn stands_for_none(self) -> bool {
        self.number() == MOST_NAMES
    }

    pub(crate) const fn is_of_a_person(self) -> bool {
        self.0 & 1 == 1
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

/// The names of a table, for its readers.
pub(crate) struct Names {
    rights: Slab<ArcSwapOption<Rights>>,
}

impl Names {
    /// This many names, or as many as there can be.
    pub(crate) fn with_limit(limit: u32) -> Self {
        Self { rights: Slab::with_limit(limit.min(MOST_NAMES)) }
    }

    /// Whether this many names are left.
    pub(crate) fn has_room_for(&self, more: usize) -> bool {
        more <= (self.rights.limit() - self.rights.length()) as usize
    }

    /// The rights of this name, unless nobody has them any more.
    pub(crate) fn get(&self, name: Name) -> Option<arc_swap::Guard<Option<Arc<Rights>>>> {
        self.rights.get(name.number()).map(ArcSwapOption::load).filter(|rights| rights.is_some())
    }

    fn give(&self, rights: &Arc<Rights>) -> Name {
        let number = self.rights.push(ArcSwapOption::from(Some(Arc::clone(rights))));
        number.map_or_else(|| Name::new(0, rights).none(), |number| Name::new(number, rights))
    }

    fn forget(&self, name: Name) {
        if let Some(rights) = self.rights.get(name.number()) {
            rights.store(None);
        }
    }
}

/// Every distinct rights, counted by the tokens that have them. Only the writer looks here.
#[derive(Default)]
pub(crate) struct Book {
    counted: HashMap<Arc<Rights>, (Name, u64)>,
    /// Every distinct policy, counted by the rights that hold it: many tokens that differ in their scope share the
    /// ceiling of their maker.
    policies: HashMap<Policy, u64>,
}

impl Book {
    /// How many distinct rights are kept.
    pub(crate) fn len(&self) -> usize {
        self.counted.len()
    }

    /// Counts one more token with these rights, and names them.
    pub(crate) fn acquire(&mut self, rights: &Rights, names: &Names) -> Name {
        if let Some((name, count)) = self.counted.get_mut(rights) {
            *count += 1;
            return *name;
        }
        let rights = Arc::new(self.share(rights));
        let name = names.give(&rights);
        self.counted.insert(rights, (name, 1));
        name
    }

    /// Counts one token less. Rights that nobody has are forgotten.
    pub(crate) fn release(&mut self, rights: &Rights, names: &Names) {
        let Some((name, count)) = self.counted.get_mut(rights) else { return };
        *count -= 1;
        if *count == 0 {
            names.forget(*name);
            self.counted.remove(rights);
            self.forget(rights);
        }
    }

    /// Gives every rights a name in another table, and tells which by the one before.
    pub(crate) fn rename(&mut self, names: &Names) -> impl Fn(Name) -> Name + use<> {
        let mut renamed = HashMap::new();
        for (rights, (name, _)) in &mut self.counted {
            let before = std::mem::replace(name, names.give(rights));
            // There may be many without a name, and none of them is given that of another.
            if !before.stands_for_none() {
                renamed.insert(before, *name);
            }
        }
        move |name| renamed.get(&name).copied().unwrap_or(name.none())
    }

    /// The same rights, with each policy taken from the ones that are kept already.
    fn share(&mut self, rights: &Rights) -> Rights {
        let mut kept = |policy: &Policy| {
            let known = self.policies.get_key_value(policy).map(|(known, _)| known.clone());
            let shared = known.unwrap_or_else(|| policy.clone());
            *self.policies.entry(shared.clone()).or_insert(0) += 1;
            shared
        };
        let scope = match &rights.scope {
            Scope::Inline(policy) => Scope::Inline(kept(policy)),
            other => other.clone(),
        };
        Rights { scope, ceiling: rights.ceiling.map_policies(kept), ..*rights }
    }

    fn forget(&mut self, rights: &Rights) {
        let mut drop_one = |policy: &Policy| {
            if let Some(count) = self.policies.get_mut(policy) {
                *count -= 1;
                if *count == 0 {
                    self.policies.remove(policy);
                }
            }
            policy.clone()
        };
        if let Scope::Inline(policy) = &rights.scope {
            drop_one(policy);
        }
        let _ = rights.ceiling.map_policies(drop_one);
    }
}
