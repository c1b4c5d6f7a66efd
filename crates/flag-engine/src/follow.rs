//! Keeping up: a node fetches when it hears of something newer, and asks anyway when it has heard nothing for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::engine::Shared;
use crate::ports::Hint;

/// How long a node waits for a hint before it asks without one.
const POLL: Duration = Duration::from_secs(1);
/// How long it waits before it asks a store again that failed.
const RETRY: Duration = Duration::from_millis(500);
/// How long after an answer it asks again at the earliest for readers who wait for a revision, which may not exist.
const APART: Duration = Duration::from_millis(10);

/// Keeps up until the engine is closed.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut hints = shared.feed.hints();
    let mut heard = *hints.borrow_and_update();
    loop {
        let outcome = shared.refresh().await;
        // A store that fails is not asked more often because somebody waits for it.
        let may_be_woken = outcome.is_ok();
        let pause = match outcome {
            Ok(()) => POLL,
            Err(error) => {
                shared.vitals.failed(&error);
                RETRY
            }
        };
        let refreshed = Instant::now();
        let due = refreshed + pause;
        while Instant::now() < due {
            tokio::select! {
                () = sleep(due.saturating_duration_since(Instant::now())) => break,
                () = shared.wake.notified(), if may_be_woken => {
                    sleep_until(refreshed + APART).await;
                    break;
                }
                changed = hints.changed() => {
                    let hint = *hints.borrow_and_update();
                    if changed.is_err() {
                        // The feed is gone for good; the poll goes on.
                        sleep(due.saturating_duration_since(Instant::now())).await;
                    } else if is_news(&shared, heard, hint) {
                        heard = hint;
                        break;
                    }
                    heard = hint;
                }
            }
        }
    }
}

/// Whether a hint is a reason to fetch: most are echoes of this node's own writes.
fn is_news(shared: &Shared, heard: Hint, hint: Hint) -> bool {
    let live = shared.cell.load().map(|snapshot| snapshot.version());
    hint.interruptions != heard.interruptions
        || live.is_none_or(|live| live.epoch != hint.version.epoch || live.revision < hint.version.revision)
}
