//! The keeper: sees to it that the shared snapshot is as new as the node's own, also after Redis was emptied or away.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flag_core::{Snapshot, Version};
use flag_engine::{EnvironmentName, jittered, with_causes};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::error::CacheError;
use crate::snapshots::SharedSnapshots;

/// How often the keeper looks whether Redis still has what it had.
const LOOK: Duration = Duration::from_secs(1);
/// How long after a change the keeper waits at least, shortened at random: of many nodes that heard of it the first writes,
/// and the others find it written.
const SPREAD: Duration = Duration::from_millis(100);
/// How many times as long as a write took the keeper then lets it rest, whoever writes next. A snapshot of a hundred
/// megabytes is not written anew at each change: a node that starts asks the store for the little that is missing.
const REST: u32 = 10;
/// How long the keeper waits before it tries again to share what was too large.
const TOO_LARGE: Duration = Duration::from_secs(600);

type Newest = BTreeMap<String, (EnvironmentName, Arc<Snapshot>)>;

/// What a node would share, and whether Redis answers.
#[derive(Default)]
pub(crate) struct Kept {
    /// Of each environment the newest snapshot, so that it cannot grow.
    newest: watch::Sender<Newest>,
    stages: Mutex<BTreeMap<String, Stage>>,
    is_up: AtomicBool,
    /// Whether the last failure has been logged.
    was_told: AtomicBool,
}

/// How far a process has come with an environment.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Stage {
    /// Nothing has been asked yet: nothing is live, and a history is still to be chosen.
    #[default]
    Begun,
    /// What is shared was looked for, and the store has not been heard.
    Looked,
    /// The store has been heard. From now on it tells what is newer.
    Heard,
}

impl Kept {
    pub(crate) fn offer(&self, environment: &EnvironmentName, snapshot: &Arc<Snapshot>) {
        let (name, kept) = (environment.as_str().to_owned(), (environment.clone(), Arc::clone(snapshot)));
        // What was kept before may be large, and is freed outside the lock.
        let mut before = None;
        self.newest.send_modify(|newest| before = newest.insert(name, kept));
        drop(before);
    }

    /// How far this process has come with an environment.
    pub(crate) fn stage(&self, environment: &EnvironmentName) -> Stage {
        let stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        stages.get(environment.as_str()).copied().unwrap_or_default()
    }

    pub(crate) fn comes_to(&self, environment: &EnvironmentName, stage: Stage) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        if stages.get(environment.as_str()) != Some(&stage) {
            stages.insert(environment.as_str().to_owned(), stage);
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) {
        self.is_up.store(false, Ordering::Relaxed);
    }

    /// Notes whether Redis answers, and logs when that changes; of failures in a row only the first is told aloud.
    fn tell(&self, outcome: Result<(), CacheError>) {
        let was_up = self.is_up.swap(outcome.is_ok(), Ordering::Relaxed);
        let was_told = self.was_told.swap(outcome.is_err(), Ordering::Relaxed);
        match outcome {
            Ok(()) if was_up => {}
            Ok(()) => tracing::info!("the cache answers"),
            Err(error) if was_told => {
                tracing::debug!(error = with_causes(&error), "the cache still cannot be used");
            }
            Err(error) => {
                tracing::warn!(error = with_causes(&error), "the cache cannot be used; going on without it");
            }
        }
    }
}

/// Keeps the shared snapshots up to date, for ever.
pub(crate) async fn run(shared: Arc<SharedSnapshots>, kept: Arc<Kept>) {
    let mut newest = kept.newest.subscribe();
    let mut paces: BTreeMap<String, Pace> = BTreeMap::new();
    loop {
        let now = newest.borrow_and_update().clone();
        // Also before there is anything to share, it is of interest whether Redis answers.
        let mut outcome = if now.is_empty() { shared.ping().await } else { Ok(()) };
        for (name, (environment, snapshot)) in now {
            let pace = paces.entry(name).or_insert_with(Pace::new);
            outcome = outcome.and(pace.tend(&shared, &environment, &snapshot).await);
        }
        kept.tell(outcome);
        if timeout(LOOK, newest.changed()).await.is_ok() {
            sleep(jittered(SPREAD)).await;
        }
    }
}

/// When the shared snapshot of one environment is written.
struct Pace {
    /// The version that was shared when the keeper looked last.
    seen: Option<Version>,
    /// The last version of its own that this node knows to have been shared, by whomever.
    settled: Option<Version>,
    /// How long that took.
    took: Duration,
    rests_until: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { seen: None, settled: None, took: Duration::ZERO, rests_until: Instant::now() }
    }

    /// Writes `snapshot` if what is shared is older, and has been for long enough.
    async fn tend(
        &mut self,
        shared: &SharedSnapshots,
        environment: &EnvironmentName,
        snapshot: &Arc<Snapshot>,
    ) -> Result<(), CacheError> {
        let own = snapshot.version();
        let head = shared.head(environment).await?.map(|head| head.version);
        if std::mem::replace(&mut self.seen, head) != head && head.is_some() {
            self.rest();
        }
        if !self.is_wanted(head, own) {
            self.settled = Some(own);
            return Ok(());
        }
        if Instant::now() < self.rests_until {
            return Ok(());
        }
        let started = Instant::now();
        let outcome = shared.write(environment, snapshot).await;
        self.took = started.elapsed();
        self.rest();
        if let Err(error @ CacheError::TooLarge(_)) = &outcome {
            // Redis is not to blame, and will not be troubled with it at each change.
            tracing::warn!(error = with_causes(error), "the snapshot is not shared");
            self.rests_until += TOO_LARGE;
            return Ok(());
        }
        outcome?;
        (self.seen, self.settled) = (Some(own), Some(own));
        Ok(())
    }

    fn rest(&mut self) {
        self.rests_until = Instant::now() + jittered(self.took * REST);
    }

    fn is_wanted(&self, head: Option<Version>, own: Version) -> bool {
        match head {
            None => true,
            Some(head) if head.epoch == own.epoch => head.precedes(own),
            // Which of two histories is the present one, only the store knows, and it told this node of its own. But once
            // is enough: a node that cannot reach the store must not quarrel with one that has heard of a newer history.
            Some(_) => self.settled != Some(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use flag_core::Epoch;

    use super::*;

    #[tokio::test]
    async fn what_is_shared_is_replaced_only_by_what_is_newer() {
        let at = |epoch, revision| Version { epoch: Epoch(epoch), revision };
        let mut pace = Pace::new();
        for (head, wanted) in [
            (None, true),
            (Some(at(1, 6)), true),
            (Some(at(1, 7)), false),
            (Some(at(1, 8)), false),
            (Some(at(2, 3)), true),
            (Some(at(2, 9)), true),
        ] {
            assert_eq!(pace.is_wanted(head, at(1, 7)), wanted, "{head:?}");
        }
        pace.settled = Some(at(1, 7));
        assert!(!pace.is_wanted(Some(at(2, 3)), at(1, 7)), "two nodes of two histories would write for ever");
        assert!(pace.is_wanted(Some(at(2, 3)), at(1, 8)));
        assert!(pace.is_wanted(None, at(1, 7)), "Redis was emptied");
    }
}
