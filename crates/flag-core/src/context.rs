//! Contexts: who asks.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::bucket::Unit;
use crate::table_hash::table_hash;

/// Who asks. Each member may be absent, and an empty text is absent.
///
/// A context borrows its texts and is cheap to build for one question. Asked many questions, it hashes the user once. Texts
/// may have any length; one that no override can have, because it is longer than 512 bytes, is pinned nowhere.
#[derive(Clone, Default, Debug)]
pub struct Context<'a> {
    // A cache line in all: a service may hold many contexts.
    user: &'a str,
    user_unit: Known,
    user_table_hash: Known,
    group: &'a str,
    region: &'a str,
}

impl<'a> Context<'a> {
    /// A context that says nothing: only the global state can answer it.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self {
            user: "",
            user_unit: Known::nothing(),
            user_table_hash: Known::nothing(),
            group: "",
            region: "",
        }
    }

    /// Names the user, by whom overrides are looked up and rollouts bucketed.
    #[must_use]
    #[inline]
    pub fn user(self, id: &'a str) -> Self {
        Self { user: id, user_unit: Known::nothing(), user_table_hash: Known::nothing(), ..self }
    }

    /// Names the group.
    #[must_use]
    #[inline]
    pub fn group(self, id: &'a str) -> Self {
        Self { group: id, ..self }
    }

    /// Names the region.
    #[must_use]
    #[inline]
    pub fn region(self, id: &'a str) -> Self {
        Self { region: id, ..self }
    }

    /// The hash by which the user is bucketed; nothing without a user.
    #[inline]
    pub(crate) fn unit(&self) -> Option<Unit> {
        let user = present(self.user)?;
        Some(Unit(self.user_unit.or_else(|| Unit::of(user).0)))
    }

    /// The user, and the hash by which tables are searched for it.
    #[inline]
    pub(crate) fn user_subject(&self) -> Option<(&'a str, u64)> {
        let user = present(self.user)?;
        Some((user, self.user_table_hash.or_else(|| table_hash(user))))
    }

    /// As [`user_subject`](Self::user_subject).
    #[inline]
    pub(crate) fn group_subject(&self) -> Option<(&'a str, u64)> {
        present(self.group).map(|group| (group, table_hash(group)))
    }

    /// As [`user_subject`](Self::user_subject).
    #[inline]
    pub(crate) fn region_subject(&self) -> Option<(&'a str, u64)> {
        present(self.region).map(|region| (region, table_hash(region)))
    }
}

#[inline]
fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A hash that is computed when it is first asked for; 0 until then. An atomic, not a cell, so that a context can be shared:
/// threads can only race to write the same number.
#[derive(Default, Debug)]
struct Known(AtomicU64);

impl Known {
    #[inline]
    const fn nothing() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline]
    fn or_else(&self, compute: impl FnOnce() -> u64) -> u64 {
        match self.0.load(Ordering::Relaxed) {
            0 => {
                let number = compute();
                self.0.store(number, Ordering::Relaxed);
                number
            }
            known => known,
        }
    }
}

impl Clone for Known {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}
