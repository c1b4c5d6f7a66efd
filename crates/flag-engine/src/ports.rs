//! The ports: what the engine needs from a store, a source and a feed. Each adapter passes the contract suite of `flag-testkit`.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use flag_core::{Entry, FlagKey, Revision, Snapshot, Version};
use tokio::sync::watch;

use crate::bound::BoundHits;
use crate::environment::EnvironmentName;
use crate::nodes::{NodeId, NodeReport, SeenNode};
use crate::receipt::{IdempotencyKey, Receipt, Receipts};
use crate::rows::Rows;

/// A future behind a port.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where snapshots come from.
pub trait FlagSource: Send + Sync + 'static {
    /// What is newer than `have`; a whole snapshot if nothing is at hand yet.
    ///
    /// The answer holds for one moment between the call and its end. A source that stands in another epoch than `have`
    /// gives its whole snapshot, and so does one whose log cannot be read where it is needed.
    ///
    /// Flags that cannot be read are missing from a whole snapshot, which says so: see [`Snapshot::quarantine`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it could not be asked, [`StoreError::Corrupt`] if it cannot be told where it stands.
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>>;

    /// Shows a snapshot that has just become live. A source that shares snapshots with other nodes may keep it; it must
    /// not let the caller wait. One that lacks flags is never shown.
    fn offer(&self, environment: &EnvironmentName, snapshot: &Arc<Snapshot>) {
        let _ = (environment, snapshot);
    }

    /// How often each bound of this source and of the sources that it is wrapped round was hit, the store's own excepted.
    fn bounds(&self) -> Vec<BoundHits> {
        Vec::new()
    }

    /// The name of the cache that stands between this source and the store, if there is one, and whether it answers.
    fn cache(&self) -> Option<(&'static str, bool)> {
        None
    }

    /// How what this node keeps of its own to start from is doing, if it keeps anything.
    fn bootstrap(&self) -> Option<Bootstrap> {
        None
    }
}

/// What a node keeps of its own, so that it can start while nobody else can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bootstrap {
    /// Where it is kept.
    pub name: &'static str,
    /// Whether what became live last is kept, or is about to be.
    pub is_up: bool,
    /// How many kept snapshots were passed over since the start of this process because they could not be used.
    pub refused: u64,
}

/// What a source has.
#[derive(Debug)]
pub enum Fetched {
    /// Nothing newer.
    Unchanged,
    /// The entries that follow the version asked for, in order and without a gap; at least one.
    Changes(Vec<Entry>),
    /// Everything.
    Snapshot(Snapshot),
    /// Everything as it once was, because the store cannot be asked. Whether it is the newest, nobody knows.
    Stale {
        /// What somebody still has.
        snapshot: Snapshot,
        /// Who that is: the name of a cache, or of what this node keeps of its own.
        from: &'static str,
        /// What the store said instead.
        why: StoreError,
    },
}

/// Where changes become durable. Stores hold no rule of the domain: the batch says what to write.
pub trait FlagStore: FlagSource {
    /// Writes `batch`, all of it or nothing, if the environment still stands at `expected`, and if none of its receipts is
    /// there already. An empty batch asks only whether it does.
    ///
    /// [`Appended::Committed`] means that the batch is durable: it survives the loss of power at that moment.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if nothing was written, [`StoreError::Uncertain`] if nobody can know,
    /// [`StoreError::Corrupt`] if nothing was written and nothing will be.
    fn append<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        expected: Version,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<Appended, StoreError>>;

