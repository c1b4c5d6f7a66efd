//! Snapshots: every flag of an environment at one revision, immutable and cheap to derive from one another.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::context::Context;
use crate::evaluate::Evaluation;
use crate::flag::Flag;
use crate::hash::xxh64;
use crate::names::FlagKey;
use crate::trie::{Leaf, Trie};

/// The number of the last change in an environment: 1, 2, 3 … without gaps, in the order of commits; 0 before the first.
pub type Revision = u64;

/// A random id of one history of revisions. A restored backup starts a new one, and revisions of different epochs cannot
/// be compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Epoch(pub u128);

impl fmt::Display for Epoch {
    /// Thirty-two hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Where an environment stands: a revision within a history.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Version {
    /// The history.
    pub epoch: Epoch,
    /// How far it has come.
    pub revision: Revision,
}

impl Version {
    /// Whether this is an earlier moment of the same history.
    #[must_use]
    pub fn precedes(self, other: Self) -> bool {
        self.epoch == other.epoch && self.revision < other.revision
    }
}

/// Every flag of one environment at one revision. A clone shares everything.
#[derive(Clone, Default)]
pub struct Snapshot {
    version: Version,
    flags: Trie<Flags>,
    len: usize,
}

impl Snapshot {
    /// An environment that stands at `version` with `flags`; of two flags with one key the later counts.
    pub fn new(version: Version, flags: impl IntoIterator<Item = Flag>) -> Self {
        let mut snapshot = Self { version, ..Self::default() };
        for flag in flags {
            snapshot.insert(flag);
        }
        snapshot
    }

    /// Where the environment stands.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// How many flags there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no flags.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The flag of this key.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<&Flag> {
        let hash = xxh64(key.as_bytes(), 0);
        let flags = self.flags.leaf(hash)?;
        let place = flags.place(hash, key)?;
        flags.0.get(place).map(|flag| &**flag)
    }

    /// Every flag, in an order that follows from the keys alone but means nothing to a reader.
    pub fn flags(&self) -> impl Iterator<Item = &Flag> {
        self.flags.leaves().flat_map(|flags| &flags.0).map(|flag| &**flag)
    }

    /// What `context` gets of the flag `key`; nothing if there is no such flag.
    #[must_use]
    pub fn evaluate(&self, key: &str, context: &Context<'_>) -> Option<Evaluation> {
        self.flag(key).map(|flag| flag.evaluate(context))
    }

    pub(crate) fn advance(&mut self, revision: Revision) {
        self.version.revision = revision;
    }

    pub(crate) fn insert(&mut self, flag: Flag) {
        let hash = flag.key.hash();
        let flags = self.flags.leaf_mut(hash);
        let place = flags.place(hash, flag.key.as_str());
        match place.and_then(|place| flags.0.get_mut(place)) {
            Some(old) => *old = Arc::new(flag),
            None => {
                flags.0.push(Arc::new(flag));
                // Snapshots that were built in different orders list their flags in the same one.
                flags.0.sort_by(|a, b| a.key.hash().cmp(&b.key.hash()).then_with(|| a.key.cmp(&b.key)));
                self.len += 1;
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &FlagKey) {
        let flags = self.flags.leaf_mut(key.hash());
        if let Some(place) = flags.place(key.hash(), key.as_str()) {
            flags.0.remove(place);
            self.len -= 1;
        }
    }
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
            && self.len == other.len
            && self.flags().all(|flag| other.flag(flag.key.as_str()) == Some(flag))
    }
}

impl Eq for Snapshot {}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("version", &self.version).field("flags", &self.len).finish()
    }
}

/// A leaf of flags, few enough to be searched one by one.
#[derive(Clone, Default)]
struct Flags(Vec<Arc<Flag>>);

impl Flags {
    fn place(&self, hash: u64, key: &str) -> Option<usize> {
        self.0.iter().position(|flag| flag.key.hash() == hash && flag.key.as_str() == key)
    }
}

impl Leaf for Flags {
    fn is_full(&self) -> bool {
        self.0.len() >= 8
    }

    fn split(&self, parts: &mut [Self], choose: impl Fn(u64) -> usize) {
        for flag in &self.0 {
            if let Some(part) = parts.get_mut(choose(flag.key.hash())) {
                part.0.push(Arc::clone(flag));
            }
        }
    }
}
