//! Who is connected. The server stops accepting at its limit without a word, so that what comes then waits unseen: this
//! shows it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::dev::Extensions;
use flag_engine::{Bound, BoundHits};

/// How many connections a worker has at most.
pub(crate) const MOST: usize = 2_000;

thread_local! {
    /// Those of this worker, which is a thread and serves each of its connections to its end.
    static OF_WORKER: Cell<usize> = const { Cell::new(0) };
}

/// The connections of a node.
pub struct Connections {
    open: AtomicUsize,
    full: Bound,
}

impl Default for Connections {
    fn default() -> Self {
        Self { open: AtomicUsize::new(0), full: Bound::new("connections") }
    }
}

impl Connections {
    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How often a worker had as many as it may have.
    pub(crate) fn full(&self) -> BoundHits {
        self.full.hits()
    }

    /// Counts a connection as long as what belongs to it lives.
    pub(crate) fn count(self: &Arc<Self>, belongings: &mut Extensions) {
        self.open.fetch_add(1, Ordering::Relaxed);
        let of_worker = OF_WORKER.get() + 1;
        OF_WORKER.set(of_worker);
        if of_worker >= MOST {
            self.full.hit();
        }
        belongings.insert(Connection(Arc::clone(self)));
    }
}

struct Connection(Arc<Connections>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        OF_WORKER.set(OF_WORKER.get().saturating_sub(1));
    }
}
