//! The cell that holds the live snapshot of one environment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use flag_core::{Snapshot, Version};
use tokio::sync::watch;
use tokio::time::Instant;

/// The live snapshot. Readers take a reference under a lock that is held for one reference count; building and freeing
/// snapshots happens outside it.
pub(crate) struct SnapshotCell {
    current: RwLock<Option<Arc<Snapshot>>>,
    generation: Generation,
    versions: watch::Sender<Option<Version>>,
    /// When the live one became live. Beside it, so that readers need not pass it on their way.
    since: Mutex<Option<Instant>>,
}

/// Moves on whenever another snapshot becomes live. On cache lines of its own: looked at by every request, it must not share
/// one with what others write.
#[derive(Default)]
#[repr(align(128))]
struct Generation(AtomicU64);

impl SnapshotCell {
    pub(crate) fn new() -> Self {
        Self {
            current: RwLock::new(None),
            generation: Generation::default(),
            versions: watch::Sender::new(None),
            since: Mutex::new(None),
        }
    }

    /// A number that is another one once another snapshot is live; 0 before the first one. Whoever sees it move finds at least
    /// the snapshot that moved it.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.0.load(Ordering::Acquire)
    }

    /// The live snapshot; nothing before the first one arrived.
    pub(crate) fn load(&self) -> Option<Arc<Snapshot>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the live snapshot stands.
    pub(crate) fn version(&self) -> Option<Version> {
        *self.versions.borrow()
    }

    /// How long ago the live snapshot became live.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).map(|since| since.elapsed())
    }

    /// Follows the version of the live snapshot. Whoever borrows from the receiver must not touch the cell meanwhile: that
    /// would take its two locks in the other order than publishing does.
    pub(crate) fn versions(&self) -> watch::Receiver<Option<Version>> {
        self.versions.subscribe()
    }

    /// Makes `next` live if it carries on the history that is live and is newer. Says whether it did.
    pub(crate) fn advance(&self, next: &Arc<Snapshot>) -> Published {
        self.swap(next, |live, next| live.epoch == next.epoch && next.revision > live.revision)
    }

    /// Makes `next`, a whole snapshot from the store, live if it is newer or of another history. Says whether it did.
    pub(crate) fn replace(&self, next: &Arc<Snapshot>) -> Published {
        self.swap(next, |live, next| live.epoch != next.epoch || next.revision > live.revision)
    }

    /// Puts `next` in the place of `live`, if that still is what is live. Says whether it did.
    pub(crate) fn exchange(&self, live: &Arc<Snapshot>, next: &Arc<Snapshot>) -> Published {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if !current.as_ref().is_some_and(|current| Arc::ptr_eq(current, live)) {
            return Published::Refused;
        }
        let old = current.replace(Arc::clone(next));
        self.generation.0.fetch_add(1, Ordering::Release);
        self.versions.send_replace(Some(next.version()));
        drop(current);
        drop(old);
        Published::Live
    }

    fn swap(&self, next: &Arc<Snapshot>, newer: impl Fn(Version, Version) -> bool) -> Published {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|live| !newer(live.version(), next.version())) {
            return Published::Refused;
        }
        let old = current.replace(Arc::clone(next));
        self.generation.0.fetch_add(1, Ordering::Release);
        // Under the lock, so that versions are told in the order in which they became live.
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.versions.send_replace(Some(next.version()));
        drop(current);
        drop(old);
        Published::Live
    }
}

/// What became of a candidate for the cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Published {
    /// It is the live snapshot.
    Live,
    /// The live one is as new or newer.
    Refused,
}

#[cfg(test)]
mod tests {
    use flag_core::Epoch;

    use super::*;

    fn at(epoch: u128, revision: u64) -> Arc<Snapshot> {
        Arc::new(Snapshot::new(Version { epoch: Epoch(epoch), revision }, []))
    }

    #[test]
    fn a_cell_moves_only_forward_within_an_epoch() {
        let cell = SnapshotCell::new();
        assert!(cell.load().is_none());
        assert_eq!(cell.advance(&at(1, 5)), Published::Live);
        for (candidate, advanced, replaced) in [
            (at(1, 4), Published::Refused, Published::Refused),
            (at(1, 5), Published::Refused, Published::Refused),
            (at(2, 9), Published::Refused, Published::Live),
            (at(1, 7), Published::Refused, Published::Live),
            (at(1, 8), Published::Live, Published::Refused),
        ] {
            assert_eq!(cell.advance(&candidate), advanced, "{candidate:?}");
            assert_eq!(cell.replace(&candidate), replaced, "{candidate:?}");
        }
        assert_eq!(*cell.versions().borrow(), Some(at(1, 8).version()));
    }

    #[test]
    fn a_snapshot_is_exchanged_for_the_one_that_is_live_and_for_no_other() {
        let (cell, live, mended) = (SnapshotCell::new(), at(1, 5), at(1, 5));
        assert_eq!(cell.exchange(&live, &mended), Published::Refused, "nothing is live yet");
        cell.advance(&live);
        assert_eq!(cell.exchange(&at(1, 5), &mended), Published::Refused);
        assert_eq!(cell.exchange(&live, &mended), Published::Live);
        assert!(Arc::ptr_eq(&cell.load().unwrap(), &mended));
    }
}
