//! Taking back flags that could not be read. Whoever repairs a row moves no revision, so a node that lacks flags loads
//! everything again now and then, and takes what can be read by now.

use std::sync::Arc;
use std::time::Duration;

use flag_core::{FlagKey, Quarantine, Snapshot};
use tokio::time::{Instant, sleep};

use crate::backoff::jittered;
use crate::cell::Published;
use crate::engine::Shared;
use crate::ports::{Fetched, StoreError};

/// How long a node waits before it looks again, shortened at random.
const LOOK: Duration = Duration::from_secs(3);
/// How many times as long as a load took the node then rests, so that a large environment is not loaded all the time.
const REST: u32 = 10;
/// How often a load is brought up to the live snapshot, which moves on meanwhile.
const STEPS: u32 = 8;
/// Of how many flags at once the causes are told.
const TOLD: usize = 100;

/// Looks after missing flags until the engine is closed.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        sleep(jittered(LOOK)).await;
        if shared.cell.load().is_none_or(|live| live.quarantine().is_none()) {
            continue;
        }
        let started = Instant::now();
        if let Err(error) = mend(&shared).await {
            // Whether the store answers, the task that keeps up tells.
            tracing::debug!(%error, "the flags that cannot be read were not looked at");
        }
        sleep(started.elapsed() * REST).await;
    }
}

/// Loads everything, and takes what is missing from the live snapshot. Both are brought to the same version first: only then
/// do they speak of the same flags.
async fn mend(shared: &Shared) -> Result<(), StoreError> {
    let Fetched::Snapshot(mut loaded) = shared.source.fetch(&shared.environment, None).await? else {
        return Ok(());
    };
    for _ in 0..STEPS {
        let Some(live) = shared.cell.load() else { return Ok(()) };
        if live.version().precedes(loaded.version()) {
            shared.refresh().await?;
            continue;
        }
        if loaded.version().precedes(live.version()) {
            match shared.source.fetch(&shared.environment, Some(loaded.version())).await? {
                Fetched::Changes(entries) => match loaded.replay(&entries) {
                    Ok(next) => loaded = next,
                    Err(_) => return Ok(()),
                },
                Fetched::Unchanged => {}
                Fetched::Snapshot(_) | Fetched::Stale { .. } => return Ok(()),
            }
            continue;
        }
        let mended = Arc::new(live.mended_by(&loaded));
        if mended.version() != live.version() || mended.quarantine() == live.quarantine() {
            return Ok(());
        }
        if shared.cell.exchange(&live, &mended) == Published::Live {
            tell(&mended, live.quarantine());
            shared.offer(&mended);
            return Ok(());
        }
    }
    Ok(())
}

/// Tells of the flags that `snapshot` lacks and of those that it no longer lacks: each once, with the cause.
pub(crate) fn tell(snapshot: &Snapshot, before: Option<&Quarantine>) {
    let (none, now) = (Quarantine::default(), snapshot.quarantine());
    let (now, before) = (now.unwrap_or(&none), before.unwrap_or(&none));
    let missing: Vec<&FlagKey> = now.keys().filter(|key| !before.holds(key)).collect();
    for key in missing.iter().take(TOLD) {
        let cause = now.cause(key).unwrap_or_default();
        tracing::error!(flag = %key, cause, "a flag cannot be read; it answers 503 until its rows are repaired or it is deleted");
    }
    if missing.len() > TOLD {
        tracing::error!(flags = missing.len() - TOLD, "more flags cannot be read");
    }
    if now.nameless() > before.nameless() {
        tracing::error!(
            rows = now.nameless(),
            "rows cannot be read, and do not tell which flag they belong to"
        );
    }
    let back: Vec<&str> =
        before.keys().filter(|key| !now.holds(key)).map(FlagKey::as_str).take(TOLD).collect();
    if !back.is_empty() {
        tracing::info!(flags = back.join(" "), "flags can be read again or are gone");
    }
}
