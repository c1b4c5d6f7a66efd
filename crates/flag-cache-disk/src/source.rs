//! The source: another source, and under it what this node keeps on its own disk.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flag_core::{Snapshot, Version};
use flag_engine::{Bootstrap, BoundHits, BoxFuture, EnvironmentName, Fetched, FlagSource, StoreError};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::file::StoreId;
use crate::keeper::Keeper;

/// What the disk is called as an origin of snapshots.
pub(crate) const NAME: &str = "disk";
/// How long a node that has a snapshot waits for what has changed since, before it answers from what it has.
const ANSWER: Duration = Duration::from_millis(400);
/// How long the disk may take to give a snapshot.
const READ: Duration = Duration::from_secs(10);

/// A source that starts from the disk and lets the source that it is wrapped round say what has changed since. Dropping it ends
/// its thread.
///
/// What the wrapped source confirms is current, wherever it was read. Only if that does not answer at once is the disk's
/// snapshot given as it is, marked as [`Fetched::Stale`].
pub struct DiskSource {
    inner: Arc<dyn FlagSource>,
    keeper: Keeper,
}

impl DiskSource {
    /// Wraps `inner`, and keeps what becomes live in `directory`, which is made when there is something to keep. `store` is
    /// the lasting name of the store: snapshots that were kept for another one are passed over.
    ///
    /// A directory that cannot be used is no reason to fail; [`bootstrap`](FlagSource::bootstrap) tells of it.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(directory: PathBuf, store: &str, inner: Arc<dyn FlagSource>) -> io::Result<Self> {
        Ok(Self { inner, keeper: Keeper::start(directory, StoreId::named(store))? })
    }

    /// Whether there is something on the disk that a node may be able to start from. Looks, and reads nothing.
    #[must_use]
    pub fn may_have(&self, environment: &EnvironmentName) -> bool {
        self.keeper.any(environment)
    }

    /// Saves what became live last, if it is not saved yet, and nothing after that: for the end of the process. Blocks until
    /// it is done, for five seconds at most.
    pub fn finish(&self) {
        self.keeper.finish();
    }

    async fn fetch(
        &self,
        environment: &EnvironmentName,
        have: Option<Version>,
    ) -> Result<Fetched, StoreError> {
        // Whoever asks for everything although something was live already has a reason to mistrust what it had.
        if have.is_some() {
            self.keeper.pass_start(environment);
        }
        if self.keeper.is_past_start(environment) {
            return self.inner.fetch(environment, have).await;
        }
        let Some(kept) = self.read(environment).await else {
            return self.inner.fetch(environment, None).await;
        };
        match timeout(ANSWER, self.inner.fetch(environment, Some(kept.version()))).await {
            Err(_) => Ok(stale(kept, StoreError::Unavailable(format!("no answer within {ANSWER:?}").into()))),
            Ok(Err(why)) => Ok(stale(kept, why)),
            Ok(Ok(fetched)) => self.newer(environment, kept, fetched).await,
        }
    }

    /// What `fetched`, which says what has happened since, makes of `kept`.
    async fn newer(
        &self,
        environment: &EnvironmentName,
        kept: Snapshot,
        fetched: Fetched,
    ) -> Result<Fetched, StoreError> {
        match fetched {
            Fetched::Unchanged => Ok(Fetched::Snapshot(kept)),
            Fetched::Changes(entries) => match kept.replay(&entries) {
                Ok(snapshot) => Ok(Fetched::Snapshot(snapshot)),
                Err(rejection) => {
                    tracing::warn!(%rejection, "the log does not continue the kept snapshot");
                    self.inner.fetch(environment, None).await
                }
            },
            Fetched::Snapshot(whole) if whole.version().precedes(kept.version()) => {
                let why = StoreError::lost(kept.version(), whole.version());
                Ok(stale(kept, why))
            }
            Fetched::Stale { snapshot, why, .. } if snapshot.version().precedes(kept.version()) => {
                Ok(stale(kept, why))
            }
            // Of two histories the one that nodes share is more likely to be the present one.
            whole @ (Fetched::Snapshot(_) | Fetched::Stale { .. }) => Ok(whole),
        }
    }

    async fn read(&self, environment: &EnvironmentName) -> Option<Snapshot> {
        let reading = spawn_blocking(self.keeper.reading(environment));
        match timeout(READ, reading).await {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => {
                tracing::warn!(%error, "reading the kept snapshot broke off");
                None
            }
            Err(_) => {
                tracing::warn!("the disk does not give the kept snapshot within {READ:?}; going on without");
                None
            }
        }
    }
}

/// The kept snapshot as it is, because of `why`.
fn stale(snapshot: Snapshot, why: StoreError) -> Fetched {
    Fetched::Stale { snapshot, from: NAME, why }
}

impl FlagSource for DiskSource {
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        Box::pin(self.fetch(environment, have))
    }

    fn offer(&self, environment: &EnvironmentName, snapshot: &Arc<Snapshot>) {
        self.keeper.offer(environment, snapshot);
        self.inner.offer(environment, snapshot);
    }

    fn bounds(&self) -> Vec<BoundHits> {
        self.inner.bounds()
    }

    fn cache(&self) -> Option<(&'static str, bool)> {
        self.inner.cache()
    }

    fn bootstrap(&self) -> Option<Bootstrap> {
        Some(self.keeper.bootstrap())
    }
}

impl fmt::Debug for DiskSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskSource").field("bootstrap", &self.keeper.bootstrap()).finish_non_exhaustive()
    }
}
