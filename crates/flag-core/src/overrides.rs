//! Overrides: subjects pinned to variants, a table for each level.
//!
//! A table may hold a million ids, is asked at every evaluation, and changes one id at a time while older snapshots go on
//! being read. So it is a trie of small leaves, each one list of hashes and one run of text.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::bucket::Unit;
use crate::context::Subject;
use crate::names::SubjectId;
use crate::trie::{Leaf, Trie};
use crate::variant::Variant;

/// What kind of subject an override pins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// A user.
    User,
    /// A group of users.
    Group,
    /// A region.
    Region,
}

impl Level {
    /// Every level, the one that wins first.
    pub const ALL: [Self; 3] = [Self::User, Self::Group, Self::Region];

    /// The name that routes, documents and rows use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Region => "region",
        }
    }

    /// The level of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One pinned subject.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Override<'a> {
    /// The subject's id.
    pub subject: &'a str,
    /// What it is pinned to.
    pub variant: Variant,
}

/// Every override of one flag.
#[derive(Clone, Default)]
pub struct Overrides {
    users: Table,
    groups: Table,
    regions: Table,
}

impl Overrides {
    /// What `subject` is pinned to at `level`.
    #[must_use]
    pub fn get(&self, level: Level, subject: &str) -> Option<Variant> {
        self.table(level).get(subject, || Unit::of(subject).0)
    }

    /// How many subjects are pinned at `level`.
    #[must_use]
    pub fn len(&self, level: Level) -> usize {
        self.table(level).len
    }

    /// Whether nobody is pinned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Level::ALL.into_iter().all(|level| self.len(level) == 0)
    }

    /// Pins `subject` to `variant`, and gives what it was pinned to before.
    pub fn set(&mut self, level: Level, subject: &SubjectId, variant: Variant) -> Option<Variant> {
        self.table_mut(level).set(subject.as_str(), variant)
    }

    /// Lets `subject` go, and gives what it was pinned to.
    pub fn remove(&mut self, level: Level, subject: &str) -> Option<Variant> {
        self.table_mut(level).remove(subject)
    }

    /// Every override at `level`, in an order that follows from the ids alone but means nothing to a reader.
    pub fn iter(&self, level: Level) -> impl Iterator<Item = Override<'_>> {
        self.table(level).pins.leaves().flat_map(Pins::iter)
    }

    pub(crate) fn pinned(&self, level: Level, subject: &Subject<'_>) -> Option<Variant> {
        self.table(level).get(subject.id, || subject.unit().0)
    }

    fn table(&self, level: Level) -> &Table {
        match level {
            Level::User => &self.users,
            Level::Group => &self.groups,
            Level::Region => &self.regions,
        }
    }

    fn table_mut(&mut self, level: Level) -> &mut Table {
        match level {
            Level::User => &mut self.users,
            Level::Group => &mut self.groups,
            Level::Region => &mut self.regions,
        }
    }
}

impl PartialEq for Overrides {
    fn eq(&self, other: &Self) -> bool {
        Level::ALL.into_iter().all(|level| {
            self.len(level) == other.len(level)
                && self.iter(level).all(|pin| other.get(level, pin.subject) == Some(pin.variant))
        })
    }
}

impl Eq for Overrides {}

impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Level::ALL.map(|level| (level, self.len(level)))).finish()
    }
}

/// The overrides of one level.
#[derive(Clone, Default)]
struct Table {
    pins: Trie<Pins>,
    len: usize,
}

impl Table {
    fn get(&self, subject: &str, hash: impl FnOnce() -> u64) -> Option<Variant> {
        if self.len == 0 {
            return None;
        }
        let hash = hash();
        let pins = self.pins.leaf(hash)?;
        let place = pins.find(hash, subject).ok()?;
        pins.entries.get(place).map(|pin| pin.variant)
    }

    fn set(&mut self, subject: &str, variant: Variant) -> Option<Variant> {
        let hash = Unit::of(subject).0;
        let before = self.pins.leaf_mut(hash).set(hash, subject, variant);
        self.len += usize::from(before.is_none());
        before
    }

