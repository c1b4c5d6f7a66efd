//! The engine: one environment, kept in memory, changed through the store, kept up to date by hints and by asking.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use flag_core::{Entry, Snapshot, Version};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::bound::{BoundHits, Bounds};
use crate::catch_up;
use crate::cell::{Published, SnapshotCell};
use crate::commit::{self, ApplyError, Committed, DEADLINE, QUEUE, Request, Ticket, Waiting};
use crate::convergence::{self, Roster};
use crate::environment::EnvironmentName;
use crate::follow;
use crate::mend;
use crate::nodes::NodeIdentity;
use crate::ports::{Bootstrap, ChangeFeed, Fetched, FlagSource, FlagStore, HistoryPage, StoreError};
use crate::report;
use crate::status::{Status, Vitals, count};
use crate::tally::{self, Digested};

/// How long a node that stops waits until the store has taken note of it.
const CLOSING: Duration = Duration::from_secs(3);

/// How long before a write's deadline the task that commits it tells what became of it.
const LAST_WORD: Duration = Duration::from_millis(100);

/// What an engine is made of.
pub struct Parts {
    /// The set of flags that it keeps.
    pub environment: EnvironmentName,
    /// Where changes become durable.
    pub store: Arc<dyn FlagStore>,
    /// Where snapshots come from: the store itself, or a cache wrapped round it.
    pub source: Arc<dyn FlagSource>,
    /// How nodes tell each other of changes.
    pub feed: Arc<dyn ChangeFeed>,
    /// Which node this is.
    pub node: NodeIdentity,
}

/// The engine of one environment. Dropping it ends its tasks; writes that are under way are finished first.
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    queue: mpsc::Sender<Waiting>,
    following: JoinHandle<()>,
    mending: JoinHandle<()>,
    tallying: JoinHandle<()>,
    /// The task that reports, and the word that it should end; taken by whoever closes the engine.
    reporting: std::sync::Mutex<Option<(JoinHandle<()>, oneshot::Sender<()>)>>,
    /// The runtime that the engine was started on. Connections that stores make belong to the runtime they are made on, and
    /// a caller's may end before the engine does.
    pub(crate) runtime: Handle,
}

/// What the engine's tasks share.
pub(crate) struct Shared {
    pub(crate) environment: EnvironmentName,
    pub(crate) store: Arc<dyn FlagStore>,
    pub(crate) source: Arc<dyn FlagSource>,
    pub(crate) feed: Arc<dyn ChangeFeed>,
    pub(crate) cell: SnapshotCell,
    pub(crate) vitals: Vitals,
    /// The newest digest there is; that of the live snapshot as a rule.
    pub(crate) digests: watch::Sender<Option<Digested>>,
    pub(crate) bounds: Bounds,
    /// Wakes the task that keeps up.
    pub(crate) wake: Notify,
    /// Places for readers that wait for a revision.
    pub(crate) readers: Semaphore,
    /// Places for those who wait until all nodes have come to one.
    pub(crate) watchers: Semaphore,
    /// Places for those who only ask which have.
    pub(crate) askers: Semaphore,
    pub(crate) node: NodeIdentity,
    pub(crate) roster: Roster,
    /// Held while the source is asked, so that an answer that took long cannot be taken for a newer one.
    refreshing: Mutex<()>,
}

impl Engine {
    /// Starts the engine on the current tokio runtime. It fetches its first snapshot in the background; until then it has
    /// none, and says so.
    #[must_use]
    pub fn start(parts: Parts) -> Self {
        let Parts { environment, store, source, feed, node } = parts;
        let shared = Arc::new(Shared {
            environment,
            store,
            source,
            feed,
            node,
            cell: SnapshotCell::new(),
            vitals: Vitals::new(),
            digests: watch::Sender::new(None),
            bounds: Bounds::new(),
            wake: Notify::new(),
            readers: Semaphore::new(catch_up::READERS),
            watchers: Semaphore::new(convergence::REQUESTS),
            askers: Semaphore::new(convergence::REQUESTS),
            roster: Roster::default(),
            refreshing: Mutex::new(()),
        });
        let (queue, waiting) = mpsc::channel(QUEUE);
        let following = tokio::spawn(follow::run(Arc::clone(&shared)));
        let mending = tokio::spawn(mend::run(Arc::clone(&shared)));
        let tallying = tokio::spawn(tally::run(Arc::clone(&shared)));
        tokio::spawn(commit::run(Arc::clone(&shared), waiting));
        let (close, closing) = oneshot::channel();
        let reporting = tokio::spawn(report::run(Arc::clone(&shared), closing));
        let reporting = std::sync::Mutex::new(Some((reporting, close)));
        Self { shared, queue, following, mending, tallying, reporting, runtime: Handle::current() }
    }

