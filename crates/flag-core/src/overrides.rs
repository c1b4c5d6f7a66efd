//! Overrides: subjects pinned to variants, a table for each level.
//!
//! A table may hold a million ids, is asked at every evaluation, and changes one id at a time while older snapshots go on
//! being read. So it is a trie of small leaves.

use core::fmt;
use core::ops::ControlFlow;

use crate::names::SubjectId;
use crate::pins::Pins;
use crate::table_hash::table_hash;
use crate::trie::Trie;
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
        self.table(level).ask(|| Some((subject, table_hash(subject))))
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
        let pins = self.table(level).pins.leaves().flat_map(Pins::iter);
        pins.map(|(_, subject, variant)| Override { subject, variant })
    }

    /// As [`get`](Self::get), for whoever has the hash of the id.
    pub(crate) fn get_hashed(&self, level: Level, subject: &str, hash: u64) -> Option<Variant> {
        self.table(level).ask(|| Some((subject, hash)))
    }

    /// Shows every leaf of `level` that `other` does not share to `visit`, until that breaks off, with the one in its place
    /// there, if it is one.
    pub(crate) fn visit_leaves_not_in<'a>(
        &'a self,
        other: &Self,
        level: Level,
        visit: &mut impl FnMut(&'a Pins, Option<&Pins>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.table(level).pins.visit_leaves_not_in(&other.table(level).pins, visit)
    }

    /// The tables, the one that wins first.
    #[inline]
    pub(crate) fn tables(&self) -> [&Table; 3] {
        [&self.users, &self.groups, &self.regions]
    }

    #[inline]
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
pub(crate) struct Table {
    pins: Trie<Pins>,
    len: usize,
}

impl Table {
    /// What a subject is pinned to. It is given with its hash, and only if anybody is pinned.
    #[inline]
    pub(crate) fn ask<'a>(&self, subject: impl FnOnce() -> Option<(&'a str, u64)>) -> Option<Variant> {
        if self.len == 0 {
            return None;
        }
        let (subject, hash) = subject()?;
        self.pins.leaf(hash)?.get(hash, subject)
    }

    fn set(&mut self, subject: &str, variant: Variant) -> Option<Variant> {
        let hash = table_hash(subject);
        let before = self.pins.leaf_mut(hash).set(hash, subject, variant);
        self.len += usize::from(before.is_none());
        before
    }

    fn remove(&mut self, subject: &str) -> Option<Variant> {
        let hash = table_hash(subject);
        // Asked first, so that letting go of a stranger copies nothing.
        self.pins.leaf(hash)?.get(hash, subject)?;
        let before = self.pins.leaf_mut(hash).remove(hash, subject);
        self.len -= usize::from(before.is_some());
        before
    }
}
