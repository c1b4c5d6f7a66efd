//! The way of a change into the store: one task takes the writes that wait, decides each against the newest snapshot, and
//! commits together those that hold. Each write gets its own outcome.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flag_core::{Applied, Author, Change, Entry, Rejection, Revision, Snapshot, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::engine::Shared;
use crate::ports::{Appended, Batch, StoreError};
use crate::receipt::{IdempotencyKey, MOST_RECEIPTS, Receipt, Receipts, Repeatable};
use crate::status::count;

/// How many writes may wait; one more is turned away.
pub(crate) const QUEUE: usize = 1_024;
/// How many writes are committed together at most.
const BATCH: usize = 256;
/// How often a batch is decided anew because another node was first. Each time, that node made progress.
const ATTEMPTS: u32 = 64;
/// How long a write may take, waiting included.
pub(crate) const DEADLINE: Duration = Duration::from_millis(2_500);

/// A write: a change, under which condition, by whom and when.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub change: Change,
    /// What must hold of the flag before; all of it.
    pub conditions: Vec<Precondition>,
    /// Who asks.
    pub author: Author,
    /// When they asked.
    pub at: Timestamp,
    /// Under which name it may be repeated without being made twice.
    pub repeatable: Option<Repeatable>,
}

/// What must hold of a flag before it is changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Precondition {
    /// It exists.
    Exists,
    /// Its last change is one of these.
    RevisionIn(Vec<Revision>),
    /// It does not exist.
    Absent,
    /// Its last change, if it exists, is none of these.
    RevisionNotIn(Vec<Revision>),
}

impl Precondition {
    fn holds(&self, found: Option<Revision>) -> bool {
        match self {
            Self::Exists => found.is_some(),
            Self::RevisionIn(revisions) => found.is_some_and(|revision| revisions.contains(&revision)),
            Self::Absent => found.is_none(),
            Self::RevisionNotIn(revisions) => found.is_none_or(|revision| !revisions.contains(&revision)),
        }
    }
}

/// A write that holds and is durable.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The environment right after it, or as it is now if the write had been made before.
    pub snapshot: Snapshot,
    /// The answer that was given when it was made, if that was before.
    pub replayed: Option<Vec<u8>>,
}

/// Why a write was not made, by what the caller can do about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ApplyError {
    /// The change does not hold.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The condition does not hold.
    #[error("the flag is at revision {}", found.map_or_else(|| "none".to_owned(), |revision| revision.to_string()))]
    PreconditionFailed {
        /// The flag's revision, if it exists.
        found: Option<Revision>,
    },
    /// The store could not be reached; nothing was written.
    #[error("the store is unavailable")]
    Unavailable,
    /// The store went silent during the commit: the change may or may not be there.
    #[error("the store did not say whether the change was made")]
    Uncertain,
    /// The key was given to another write.
    #[error("the key belongs to another write")]
    KeyReused,
    /// As many receipts are kept as may be; nothing was written.
    #[error("no more receipts can be kept")]
    ReceiptsFull,
    /// Too many writes are waiting, on this node or on others.
    #[error("too many writes are waiting")]
    Overloaded,
}

/// A request on its way, and where its outcome is awaited.
pub(crate) struct Waiting {
    pub(crate) request: Request,
    pub(crate) reply: oneshot::Sender<Result<Committed, ApplyError>>,
    pub(crate) ticket: Ticket,
    pub(crate) deadline: Instant,
}

/// Who has a request in hand: whoever waits for it, until the task that commits takes it up. Only one of them can have it,
/// so that a request which is given up in time was certainly not made.
#[derive(Clone, Default)]
pub(crate) struct Ticket(Arc<AtomicBool>);