    /// Takes the node out of the store's list of live nodes, because it is about to stop. It goes on answering, but
    /// no longer reports. Takes at most three seconds.
    pub async fn close(&self) {
        let reporting = self.reporting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((task, close)) = reporting {
            // Its receiver is gone only if the task has ended.
            let _ = close.send(());
            let _ = timeout(CLOSING, task).await;
        }
    }

    /// The environment that it keeps.
    #[must_use]
    pub fn environment(&self) -> &EnvironmentName {
        &self.shared.environment
    }

    /// The live snapshot; nothing before the first one arrived. Never waits.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.shared.cell.load()
    }

    /// Follows the version of the live snapshot, from the one that is live now.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Option<Version>> {
        self.shared.cell.versions()
    }

    /// Makes a change durable, and then live on this node. Takes at most two and a half seconds.
    ///
    /// # Errors
    /// [`ApplyError`] says why it was not made, or that nobody knows.
    pub async fn apply(&self, request: Request) -> Result<Committed, ApplyError> {
        let deadline = Instant::now() + DEADLINE;
        let (reply, outcome) = oneshot::channel();
        let ticket = Ticket::default();
        // The task that commits gives up a little earlier, so that it can still say whether anything is in the store's hands.
        let waiting = Waiting { request, reply, ticket: ticket.clone(), deadline: deadline - LAST_WORD };
        match self.queue.try_send(waiting) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                count(&self.shared.vitals.turned_away, 1);
                self.shared.bounds.waiting_writes.hit();
                return Err(ApplyError::Overloaded);
            }
            Err(TrySendError::Closed(_)) => {
                tracing::error!("the task that commits has ended; restart this node");
                return Err(ApplyError::Unavailable);
            }
        }
        let outcome = match timeout_at(deadline, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(ticket.withdraw()),
        };
        outcome.inspect_err(|error| self.count(error, deadline))
    }

    /// Counts a write that came to nothing because of a bound.
    fn count(&self, error: &ApplyError, deadline: Instant) {
        let bounds = &self.shared.bounds;
        match error {
            ApplyError::Overloaded => bounds.commit_attempts.hit(),
            ApplyError::Unavailable | ApplyError::Uncertain if Instant::now() >= deadline => {
                bounds.write_deadline.hit();
            }
            _ => {}
        }
    }

    /// A page of the log, newest first, from the store.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    pub async fn history(&self, page: HistoryPage<'_>) -> Result<Vec<Entry>, StoreError> {
        let deadline = Instant::now() + DEADLINE;
        let HistoryPage { before, flag, limit } = page;
        let (shared, flag) = (Arc::clone(&self.shared), flag.cloned());
        let answer = self.runtime.spawn(async move {
            let page = HistoryPage { before, flag: flag.as_ref(), limit };
            let answer = timeout_at(deadline, shared.store.history(&shared.environment, page)).await;
            answer.unwrap_or_else(|_| {
                shared.bounds.history_deadline.hit();
                Err(StoreError::Unavailable("no answer in time".into()))
            })
        });
        let answer = answer.await.unwrap_or_else(|ended| Err(StoreError::Unavailable(Box::new(ended))));
        answer.inspect_err(|error| self.shared.vitals.failed(error))
    }

    /// How the engine is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        let Shared { cell, vitals, store: keeper, source, feed, digests, roster, bounds, .. } = &*self.shared;
        let snapshot = cell.load();
        let is_whole = snapshot.as_ref().is_none_or(|snapshot| snapshot.quarantine().is_none());
        let (store, confirmed) = vitals.store();
        Status {
            version: snapshot.as_ref().map(|snapshot| snapshot.version()),
            flags: snapshot.as_ref().map_or(0, |snapshot| snapshot.len()),
            quarantine: snapshot.and_then(|snapshot| snapshot.quarantine().cloned()).unwrap_or_default(),
            age: cell.age(),
            digest: *digests.borrow(),
            origin: vitals.origin(),
            confirmed,
            store,
            cache: source.cache(),
            bootstrap: source.bootstrap().map(|bootstrap| Bootstrap {
                // A snapshot that lacks flags is not kept.
                is_up: bootstrap.is_up && is_whole,
                ..bootstrap
            }),
            feed: (feed.name(), feed.is_up()),
            batches: vitals.batches.load(Ordering::Relaxed),
            changes: vitals.changes.load(Ordering::Relaxed),
            conflicts: vitals.conflicts.load(Ordering::Relaxed),
            turned_away: vitals.turned_away.load(Ordering::Relaxed),
            replays: vitals.replays.load(Ordering::Relaxed),
            receipts_full: vitals.receipts_full.load(Ordering::Relaxed),
            cluster: roster.cluster(),
            bounds: by_name(bounds.hits().into_iter().chain(keeper.bounds()).chain(source.bounds())),
        }
    }
}

