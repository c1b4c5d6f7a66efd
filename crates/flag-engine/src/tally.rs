//! Keeping the digest: a task behind the live snapshot that moves the sum of its rows along, change by change.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use flag_core::{Snapshot, Version};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::digest::{Digest, RowSum};
use crate::engine::Shared;

/// How long to rest after a digest. Whoever changes one thing has its digest at once, also fifty times a second; where batches
/// come faster, digests of each of them would cost the writers a tenth of what they can do.
const REST: Duration = Duration::from_millis(15);

/// The digest of the snapshot that was live at this version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digested {
    /// Where it stood.
    pub version: Version,
    /// Its digest.
    pub digest: Digest,
}

/// A snapshot with the sum of its rows.
struct Tallied {
    snapshot: Arc<Snapshot>,
    sum: RowSum,
}

/// Keeps the digest until the engine is closed. A digest is late by the time that it takes, and nobody waits for it: where
/// changes come faster, some versions get none.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut versions = shared.cell.versions();
    let mut last: Option<Tallied> = None;
    let mut rested = Instant::now();
    loop {
        versions.mark_unchanged();
        let live = shared.cell.load();
        // Objects are compared and not versions: a flag that is taken back changes rows and no version.
        let is_new =
            |live: &Arc<Snapshot>| last.as_ref().is_none_or(|last| !Arc::ptr_eq(&last.snapshot, live));
        if let Some(live) = live.filter(is_new) {
            let before = last.take();
            let is_small = before.as_ref().is_some_and(|before| before.snapshot.is_near(&live));
            let work = move || tally(before, live);
            let tallied = if is_small {
                catch_unwind(AssertUnwindSafe(work)).ok()
            } else {
                // Not on a thread that answers requests: everything may have changed, and what was before may have to be freed.
                spawn_blocking(work).await.ok()
            };
            match tallied {
                Some(now) => {
                    let version = now.snapshot.version();
                    shared.digests.send_replace(Some(Digested { version, digest: now.sum.digest(version) }));
                    last = Some(now);
                }
                // What happened, the panic hook has written down.
                None => tracing::error!("a digest could not be computed"),
            }
            rested = Instant::now() + REST;
        }
        if versions.changed().await.is_err() {
            return;
        }
        sleep_until(rested).await;
    }
}

fn tally(before: Option<Tallied>, live: Arc<Snapshot>) -> Tallied {
    let epoch = live.version().epoch;
    let sum = match before.filter(|before| before.snapshot.version().epoch == epoch) {
        Some(before) => before.sum.moved(&before.snapshot, &live),
        // Of another history nothing is shared; it is let go before everything is looked at.
        None => RowSum::of(&live),
    };
    Tallied { snapshot: live, sum }
}
