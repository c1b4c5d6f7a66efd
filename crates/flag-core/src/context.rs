//! Contexts: who asks.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::bucket::Unit;

/// Who asks. Each member may be absent, and an empty text is absent.
///
/// A context borrows its texts and is cheap to build for one question. Asked many questions, it hashes each member once.
#[derive(Clone, Default, Debug)]
pub struct Context<'a> {
    user: Option<Subject<'a>>,
    group: Option<Subject<'a>>,
    region: Option<Subject<'a>>,
}

impl<'a> Context<'a> {
    /// A context that says nothing: only the global state can answer it.
    #[must_use]
    pub const fn new() -> Self {
        Self { user: None, group: None, region: None }
    }

    /// Names the user, by whom overrides are looked up and rollouts bucketed.
    #[must_use]
    pub fn user(mut self, id: &'a str) -> Self {
        self.user = Subject::named(id);
        self
    }

    /// Names the group.
    #[must_use]
    pub fn group(mut self, id: &'a str) -> Self {
        self.group = Subject::named(id);
        self
    }

    /// Names the region.
    #[must_use]
    pub fn region(mut self, id: &'a str) -> Self {
        self.region = Subject::named(id);
        self
    }

    pub(crate) fn user_subject(&self) -> Option<&Subject<'a>> {
        self.user.as_ref()
    }

    pub(crate) fn group_subject(&self) -> Option<&Subject<'a>> {
        self.group.as_ref()
    }

    pub(crate) fn region_subject(&self) -> Option<&Subject<'a>> {
        self.region.as_ref()
    }
}

/// A member of a context and, once somebody asked for it, its hash.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) id: &'a str,
    /// 0 until the hash is known. An atomic, not a cell, so that a context can be shared; threads can only race to write
    /// the same number.
    unit: AtomicU64,
}

impl<'a> Subject<'a> {
    fn named(id: &'a str) -> Option<Self> {
        (!id.is_empty()).then(|| Self { id, unit: AtomicU64::new(0) })
    }

    pub(crate) fn unit(&self) -> Unit {
        match self.unit.load(Ordering::Relaxed) {
            0 => {
                let unit = Unit::of(self.id);
                self.unit.store(unit.0, Ordering::Relaxed);
                unit
            }
            known => Unit(known),
        }
    }
}

impl Clone for Subject<'_> {
    fn clone(&self) -> Self {
        Self { id: self.id, unit: AtomicU64::new(self.unit.load(Ordering::Relaxed)) }
    }
}