/// In the order of names. A source may be the store itself, and then tells the same.
fn by_name(hits: impl Iterator<Item = BoundHits>) -> Vec<BoundHits> {
    let mut hits: Vec<BoundHits> = hits.collect();
    hits.sort_by_key(|bound| bound.name);
    hits.dedup_by_key(|bound| bound.name);
    hits
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some((reporting, _)) = self.reporting.get_mut().unwrap_or_else(PoisonError::into_inner).take()
        {
            reporting.abort();
        }
        self.following.abort();
        self.mending.abort();
        self.tallying.abort();
    }
}

impl Shared {
    /// Asks the source for what is newer, and makes it live.
    pub(crate) async fn refresh(&self) -> Result<(), StoreError> {
        let _alone = self.refreshing.lock().await;
        let asked = Instant::now();
        let live = self.cell.load();
        let have = live.as_ref().map(|snapshot| snapshot.version());
        match self.source.fetch(&self.environment, have).await? {
            Fetched::Unchanged => {}
            Fetched::Snapshot(snapshot) => self.publish_whole(snapshot, have)?,
            Fetched::Stale { snapshot, from, why } => {
                self.publish_stale(&Arc::new(snapshot), from);
                return Err(why);
            }
            Fetched::Changes(entries) => {
                // What was live may have been mended while the source was asked.
                let now = self.cell.load().filter(|now| Some(now.version()) == have);
                let Some(live) = now.or(live) else {
                    return Err(StoreError::corrupt("changes to a snapshot that nobody has"));
                };
                match live.replay(&entries) {
                    Ok(next) => self.publish_next(&Arc::new(next)),
                    Err(rejection) => {
                        // The log does not lead on from here; the state tells where it leads.
                        tracing::warn!(%rejection, "the log does not continue the live snapshot; loading everything");
                        self.reload(live.version()).await?;
                    }
                }
            }
        }
        self.vitals.confirmed(asked);
        Ok(())
    }

    async fn reload(&self, have: Version) -> Result<(), StoreError> {
        match self.source.fetch(&self.environment, None).await? {
            Fetched::Snapshot(snapshot) => self.publish_whole(snapshot, Some(have)),
            // The live one is better than that.
            Fetched::Stale { why, .. } => Err(why),
            Fetched::Unchanged | Fetched::Changes(_) => {
                Err(StoreError::corrupt("no snapshot where a whole one was asked for"))
            }
        }
    }

    /// Makes a snapshot live that follows the live one.
    pub(crate) fn publish_next(&self, next: &Arc<Snapshot>) {
        if self.cell.advance(next) == Published::Live {
            self.offer(next);
        }
    }

    /// Shows a live snapshot to the source, unless flags are missing from it: whoever took it for whole would take them for
    /// deleted.
    pub(crate) fn offer(&self, live: &Arc<Snapshot>) {
        if live.quarantine().is_none() {
            self.source.offer(&self.environment, live);
        }
    }

    /// Makes a snapshot live that the store did not confirm, if there is none yet or it carries on the one that is live.
    fn publish_stale(&self, next: &Arc<Snapshot>, from: &'static str) {
        if self.cell.advance(next) == Published::Live {
            self.vitals.stands_in(from);
            let Version { epoch, revision } = next.version();
            tracing::warn!(from, %epoch, revision, "the store cannot be asked; answering from an earlier snapshot");
        }
    }

    /// Makes a whole snapshot live, which the store gave to a node that had `have`.
    fn publish_whole(&self, snapshot: Snapshot, have: Option<Version>) -> Result<(), StoreError> {
        let version = snapshot.version();
        // What this node had was durable before it asked.
        if let Some(had) = have.filter(|had| version.precedes(*had)) {
            return Err(StoreError::lost(had, version));
        }
        let Version { epoch, revision } = version;
        let next = Arc::new(snapshot);
        match self.cell.replace(&next) {
            Published::Live => {
                let flags = next.len();
                match have.filter(|had| had.epoch != epoch) {
                    Some(Version { epoch: old_epoch, revision: old_revision }) => {
                        tracing::warn!(%old_epoch, old_revision, %epoch, revision, flags, "the history has a new epoch");
                    }
                    None => tracing::info!(%epoch, revision, flags, "loaded a snapshot"),
                }
                mend::tell(&next, None);
                self.offer(&next);
            }
            Published::Refused => {
                tracing::debug!(%epoch, revision, "a loaded snapshot is not newer than the live one");
            }
        }
        Ok(())
    }
}
