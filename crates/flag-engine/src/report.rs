//! Reporting: a node tells the store where it stands, so that the others can say whether a change has landed everywhere.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::convergence::lately;
use crate::engine::Shared;
use crate::nodes::NodeReport;
use crate::status::{StoreStatus, with_causes};

/// How often a node reports that has nothing new to tell.
const EVERY: Duration = Duration::from_secs(2);
/// How long after a report the next one comes at the earliest, however much there is to tell.
const APART: Duration = Duration::from_millis(200);
/// How long a report waits for the digest of what it tells of, which is there at once unless one change follows another.
const DIGEST: Duration = Duration::from_millis(20);
/// How long the store may take.
const ANSWER: Duration = Duration::from_secs(2);
/// How many reports in a row may be lost before somebody is told: by then it is known whether the store is down.
const RIDDLE: u32 = 4;
/// How long it may take to withdraw a node that stops.
const WITHDRAWAL: Duration = Duration::from_secs(1);

/// Reports until `closing`, and then withdraws the node.
pub(crate) async fn run(shared: Arc<Shared>, mut closing: oneshot::Receiver<()>) {
    let mut versions = shared.cell.versions();
    let mut digests = shared.digests.subscribe();
    // There is nothing to tell before the first snapshot, and nothing to withdraw.
    tokio::select! {
        _ = &mut closing => return,
        _ = versions.wait_for(Option::is_some) => {}
    }
    let (mut looked, mut lost) = (Instant::now(), 0_u32);
    loop {
        let started = Instant::now();
        let told = report(&shared).await;
        lost = if told.is_some() { 0 } else { lost.saturating_add(1) };
        // That a store is down, its status says. One that takes everything but reports would be a riddle.
        if lost == RIDDLE && shared.vitals.store().0 == StoreStatus::Up {
            tracing::warn!("the store takes no report of this node, which others will take for silent");
        }
        let news = async {
            sleep_until(started + APART).await;
            match told {
                // The digest came later than the report waited for it, or something has changed.
                Some(told) => {
                    tokio::select! {
                        _ = versions.wait_for(|live| *live != Some(told.version)) => {}
                        _ = digests.wait_for(|digested| is_missing(&told, *digested)) => {}
                    }
                }
                // A store that failed is not asked sooner because there is more to tell.
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = &mut closing => break,
            // At the end of the wait, or at the news: it is time for the next one.
            _ = timeout_at(started + EVERY, news) => {}
        }
        if looked.elapsed() >= EVERY {
            looked = Instant::now();
            // What others report is of interest even while nobody asks: it is in the metrics.
            let _ = shared.roster.read(&shared, lately()).await;
        }
    }
    let withdrawal = shared.store.withdraw(&shared.environment, shared.node.id);
    if timeout(WITHDRAWAL, withdrawal).await.is_err() {
        tracing::debug!("the store did not take note in time that this node stops");
    }
}

fn is_missing(told: &NodeReport, digested: Option<crate::tally::Digested>) -> bool {
    told.digest.is_none() && digested.is_some_and(|digested| digested.version == told.version)
}

/// Tells the store where the node stands, and gives what it told.
async fn report(shared: &Shared) -> Option<NodeReport> {
    let version = shared.cell.version()?;
    let mut digests = shared.digests.subscribe();
    let digested = digests.wait_for(|digested| digested.is_some_and(|digested| digested.version == version));
    let digest = timeout(DIGEST, digested).await.ok().and_then(Result::ok).and_then(|digested| *digested);
    let digest = digest.map(|digested| digested.digest);
    let report = NodeReport { node: shared.node.clone(), version, digest };
    match timeout(ANSWER, shared.store.report(&shared.environment, &report)).await {
        Ok(Ok(())) => Some(report),
        Ok(Err(error)) => {
            tracing::debug!(error = with_causes(&error), "a report was lost");
            None
        }
        Err(_) => None,
    }
}
