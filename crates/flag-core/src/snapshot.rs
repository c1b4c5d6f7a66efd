//! Snapshots: every flag of an environment at one revision, immutable and cheap to derive from one another.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::ControlFlow;

use crate::context::Context;
use crate::evaluate::{Evaluation, Plan};
use crate::flag::Flag;
use crate::names::FlagKey;
use crate::quarantine::Quarantine;
use crate::short_key::ShortKey;
use crate::slots::{Line, Sight, Slots};
use crate::table_hash::{short_table_hash, table_hash};
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
    /// Absent where nothing is missing, which is nearly always.
    quarantine: Option<Quarantine>,
}

impl Snapshot {
    /// An environment that stands at `version` with `flags`; of two flags with one key the later counts.
    pub fn new(version: Version, flags: impl IntoIterator<Item = Flag>) -> Self {
        let mut entries: Vec<(u64, Entry)> =
            flags.into_iter().map(|flag| (flag.key.hash(), Entry::of(flag))).collect();
        entries.sort_by(|(one, a), (other, b)| one.cmp(other).then_with(|| a.flag.key.cmp(&b.flag.key)));
        entries.dedup_by(|(_, later), (_, earlier)| {
            let is_same = later.flag.key == earlier.flag.key;
            if is_same {
                core::mem::swap(later, earlier);
            }
            is_same
        });
        let len = entries.len();
        Self { version, flags: Trie::of(Flags(Slots::of(entries))), len, quarantine: None }
    }

    /// The same without the flags that cannot be read. A flag of such a key is taken out.
    #[must_use]
    pub fn without(mut self, quarantine: Quarantine) -> Self {
        for key in quarantine.keys() {
            self.remove(key);
        }
        self.quarantine = (!quarantine.is_empty()).then_some(quarantine);
        self
    }

    /// What is missing; nothing if the snapshot is whole.
    #[must_use]
    pub fn quarantine(&self) -> Option<&Quarantine> {
        self.quarantine.as_ref()
    }

    /// Whether the flag of this key exists and cannot be read.
    #[must_use]
    pub fn is_quarantined(&self, key: &FlagKey) -> bool {
        self.quarantine().is_some_and(|quarantine| quarantine.holds(key))
    }

    /// The same with what is missing here as `other` has it, a snapshot of the same version: as it is, gone, or missing there
    /// too. What is here stays as it is here, also if it is missing there. Of another version nothing is taken.
    #[must_use]
    pub fn mended_by(&self, other: &Self) -> Self {
        let mut mended = self.clone();
        let Some(missing) = self.quarantine().filter(|_| self.version == other.version) else {
            return mended;
        };
        let mut still = Quarantine::default();
        for key in missing.keys() {
            if let Some(flag) = other.flag(key.as_str()) {
                mended.insert(flag.clone());
            } else if let Some(cause) = other.quarantine().and_then(|there| there.cause(key)) {
                still.add(key, cause);
            }
        }
        let nameless = other.quarantine().map_or(0, Quarantine::nameless);
        (0..nameless).for_each(|_| still.add_nameless());
        mended.without(still)
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
    #[inline]
    pub fn flag(&self, key: &str) -> Option<&Flag> {
        self.entry(key).map(|entry| &*entry.flag)
    }

    /// Every flag, in an order that means nothing to a reader.
    pub fn flags(&self) -> impl Iterator<Item = &Flag> {
        self.entries().map(|entry| &*entry.flag)
    }

    /// What `context` gets of the flag `key`; nothing if there is no such flag. Allocates nothing.
    #[must_use]
    pub fn evaluate(&self, key: &str, context: &Context<'_>) -> Option<Evaluation> {
        // Without calls in its way, the common case keeps nothing for after them.
        if let Some(hash) = short_table_hash(key)
            && let Some(flags) = self.flags.leaf(hash)
        {
            match flags.0.first_sight(hash, |entry| entry.key.is_shortly(key.as_bytes())) {
                Sight::Found(entry) => {
                    return Some(entry.plan.plain().unwrap_or_else(|| entry.evaluate(context)));
                }
                Sight::Absent => return None,
                Sight::Unclear => {}
            }
        }
        self.entry(key).map(|entry| entry.evaluate(context))
    }

    /// What `context` gets of every flag, in the order of [`flags`](Self::flags). Allocates nothing, hashes each member of the
    /// context once, and reads a flag itself only where somebody is pinned.
    pub fn evaluate_all(&self, context: &Context<'_>) -> impl Iterator<Item = (&Flag, Evaluation)> {
        self.entries().map(|entry| (&*entry.flag, entry.plan.evaluate(&entry.flag.overrides, context)))
    }

    /// Shows every flag that is not the same object in `other` to `visit`, until that breaks off, with what is there in its
    /// place.
    pub(crate) fn visit_flags_not_in<'a>(
        &'a self,
        other: &Self,
        visit: &mut impl FnMut(&'a Arc<Flag>, Option<&Arc<Flag>>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.flags.visit_leaves_not_in(&other.flags, &mut |flags: &'a Flags, there| {
            flags.0.iter().try_for_each(|(hash, entry)| {
                let there = there.or_else(|| other.flags.leaf(hash));
                let before = there.and_then(|flags| flags.entry(hash, entry.flag.key.as_str()));
                let before = before.map(|entry| &entry.flag);
                let is_shared = before.is_some_and(|before| Arc::ptr_eq(before, &entry.flag));
                if is_shared { ControlFlow::Continue(()) } else { visit(&entry.flag, before) }
            })
        })
    }