impl Ticket {
    /// Takes the request up, unless it was given up.
    fn take_up(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// Gives the request up, and says what is then known of it.
    pub(crate) fn withdraw(&self) -> ApplyError {
        if self.take_up() { ApplyError::Unavailable } else { ApplyError::Uncertain }
    }
}

/// Commits until every handle of the engine is gone.
pub(crate) async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut waiting, BATCH).await > 0 {
        // A request whose caller went away was not given up, but nobody was told that it happened.
        // One whose time is over is not begun: dropped, it is given up by its caller.
        let now = Instant::now();
        waiting.retain(|write| !write.reply.is_closed() && now < write.deadline && write.ticket.take_up());
        // Each writer waits no longer than its own deadline; the batch may take as long as the last of them.
        if let Some(deadline) = waiting.iter().map(|write| write.deadline).max() {
            let outcomes = commit(&shared, &waiting, deadline).await;
            for (write, outcome) in waiting.drain(..).zip(outcomes) {
                // The writer may have gone away; the change stands all the same.
                let _ = write.reply.send(outcome);
            }
        }
    }
}

type Outcomes = Vec<Result<Committed, ApplyError>>;

async fn commit(shared: &Shared, waiting: &[Waiting], deadline: Instant) -> Outcomes {
    let sent = AtomicBool::new(false);
    match timeout_at(deadline, attempts(shared, waiting, &sent)).await {
        Ok(Ok(outcomes)) => outcomes,
        Ok(Err(error)) => all(waiting, &error),
        Err(_) => {
            shared.vitals.failed(&StoreError::Unavailable("no answer in time".into()));
            let is_uncertain = sent.load(Ordering::Relaxed);
            all(waiting, if is_uncertain { &ApplyError::Uncertain } else { &ApplyError::Unavailable })
        }
    }
}

/// Decides and appends until the store stands where the decision was made. `sent` says whether a batch that holds changes
/// is in the store's hands.
async fn attempts(shared: &Shared, waiting: &[Waiting], sent: &AtomicBool) -> Result<Outcomes, ApplyError> {
    for _ in 0..ATTEMPTS {
        let base = match shared.cell.load() {
            Some(base) => base,
            None => {
                shared.refresh().await.map_err(|error| refused(shared, &error))?;
                continue;
            }
        };
        let known = receipts(shared, waiting).await.map_err(|error| refused(shared, &error))?;
        let asked = Instant::now();
        let plan = Plan::decide(&base, &known, waiting.iter().map(|write| &write.request));
        sent.store(!plan.batch.is_question(), Ordering::Relaxed);
        // An empty batch is sent too: that a change does not hold is only true of the newest snapshot.
        let appended = shared.store.append(&shared.environment, base.version(), &plan.batch).await;
        match appended.map_err(|error| refused(shared, &error))? {
            Appended::Committed => {
                plan.publish(shared, asked);
                return Ok(plan.outcomes);
            }
            Appended::Conflict => {
                sent.store(false, Ordering::Relaxed);
                count(&shared.vitals.conflicts, 1);
                shared.refresh().await.map_err(|error| refused(shared, &error))?;
            }
        }
    }
    tracing::warn!(attempts = ATTEMPTS, "other nodes were always first; giving up on a batch");
    Err(ApplyError::Overloaded)
}

/// What the store has of the keys that writes bear; nothing is asked if none bears any.
async fn receipts(shared: &Shared, waiting: &[Waiting]) -> Result<Receipts, StoreError> {
    let keys = waiting.iter().filter_map(|write| write.request.repeatable.as_ref());
    let keys: Vec<IdempotencyKey> = keys.map(|repeatable| repeatable.key.clone()).collect();
    if keys.is_empty() {
        return Ok(Receipts::default());
    }
    shared.store.receipts(&shared.environment, &keys).await
}

fn refused(shared: &Shared, error: &StoreError) -> ApplyError {
    shared.vitals.failed(error);
    match error {
        StoreError::Uncertain(_) => ApplyError::Uncertain,
        StoreError::Unavailable(_) | StoreError::Corrupt { .. } => ApplyError::Unavailable,
    }
}

fn all(waiting: &[Waiting], error: &ApplyError) -> Outcomes {
    waiting.iter().map(|_| Err(error.clone())).collect()
}

/// What would become of the waiting writes if the store stands where the base does.
struct Plan {
    batch: Batch,
    outcomes: Outcomes,
    after: Snapshot,
    /// The receipts that the store has, and those that this batch brings.
    receipts: BTreeMap<IdempotencyKey, Receipt>,
    /// How many more can be kept.
    room: u32,
}