    fn remove(&mut self, subject: &str) -> Option<Variant> {
        let hash = Unit::of(subject).0;
        // Asked first, so that letting go of a stranger copies nothing.
        self.pins.leaf(hash)?.find(hash, subject).ok()?;
        let before = self.pins.leaf_mut(hash).remove(hash, subject);
        self.len -= usize::from(before.is_some());
        before
    }
}

/// A leaf: entries in the order of their fingerprints, and the text of their ids in one run.
#[derive(Clone, Default)]
struct Pins {
    entries: Vec<Pin>,
    ids: String,
}

#[derive(Clone, Copy)]
struct Pin {
    /// The low half of the id's hash.
    fingerprint: u32,
    /// Where the id begins in the leaf's text, in bytes.
    start: u32,
    /// How long it is; ids are at most 512 bytes.
    length: u16,
    variant: Variant,
}

impl Pins {
    /// A leaf of this many entries is searched in one or two cache lines and copied in a few microseconds.
    const MOST_ENTRIES: usize = 256;
    /// Long ids split a leaf earlier, so that a change still copies little.
    const MOST_BYTES: usize = 16 * 1024;

    /// The place of `subject`, or else the place where it would go.
    fn find(&self, hash: u64, subject: &str) -> Result<usize, usize> {
        let fingerprint = fingerprint(hash);
        let mut place = self.first_at_least(fingerprint);
        while let Some(pin) = self.entries.get(place).filter(|pin| pin.fingerprint == fingerprint) {
            if self.id(pin) == subject {
                return Ok(place);
            }
            place += 1;
        }
        Err(place)
    }

    /// The first place whose fingerprint is not below `fingerprint`. Fingerprints are spread evenly, so a guess in
    /// proportion lands within a few entries of it; from there it is a short walk.
    fn first_at_least(&self, fingerprint: u32) -> usize {
        let below = |place: usize| self.entries.get(place).is_some_and(|pin| pin.fingerprint < fingerprint);
        let mut place = ((u64::from(fingerprint) * self.entries.len() as u64) >> 32) as usize;
        while below(place) {
            place += 1;
        }
        while place > 0 && !below(place - 1) {
            place -= 1;
        }
        place
    }

    fn id(&self, pin: &Pin) -> &str {
        let start = pin.start as usize;
        self.ids.get(start..start + usize::from(pin.length)).unwrap_or_default()
    }

    fn set(&mut self, hash: u64, subject: &str, variant: Variant) -> Option<Variant> {
        match self.find(hash, subject) {
            Ok(place) => {
                let pin = self.entries.get_mut(place)?;
                Some(core::mem::replace(&mut pin.variant, variant))
            }
            Err(place) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "SubjectId::LIMIT fits 16 bits, a leaf's text 32"
                )]
                let (start, length) = (self.ids.len() as u32, subject.len() as u16);
                self.ids.push_str(subject);
                self.entries.insert(place, Pin { fingerprint: fingerprint(hash), start, length, variant });
                None
            }
        }
    }

    fn remove(&mut self, hash: u64, subject: &str) -> Option<Variant> {
        let place = self.find(hash, subject).ok()?;
        let gone = self.entries.remove(place);
        let start = gone.start as usize;
        self.ids.replace_range(start..start + usize::from(gone.length), "");
        for pin in &mut self.entries {
            if pin.start > gone.start {
                pin.start -= u32::from(gone.length);
            }
        }
        Some(gone.variant)
    }

    fn iter(&self) -> impl Iterator<Item = Override<'_>> {
        self.entries.iter().map(|pin| Override { subject: self.id(pin), variant: pin.variant })
    }
}

impl Leaf for Pins {
    fn is_full(&self) -> bool {
        self.entries.len() >= Self::MOST_ENTRIES
            || (self.ids.len() >= Self::MOST_BYTES && self.entries.len() > 1)
    }

    fn split(&self, parts: &mut [Self], choose: impl Fn(u64) -> usize) {
        for pin in self.iter() {
            let hash = Unit::of(pin.subject).0;
            if let Some(part) = parts.get_mut(choose(hash)) {
                part.set(hash, pin.subject, pin.variant);
            }
        }
    }
}

fn fingerprint(hash: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is meant")]
    let low = hash as u32;
    low
}
