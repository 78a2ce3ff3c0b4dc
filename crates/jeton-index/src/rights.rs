//! Rights, kept once: a million tokens with the same rights share one entry, and a token names it by a small number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jeton_core::caller::Rights;
use jeton_core::policy::Policy;
use jeton_core::token::{Scope, TokenKind};

/// The name of an entry. The two lowest bits tell the kind of the token, so that verification need not look the
/// entry up. A name is never used again: a reader that holds one from before a change finds nothing under it, and
/// looks at the token again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Handle(u64);

impl Handle {
    /// What kind of token has the rights of this name.
    pub(crate) const fn kind(self) -> TokenKind {
        match self.0 & 3 {
            0 => TokenKind::Personal,
            1 => TokenKind::Service,
            _ => TokenKind::Login,
        }
    }

    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// Every distinct rights, counted by the tokens that have them.
#[derive(Default)]
pub struct RightsBook {
    by_handle: papaya::HashMap<u64, Arc<Rights>, foldhash::fast::RandomState>,
    /// Only the writer looks here.
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    handles: HashMap<Arc<Rights>, (Handle, u64)>,
    /// Every distinct policy, counted by the rights that hold it: many tokens that differ in their scope share the
    /// ceiling of their maker.
    policies: HashMap<Policy, u64>,
    next: u64,
}

impl RightsBook {
    /// The rights of this name, unless nobody has them any more.
    pub fn get(&self, handle: Handle) -> Option<Arc<Rights>> {
        self.by_handle.pin().get(&handle.0).cloned()
    }

    /// How many distinct rights are kept.
    pub(crate) fn len(&self) -> usize {
        self.by_handle.len()
    }

    /// Counts one more token with these rights, and names them.
    pub(crate) fn acquire(&self, rights: &Rights) -> Handle {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((handle, count)) = counted.handles.get_mut(rights) {
            *count += 1;
            return *handle;
        }
        let handle = counted.name(rights.kind);
        let rights = Arc::new(counted.share(rights));
        self.by_handle.pin().insert(handle.0, Arc::clone(&rights));
        counted.handles.insert(rights, (handle, 1));
        handle
    }

    /// Counts one token less that has the rights of this name.
    pub(crate) fn release_named(&self, handle: Handle) {
        if let Some(rights) = self.get(handle) {
            self.release(&rights);
        }
    }

    /// Counts one token less. Rights that nobody has are forgotten.
    pub(crate) fn release(&self, rights: &Rights) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((handle, count)) = counted.handles.get_mut(rights) else { return };
        *count -= 1;
        if *count == 0 {
            let handle = *handle;
            counted.handles.remove(rights);
            counted.forget(rights);
            self.by_handle.pin().remove(&handle.0);
        }
    }
}

impl Counted {
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

    fn name(&mut self, kind: TokenKind) -> Handle {
        let bits = match kind {
            TokenKind::Personal => 0,
            TokenKind::Service => 1,
            TokenKind::Login => 2,
        };
        let handle = Handle(self.next << 2 | bits);
        self.next += 1;
        handle
    }
}
