//! Catching up for a reader: whoever has seen a revision on another node is answered at that revision or a later one, or
//! told that this node is behind.

use std::sync::Arc;
use std::time::Duration;

use flag_core::{Revision, Snapshot, Version};
use tokio::time::{Instant, timeout_at};

use crate::engine::Engine;

/// How many readers may wait for a revision; one more is turned away.
pub(crate) const READERS: usize = 1_024;
/// How long a reader waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a reader was not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CatchUpError {
    /// The node has no snapshot yet.
    #[error("there is no snapshot yet")]
    NotReady,
    /// The node did not come to the revision in time, which may not exist.
    #[error("the node is still at revision {found}")]
    Behind {
        /// Where it stands.
        found: Revision,
    },
    /// Too many readers are waiting.
    #[error("too many readers are waiting")]
    Overloaded,
}

impl Engine {
    /// The live snapshot at `revision` or a later one. If the node is not there yet it catches up at once, and the caller
    /// waits for it, two seconds at most.
    ///
    /// # Errors
    /// [`CatchUpError`] says why there is none.
    pub async fn at_least(&self, revision: Revision) -> Result<Arc<Snapshot>, CatchUpError> {
        let reached = |version: Version| version.revision >= revision;
        if let Some(live) = self.snapshot().filter(|live| reached(live.version())) {
            return Ok(live);
        }
        let bounds = &self.shared.bounds;
        let _place = self.shared.readers.try_acquire().map_err(|_| {
            bounds.waiting_reads.hit();
            CatchUpError::Overloaded
        })?;
        let deadline = Instant::now() + PATIENCE;
        let mut versions = self.subscribe();
        self.shared.wake.notify_one();
        // Again if another history with a lower revision took the place of the one that was waited for.
        while timeout_at(deadline, versions.wait_for(|live| live.is_some_and(reached))).await.is_ok() {
            if let Some(live) = self.snapshot().filter(|live| reached(live.version())) {
                return Ok(live);
            }
        }
        bounds.read_deadline.hit();
        let found = self.snapshot().ok_or(CatchUpError::NotReady)?.version().revision;
        Err(CatchUpError::Behind { found })
    }
}