    /// The receipts of these keys, as far as there are any.
    ///
    /// # Errors
    /// As [`FlagSource::fetch`].
    fn receipts<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        keys: &'a [IdempotencyKey],
    ) -> BoxFuture<'a, Result<Receipts, StoreError>>;

    /// The entries of the log that `page` names, newest first.
    ///
    /// # Errors
    /// As [`FlagSource::fetch`].
    fn history<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        page: HistoryPage<'a>,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>>;

    /// Notes where a node stands, in the place of what it reported before. Forgets nodes that have not reported for longer
    /// than [`NODE_MEMORY`](crate::NODE_MEMORY), and those that have the name of this one and are silent. Reports need not
    /// be durable, and must keep nobody waiting who fetches or appends.
    ///
    /// # Errors
    /// [`StoreError`] if it was not noted.
    fn report<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        report: &'a NodeReport,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Forgets a node, which stops. One that is not known is no error.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been forgotten.
    fn withdraw<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        node: NodeId,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The nodes that have reported within [`NODE_MEMORY`](crate::NODE_MEMORY) by the store's clock, in the order of their
    /// ids; of more than [`MOST_NODES`](crate::MOST_NODES) only one more than that.
    ///
    /// # Errors
    /// As [`FlagSource::fetch`].
    fn nodes<'a>(
        &'a self,
        environment: &'a EnvironmentName,
    ) -> BoxFuture<'a, Result<Vec<SeenNode>, StoreError>>;
}

/// What is written in one transaction: log entries, whose revisions follow the expected one, and the rows of the state that
/// they bring about.
#[derive(Clone, Default, Debug)]
pub struct Batch {
    /// The new end of the log.
    pub entries: Vec<Entry>,
    /// What becomes of the state.
    pub rows: Rows,
    /// What is kept of writes that may be repeated; also of those that changed nothing.
    pub receipts: Vec<Receipt>,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_question(&self) -> bool {
        self.entries.is_empty() && self.receipts.is_empty()
    }
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appended {
    /// It is durable.
    Committed,
    /// The environment no longer stands where the batch expected it, or one of its receipts is there already; nothing was
    /// written.
    Conflict,
}

/// A page of the log.
#[derive(Clone, Copy, Debug)]
pub struct HistoryPage<'a> {
    /// Only entries below this revision.
    pub before: Option<Revision>,
    /// Only entries of this flag.
    pub flag: Option<&'a FlagKey>,
    /// How many at most.
    pub limit: u16,
}

/// Why a store or a source could not do what it was asked, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached or is too busy, and nothing was written: try again later.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It went silent during a commit: look before trying again.
    #[error("the store did not say whether it committed")]
    Uncertain(#[source] Box<dyn Error + Send + Sync>),
    /// What it holds cannot be read: an operator has to look.
    #[error("what the store holds cannot be read: {what}")]
    Corrupt {
        /// What cannot be read, and why.
        what: String,
    },
}

impl StoreError {
    /// A store that stands at `found` although it had come to `had`, which somebody was told is durable. To go on from there
    /// would give the lost revisions away again, to other changes, and nodes could no longer tell who has which.
    #[must_use]
    pub fn lost(had: Version, found: Version) -> Self {
        Self::corrupt(format!(
            "the store is at revision {} and had come to {}: it was restored or lost what it had acknowledged; give its \
             history a new epoch",
            found.revision, had.revision
        ))
    }

    /// Something that cannot be read.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}

/// How nodes tell each other that there is something to fetch. A hint is no data: if all are lost, nodes are late, not wrong.
pub trait ChangeFeed: Send + Sync + 'static {
    /// Tells everybody that an environment has come to `version`: best effort, without letting the caller wait. Of several
    /// versions only the latest need be told.
    fn announce(&self, environment: &EnvironmentName, version: Version);

    /// What the others announce, from now on.
    fn hints(&self) -> Hints;

    /// The channel's name in metrics and health checks.
    fn name(&self) -> &'static str;

    /// Whether hints are expected to arrive at present.
    fn is_up(&self) -> bool;
}

/// The latest hint; older ones are of no use.
pub type Hints = watch::Receiver<Hint>;

/// What was heard last.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Hint {
    /// The version that was announced.
    pub version: Version,
    /// How often the channel was interrupted, so that anything may have been missed.
    pub interruptions: u64,
}
