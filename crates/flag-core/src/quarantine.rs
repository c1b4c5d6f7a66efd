//! What a snapshot lacks: flags that exist where the snapshot comes from, and cannot be read there.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use crate::names::FlagKey;

/// Flags that exist and cannot be read, each with the reason. Nobody is told that they do not exist, nobody can change them
/// or create others in their place, and the flags beside them are not touched by it. A clone shares everything.
#[derive(Clone, Default, Debug)]
pub struct Quarantine {
    flags: Arc<BTreeMap<FlagKey, String>>,
    nameless: usize,
}

impl Quarantine {
    /// Takes in the flag `key`, which cannot be read because of `cause`. Of several causes the first is kept.
    pub fn add(&mut self, key: &FlagKey, cause: &str) {
        if !self.flags.contains_key(key) {
            Arc::make_mut(&mut self.flags).insert(key.clone(), cause.to_owned());
        }
    }

    /// Takes in something that cannot be read and does not even tell which flag it belongs to.
    pub fn add_nameless(&mut self) {
        self.nameless += 1;
    }

    /// Whether everything could be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.nameless == 0
    }

    /// How many flags cannot be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// How many things cannot be read that do not tell which flag they belong to.
    #[must_use]
    pub fn nameless(&self) -> usize {
        self.nameless
    }

    /// Whether the flag of this key cannot be read.
    #[must_use]
    pub fn holds(&self, key: &FlagKey) -> bool {
        self.flags.contains_key(key)
    }

    /// Why the flag of this key cannot be read: for an operator's eyes.
    #[must_use]
    pub fn cause(&self, key: &FlagKey) -> Option<&str> {
        self.flags.get(key).map(String::as_str)
    }

    /// The keys of the flags that cannot be read, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &FlagKey> {
        self.flags.keys()
    }

    pub(crate) fn release(&mut self, key: &FlagKey) {
        Arc::make_mut(&mut self.flags).remove(key);
    }
}

impl PartialEq for Quarantine {
    /// Whether the same is missing, for whatever cause.
    fn eq(&self, other: &Self) -> bool {
        self.nameless == other.nameless && self.flags.keys().eq(other.flags.keys())
    }
}

impl Eq for Quarantine {}
