//! How the engine is doing, for health checks and metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flag_core::{Quarantine, Version};
use tokio::time::Instant;

use crate::bound::BoundHits;
use crate::ports::{Bootstrap, StoreError};
use crate::tally::Digested;

/// The origin of what the store gave or confirmed.
const STORE: &str = "store";

/// How the engine is doing at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// Where the live snapshot stands; nothing before the first one arrived.
    pub version: Option<Version>,
    /// How many flags it holds.
    pub flags: usize,
    /// Which flags it lacks because they cannot be read.
    pub quarantine: Quarantine,
    /// How long ago the live snapshot became live on this node.
    pub age: Option<Duration>,
    /// The newest digest there is, and of which version; while a change is digested, that of an earlier one.
    pub digest: Option<Digested>,
    /// Who vouches for the live snapshot: `store`, or whoever gave it while the store could not be asked. Nothing before the
    /// first one arrived.
    pub origin: Option<&'static str>,
    /// How long ago the store last confirmed that the live snapshot is the newest.
    pub confirmed: Option<Duration>,
    /// What the store said last.
    pub store: StoreStatus,
    /// The cache's name, if there is one, and whether it answers.
    pub cache: Option<(&'static str, bool)>,
    /// What this node keeps of its own to start from, if it keeps anything.
    pub bootstrap: Option<Bootstrap>,
    /// The feed's name, and whether hints are expected to arrive.
    pub feed: (&'static str, bool),
    /// How many batches were committed since the start.
    pub batches: u64,
    /// How many changes they held.
    pub changes: u64,
    /// How often another node had been first.
    pub conflicts: u64,
    /// How many writes were turned away because too many were waiting.
    pub turned_away: u64,
    /// How many writes were answered as they had been before.
    pub replays: u64,
    /// How many writes were refused because no more receipts could be kept.
    pub receipts_full: u64,
    /// What this node last heard of the others; nothing if that was too long ago.
    pub cluster: Option<Cluster>,
    /// How often each bound was hit, in the order of their names.
    pub bounds: Vec<BoundHits>,
}

/// The nodes of an environment that have reported lately, this one included.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Cluster {
    /// How many there are that are not silent.
    pub nodes: usize,
    /// How many had not come as far as this one when they last reported, silent ones included.
    pub behind: usize,
    /// How many are silent: they have not reported for a while, and nobody knows whether they still answer.
    pub silent: usize,
    /// Whether two of them stand at one version and hold different flags.
    pub disagreement: bool,
}

/// What the store said when it was last asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreStatus {
    /// It was not asked yet.
    Unknown,
    /// It answered.
    Up,
    /// It could not be asked.
    Down,
    /// It answered with something that cannot be read.
    Corrupt,
}

impl StoreStatus {
    /// The name that health checks use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
            Self::Corrupt => "corrupt",
        }
    }
}

/// The engine's own notes, from which a status is made.
pub(crate) struct Vitals {
    store: Mutex<(StoreStatus, Option<Instant>)>,
    origin: Mutex<Option<&'static str>>,
    pub(crate) batches: AtomicU64,
    pub(crate) changes: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) turned_away: AtomicU64,
    pub(crate) replays: AtomicU64,
    pub(crate) receipts_full: AtomicU64,
}

impl Vitals {
    pub(crate) fn new() -> Self {
        Self {
            store: Mutex::new((StoreStatus::Unknown, None)),
            origin: Mutex::new(None),
            batches: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            conflicts: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            replays: AtomicU64::new(0),
            receipts_full: AtomicU64::new(0),
        }
    }

    /// Notes that the store confirmed, to a question asked at `asked`, that what is live is the newest.
    pub(crate) fn confirmed(&self, asked: Instant) {
        self.stands_in(STORE);
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = store.1.map_or(asked, |before| before.max(asked));
        let before = std::mem::replace(&mut *store, (StoreStatus::Up, Some(newest))).0;
        if matches!(before, StoreStatus::Down | StoreStatus::Corrupt) {
            tracing::info!(before = before.name(), "the store answers again");
        }
    }

    /// Notes that the store failed; logs the cause when the state changes, not each time.
    pub(crate) fn failed(&self, error: &StoreError) {
        let now = match error {
            StoreError::Corrupt { .. } => StoreStatus::Corrupt,
            StoreError::Unavailable(_) | StoreError::Uncertain(_) => StoreStatus::Down,
        };
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut store.0, now) != now {
            let error = with_causes(error);
            if self.origin().is_some() {
                tracing::warn!(error, "the store failed; answering from the last snapshot");
            } else {
                tracing::warn!(error, "the store failed; there are no flags to answer from yet");
            }
        }
    }

    /// Notes who vouches for what is live.
    pub(crate) fn stands_in(&self, origin: &'static str) {
        *self.origin.lock().unwrap_or_else(PoisonError::into_inner) = Some(origin);
    }

    pub(crate) fn origin(&self) -> Option<&'static str> {
        *self.origin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn store(&self) -> (StoreStatus, Option<Duration>) {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        (store.0, store.1.map(|confirmed| confirmed.elapsed()))
    }
}

pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

/// An error with all its causes, in one line: for logs, never for clients.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}