    /// Whether there are fewer than `few` leaves of flags that `other` does not share. Looks at no more of them.
    pub(crate) fn has_fewer_leaves_not_in(&self, other: &Self, few: usize) -> bool {
        let mut seen = 0;
        let all = self.flags.visit_leaves_not_in(&other.flags, &mut |_, _| {
            seen += 1;
            if seen < few { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        all.is_continue()
    }

    #[inline(never)]
    fn entry(&self, key: &str) -> Option<&Entry> {
        let hash = table_hash(key);
        self.flags.leaf(hash)?.entry(hash, key)
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.flags.leaves().flat_map(|flags| flags.0.iter()).map(|(_, entry)| entry)
    }

    pub(crate) fn advance(&mut self, revision: Revision) {
        self.version.revision = revision;
    }

    pub(crate) fn insert(&mut self, flag: Flag) {
        let (hash, entry) = (flag.key.hash(), Entry::of(flag));
        let slots = &mut self.flags.leaf_mut(hash).0;
        match slots.get_mut(hash, |old| old.is(entry.flag.key.as_str())) {
            Some(old) => *old = entry,
            None => {
                slots.insert(hash, entry);
                self.len += 1;
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &FlagKey) {
        let slots = &mut self.flags.leaf_mut(key.hash()).0;
        self.len -= usize::from(slots.remove(key.hash(), |entry| entry.is(key.as_str())).is_some());
    }

    /// Lets a key out of the quarantine.
    pub(crate) fn release(&mut self, key: &FlagKey) {
        if let Some(quarantine) = self.quarantine.as_mut().filter(|quarantine| quarantine.holds(key)) {
            quarantine.release(key);
            self.quarantine = self.quarantine.take().filter(|quarantine| !quarantine.is_empty());
        }
    }
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
            && self.len == other.len
            && self.quarantine == other.quarantine
            && self.flags().all(|flag| other.flag(flag.key.as_str()) == Some(flag))
    }
}

impl Eq for Snapshot {}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("version", &self.version).field("flags", &self.len).finish()
    }
}

/// A flag, and beside it what most evaluations need of it, so that they need not go there. Together with its hash it fills a
/// cache line.
#[derive(Clone)]
struct Entry {
    plan: Plan,
    key: ShortKey,
    flag: Arc<Flag>,
}

impl Entry {
    fn of(flag: Flag) -> Self {
        Self { plan: Plan::of(&flag), key: ShortKey::of(flag.key.as_str()), flag: Arc::new(flag) }
    }

    /// Whether this is the flag of this key.
    fn is(&self, key: &str) -> bool {
        self.key.is(key).unwrap_or_else(|| self.flag.key.as_str() == key)
    }

    #[inline(never)]
    fn evaluate(&self, context: &Context<'_>) -> Evaluation {
        self.plan.evaluate(&self.flag.overrides, context)
    }
}

/// A leaf of flags, few enough to be copied in a few microseconds.
#[derive(Clone, Default)]
struct Flags(Slots<Entry, Line>);

impl Flags {
    /// The flag of `key`, of which this is the hash.
    #[inline]
    fn entry(&self, hash: u64, key: &str) -> Option<&Entry> {
        let is_shortly = |entry: &Entry| entry.key.is_shortly(key.as_bytes());
        self.0.get(hash, is_shortly, |entry| entry.is(key))
    }
}

impl Leaf for Flags {
    const ROOT_BITS: u32 = 4;

    fn is_full(&self) -> bool {
        self.0.len() >= 128
    }

    fn split(&self, count: usize, choose: impl Fn(u64) -> usize) -> Vec<Self> {
        let mut parts = vec![Vec::new(); count];
        for (hash, entry) in self.0.iter() {
            if let Some(part) = parts.get_mut(choose(hash)) {
                part.push((hash, entry.clone()));
            }
        }
        parts.into_iter().map(|entries| Self(Slots::of(entries))).collect()
    }

    fn shares(&self, other: &Self) -> bool {
        self.0.shares(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;
    use crate::change::{self, Change};
    use crate::slots::Place;
    use crate::variant::Variant;

    #[test]
    fn a_leaf_of_flags_is_split_when_it_is_full_and_not_before() {
        let mut snapshot = Snapshot::default();
        for number in 0..128 {
            assert_eq!(snapshot.flags.leaves().count(), 1, "{number}");
            let key = format!("flag-{number}").parse().unwrap();
            let created = Change::flag_created(key, Variant::ON);
            snapshot = snapshot.with(&change::Entry::next(&snapshot, created)).unwrap();
        }
        assert_eq!(snapshot.flags.leaves().count(), 1);
        let created = Change::flag_created("one-more".parse().unwrap(), Variant::ON);
        snapshot = snapshot.with(&change::Entry::next(&snapshot, created)).unwrap();
        assert_eq!((snapshot.len(), snapshot.flags.leaves().count()), (129, 16));
    }

    #[test]
    fn of_two_flags_with_one_key_the_later_counts() {
        let mut one_by_one = Snapshot::default();
        for number in 0..300 {
            let created = Change::flag_created(format!("flag-{number}").parse().unwrap(), Variant::ON);
            one_by_one = one_by_one.with(&change::Entry::next(&one_by_one, created)).unwrap();
        }
        let earlier = one_by_one.flags().map(|flag| Flag { global: Variant::OFF, ..flag.clone() });
        let at_once = Snapshot::new(one_by_one.version(), earlier.chain(one_by_one.flags().cloned()));
        assert_eq!((at_once.len(), &at_once), (300, &one_by_one));
        assert_eq!(at_once.flags().count(), 300);
    }

    #[test]
    fn a_flag_fills_a_cache_line_of_its_leaf() {
        assert_eq!(size_of::<Place<Entry, Line>>(), 64);
        assert_eq!(align_of::<Place<Entry, Line>>(), 64);
    }

    #[test]
    fn a_flag_is_found_by_its_key_however_long_that_is() {
        let keys: Vec<String> = (1..=FlagKey::LIMIT).map(|length| "k".repeat(length)).collect();
        let mut snapshot = Snapshot::default();
        for key in &keys {
            let created = Change::flag_created(key.parse().unwrap(), Variant::ON);
            snapshot = snapshot.with(&change::Entry::next(&snapshot, created)).unwrap();
        }
        for key in &keys {
            assert_eq!(snapshot.flag(key).unwrap().key.as_str(), key);
            assert!(snapshot.evaluate(key, &Context::new()).is_some_and(Evaluation::enabled));
            // One that differs in its last letter alone, also if their hashes were the same.
            let other = format!("{}x", &key[1..]);
            assert!(snapshot.flag(&other).is_none() && snapshot.evaluate(&other, &Context::new()).is_none());
            let entry = Entry::of(snapshot.flag(key).unwrap().clone());
            assert!(entry.is(key) && !entry.is(&other));
        }
    }

    #[test]
    fn of_two_snapshots_only_the_leaf_of_a_flag_that_changed_is_looked_at() {
        let mut before = Snapshot::default();
        for number in 0..300 {
            let created = Change::flag_created(format!("flag-{number}").parse().unwrap(), Variant::ON);
            before = before.with(&change::Entry::next(&before, created)).unwrap();
        }
        let looked_at = |after: &Snapshot| {
            let mut leaves = 0;
            let _ = after.flags.visit_leaves_not_in(&before.flags, &mut |_, _| {
                leaves += 1;
                ControlFlow::Continue(())
            });
            leaves
        };
        let deleted = Change::FlagDeleted { key: "flag-7".parse().unwrap() };
        let after = before.with(&change::Entry::next(&before, deleted)).unwrap();
        assert_eq!((looked_at(&before.clone()), looked_at(&after)), (0, 1));
        // Of a single leaf, too.
        let one = Snapshot::default();
        let created = Change::flag_created("f".parse().unwrap(), Variant::ON);
        let one = one.with(&change::Entry::next(&one, created)).unwrap();
        assert!(
            one.flags
                .visit_leaves_not_in(&one.clone().flags, &mut |_, _| ControlFlow::Break(()))
                .is_continue()
        );
    }
}
