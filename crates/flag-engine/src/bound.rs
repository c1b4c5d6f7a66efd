//! Bounds that count how often they were hit, so that one that is too narrow shows before somebody complains.

use std::sync::atomic::{AtomicU64, Ordering};

/// A bound: what is beyond it is turned away or given up, and counted.
#[derive(Debug)]
pub struct Bound {
    name: &'static str,
    hits: AtomicU64,
}

/// How often a bound was hit since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BoundHits {
    /// The bound's name, as metrics show it.
    pub name: &'static str,
    /// How often it was hit.
    pub hits: u64,
}

impl Bound {
    /// A bound that was not hit yet. Its name is one of a closed set, in lower case with underscores.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, hits: AtomicU64::new(0) }
    }

    /// Notes that it was hit.
    pub fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was hit.
    #[must_use]
    pub fn hits(&self) -> BoundHits {
        BoundHits { name: self.name, hits: self.hits.load(Ordering::Relaxed) }
    }
}

/// The bounds of the engine itself.
pub(crate) struct Bounds {
    /// Writes that wait to be committed.
    pub(crate) waiting_writes: Bound,
    /// How long a write may take.
    pub(crate) write_deadline: Bound,
    /// How often a batch is decided anew.
    pub(crate) commit_attempts: Bound,
    /// How long a page of the log may take.
    pub(crate) history_deadline: Bound,
    /// Readers that wait for a revision.
    pub(crate) waiting_reads: Bound,
    /// How long they wait.
    pub(crate) read_deadline: Bound,
    /// Requests that ask, or wait, for the cluster to converge.
    pub(crate) convergence_requests: Bound,
}

impl Bounds {
    pub(crate) const fn new() -> Self {
        Self {
            waiting_writes: Bound::new("waiting_writes"),
            write_deadline: Bound::new("write_deadline"),
            commit_attempts: Bound::new("commit_attempts"),
            history_deadline: Bound::new("history_deadline"),
            waiting_reads: Bound::new("waiting_reads"),
            read_deadline: Bound::new("read_deadline"),
            convergence_requests: Bound::new("convergence_requests"),
        }
    }

    pub(crate) fn hits(&self) -> [BoundHits; 7] {
        let Self {
            waiting_writes,
            write_deadline,
            commit_attempts,
            history_deadline,
            waiting_reads,
            read_deadline,
            convergence_requests,
        } = self;
        [
            waiting_writes,
            write_deadline,
            commit_attempts,
            history_deadline,
            waiting_reads,
            read_deadline,
            convergence_requests,
        ]
        .map(Bound::hits)
    }
}