impl Plan {
    fn decide<'a>(base: &Snapshot, known: &Receipts, requests: impl Iterator<Item = &'a Request>) -> Self {
        let receipts = known.known.iter().map(|receipt| (receipt.key.clone(), receipt.clone())).collect();
        let room = MOST_RECEIPTS.saturating_sub(known.kept);
        let (batch, after) = (Batch::default(), base.clone());
        let mut plan = Self { batch, outcomes: Vec::new(), after, receipts, room };
        for request in requests {
            let outcome = match &request.repeatable {
                None => plan.take(request),
                Some(repeatable) => plan.take_once(request, repeatable),
            };
            plan.outcomes.push(outcome);
        }
        plan
    }

    /// Takes a write, unless it was made before. Only what succeeds is kept: what was refused is decided anew.
    fn take_once(&mut self, request: &Request, repeatable: &Repeatable) -> Result<Committed, ApplyError> {
        let Repeatable { key, fingerprint, answering } = repeatable;
        if let Some(receipt) = self.receipts.get(key) {
            if receipt.fingerprint != *fingerprint {
                return Err(ApplyError::KeyReused);
            }
            return Ok(Committed { snapshot: self.after.clone(), replayed: Some(receipt.answer.clone()) });
        }
        if self.room == 0 {
            return Err(ApplyError::ReceiptsFull);
        }
        let committed = self.take(request)?;
        let (key, answer) = (key.clone(), answering(&committed.snapshot));
        let receipt = Receipt { key: key.clone(), fingerprint: *fingerprint, answer };
        self.batch.receipts.push(receipt.clone());
        self.receipts.insert(key, receipt);
        self.room -= 1;
        Ok(committed)
    }

    fn take(&mut self, request: &Request) -> Result<Committed, ApplyError> {
        let Request { change, conditions, author, at, .. } = request;
        let entry = Entry {
            revision: self.after.version().revision.saturating_add(1),
            at: *at,
            author: author.clone(),
            change: change.clone(),
        };
        let applied = self.after.apply(&entry)?;
        if self.after.is_quarantined(change.key()) {
            // It is there, but nobody knows as of when.
            if conditions.iter().any(|condition| *condition != Precondition::Exists) {
                return Err(Rejection::FlagUnreadable(change.key().clone()).into());
            }
        } else {
            let found = self.after.flag(change.key().as_str()).map(|flag| flag.revision);
            if !conditions.iter().all(|condition| condition.holds(found)) {
                return Err(ApplyError::PreconditionFailed { found });
            }
        }
        if let Applied::Changed(after) = applied {
            self.batch.rows.record(change, &after);
            self.batch.entries.push(entry);
            self.after = after;
        }
        Ok(Committed { snapshot: self.after.clone(), replayed: None })
    }

    /// What the batch makes of the live snapshot, if a flag was taken back into it while the store committed: nobody shall
    /// lose it again.
    fn carried_on(&self, shared: &Shared) -> Option<Snapshot> {
        self.after.quarantine()?;
        let live = shared.cell.load()?;
        let first = self.batch.entries.first()?;
        let is_base = live.version().epoch == self.after.version().epoch
            && live.version().revision.checked_add(1) == Some(first.revision);
        if is_base { live.replay(&self.batch.entries).ok() } else { None }
    }

    fn publish(&self, shared: &Shared, asked: Instant) {
        shared.vitals.confirmed(asked);
        let replayed = self.outcomes.iter().flatten().filter(|committed| committed.replayed.is_some());
        count(&shared.vitals.replays, replayed.count());
        let full = self.outcomes.iter().filter(|outcome| matches!(outcome, Err(ApplyError::ReceiptsFull)));
        count(&shared.vitals.receipts_full, full.count());
        if self.batch.entries.is_empty() {
            return;
        }
        count(&shared.vitals.batches, 1);
        count(&shared.vitals.changes, self.batch.entries.len());
        shared.publish_next(&Arc::new(self.carried_on(shared).unwrap_or_else(|| self.after.clone())));
        shared.feed.announce(&shared.environment, self.after.version());
    }
}
