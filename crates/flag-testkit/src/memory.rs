//! A store in memory, by the obvious code: what every other store is compared with. It can be made to fail.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use flag_core::{
    Entry, Epoch, Flag, FlagKey, Level, Overrides, Quarantine, Revision, Snapshot, SubjectId, Variant,
    Version,
};
use flag_engine::{
    Appended, Batch, BoxFuture, EnvironmentName, Fetched, FlagSource, FlagStore, HistoryPage, IdempotencyKey,
    MOST_NODES, NODE_MEMORY, NODE_SILENCE, NodeId, NodeReport, OverrideRow, RECEIPT_LIFE, Receipt, Receipts,
    Rows, SeenNode, StoreError,
};
use tokio::sync::watch;
use tokio::time::Instant;

/// Whoever is further behind gets a whole snapshot.
const MOST_CHANGES: Revision = 1_000;

/// A store of the one environment `default`. Clones are the same store.
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    nodes: Mutex<BTreeMap<NodeId, (NodeReport, Instant)>>,
    failing: watch::Sender<FailMode>,
}

/// How a [`MemoryStore`] fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailMode {
    /// Not at all.
    Works,
    /// Nothing can be asked, nothing is written.
    Unavailable,
    /// Whoever appends is told that nobody knows; nothing was written. Reading works.
    UncertainBeforeCommit,
    /// Whoever appends is told that nobody knows; it was written. Reading works.
    UncertainAfterCommit,
    /// Every question waits until the mode is another one.
    Hang,
}

impl MemoryStore {
    /// A new store: no flags, at revision 0 of an epoch that no other store of this process has.
    #[must_use]
    pub fn new() -> Self {
        let state =
            Mutex::new(State { version: Version { epoch: next_epoch(), revision: 0 }, ..State::default() });
        let nodes = Mutex::default();
        Self(Arc::new(Shared { state, nodes, failing: watch::Sender::new(FailMode::Works) }))
    }

    /// From now on fails in this way.
    pub fn set_failing(&self, mode: FailMode) {
        self.0.failing.send_replace(mode);
    }

    /// Goes back to `revision`, as a restored backup does: the later entries are lost, and a new epoch begins.
    ///
    /// # Panics
    /// If the store has not yet come to `revision`.
    pub fn restore_backup(&self, revision: Revision) {
        self.go_back(next_epoch(), revision);
    }

    /// Goes back to `revision` and keeps its epoch, as a server does that was replaced by a copy which lagged behind.
    ///
    /// # Panics
    /// If the store has not yet come to `revision`.
    pub fn lose_after(&self, revision: Revision) {
        let epoch = self.state().version.epoch;
        self.go_back(epoch, revision);
    }

    fn go_back(&self, epoch: Epoch, revision: Revision) {
        let mut state = self.state();
        assert!(revision <= state.version.revision, "there is no backup of the future");
        state.log.truncate(usize::try_from(revision).unwrap());
        let start = Snapshot::new(Version { epoch, revision: 0 }, []);
        let kept = start.replay(&state.log).unwrap();
        *state = State { log: std::mem::take(&mut state.log), ..State::of(&kept) };
    }

    /// From now on the rows of these flags, and of no others, cannot be read. No revision tells of it.
    ///
    /// # Panics
    /// If one of them is no key.
    pub fn set_unreadable(&self, flags: &[&str]) {
        let mut unreadable = Quarantine::default();
        for flag in flags {
            unreadable.add(&flag.parse().unwrap(), "it was told to be");
        }
        self.state().unreadable = unreadable;
    }

    /// The whole log, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.state().log.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Waits while the store hangs, and fails if it cannot be asked.
    async fn ready(&self, environment: &EnvironmentName) -> Result<FailMode, StoreError> {
        let mut failing = self.0.failing.subscribe();
        let mode = *failing.wait_for(|mode| *mode != FailMode::Hang).await.unwrap();
        match mode {
            FailMode::Unavailable => Err(StoreError::Unavailable("it was told to be".into())),
            _ if environment.as_str() != "default" => {
                Err(StoreError::corrupt(format!("there is no environment {environment}")))
            }
            _ => Ok(mode),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl FlagSource for MemoryStore {
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        Box::pin(async move {
            self.ready(environment).await?;
            Ok(self.state().fetch(have))
        })
    }
}

impl FlagStore for MemoryStore {
    fn append<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        expected: Version,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<Appended, StoreError>> {
        Box::pin(async move {
            let mode = self.ready(environment).await?;
            let uncertain = || StoreError::Uncertain("it was told to be".into());
            if mode == FailMode::UncertainBeforeCommit {
                return Err(uncertain());
            }
            let appended = self.state().append(expected, batch);
            if mode == FailMode::UncertainAfterCommit { Err(uncertain()) } else { Ok(appended) }
        })
    }

    fn receipts<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        keys: &'a [IdempotencyKey],
    ) -> BoxFuture<'a, Result<Receipts, StoreError>> {
        Box::pin(async move {
            self.ready(environment).await?;
            let state = self.state();
            let valid = || state.receipts.values().filter(|(_, since)| since.elapsed() < RECEIPT_LIFE);
            let known = valid().filter(|(receipt, _)| keys.contains(&receipt.key));
            Ok(Receipts {
                known: known.map(|(receipt, _)| receipt.clone()).collect(),
                kept: u32::try_from(valid().count()).unwrap(),
            })
        })
    }

    fn history<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        page: HistoryPage<'a>,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(async move {
            self.ready(environment).await?;
            let state = self.state();
            let named = state.log.iter().rev().filter(|entry| {
                page.before.is_none_or(|before| entry.revision < before)
                    && page.flag.is_none_or(|flag| entry.change.key() == flag)
            });
            Ok(named.take(usize::from(page.limit)).cloned().collect())
        })
    }

    fn report<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        report: &'a NodeReport,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.ready(environment).await?;
            let mut nodes = self.0.nodes.lock().unwrap();
            nodes.retain(|_, (found, seen)| {
                let age = seen.elapsed();
                age <= NODE_MEMORY && (age <= NODE_SILENCE || found.node.name != report.node.name)
            });
            nodes.insert(report.node.id, (report.clone(), Instant::now()));
            Ok(())
        })
    }

    fn withdraw<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        node: NodeId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.ready(environment).await?;
            self.0.nodes.lock().unwrap().remove(&node);
            Ok(())
        })
    }

    fn nodes<'a>(
        &'a self,
        environment: &'a EnvironmentName,
    ) -> BoxFuture<'a, Result<Vec<SeenNode>, StoreError>> {
        Box::pin(async move {
            self.ready(environment).await?;
            let nodes = self.0.nodes.lock().unwrap();
            let known = nodes.values().filter(|(_, seen)| seen.elapsed() <= NODE_MEMORY);
            let seen = known.map(|(NodeReport { node, version, digest }, seen)| SeenNode {
                id: node.id,
                name: node.name.as_str().to_owned(),
                version: *version,
                digest: *digest,
                age: seen.elapsed(),
            });
            Ok(seen.take(usize::from(MOST_NODES) + 1).collect())
        })
    }
}

/// An epoch that no other store of this process has; never zero.
fn next_epoch() -> Epoch {
    static LAST: AtomicU64 = AtomicU64::new(0);
    Epoch(u128::from(LAST.fetch_add(1, Ordering::Relaxed)) + 1)
}

/// The log, and the rows of the state, as a database would keep them.
#[derive(Default)]
struct State {
    version: Version,
    log: Vec<Entry>,
    flags: BTreeMap<FlagKey, Flag>,
    overrides: BTreeMap<OverrideRow, Variant>,
    unreadable: Quarantine,
    /// What is kept of writes that bore a key, and since when.
    receipts: BTreeMap<IdempotencyKey, (Receipt, Instant)>,
}

impl State {
    /// The rows of `snapshot`, without a log.
    fn of(snapshot: &Snapshot) -> Self {
        let mut state = Self { version: snapshot.version(), ..Self::default() };
        for flag in snapshot.flags() {
            for level in Level::ALL {
                state.overrides.extend(flag.overrides.iter(level).map(|pin| {
                    let subject = SubjectId::parse(pin.subject).unwrap();
                    (OverrideRow { flag: flag.key.clone(), level, subject }, pin.variant)
                }));
            }
            state.flags.insert(flag.key.clone(), Flag { overrides: Overrides::default(), ..flag.clone() });
        }
        state
    }

    fn snapshot(&self) -> Snapshot {
        let mut flags = self.flags.clone();
        for (row, variant) in &self.overrides {
            let flag = flags.get_mut(&row.flag).expect("an override hangs on a flag that is there");
            flag.overrides.set(row.level, &row.subject, *variant);
        }
        Snapshot::new(self.version, flags.into_values()).without(self.unreadable.clone())
    }

    fn fetch(&self, have: Option<Version>) -> Fetched {
        match have {
            Some(have) if have == self.version => Fetched::Unchanged,
            Some(have)
                if have.epoch == self.version.epoch
                    && have.revision < self.version.revision
                    && self.version.revision - have.revision <= MOST_CHANGES =>
            {
                Fetched::Changes(self.log[usize::try_from(have.revision).unwrap()..].to_vec())
            }
            _ => Fetched::Snapshot(self.snapshot()),
        }
    }

    fn append(&mut self, expected: Version, batch: &Batch) -> Appended {
        if expected != self.version {
            return Appended::Conflict;
        }
        self.receipts.retain(|_, (_, since)| since.elapsed() < RECEIPT_LIFE);
        if batch.receipts.iter().any(|receipt| self.receipts.contains_key(&receipt.key)) {
            return Appended::Conflict;
        }
        let kept =
            batch.receipts.iter().map(|receipt| (receipt.key.clone(), (receipt.clone(), Instant::now())));
        self.receipts.extend(kept);
        for entry in &batch.entries {
            self.version.revision += 1;
            assert_eq!(
                entry.revision, self.version.revision,
                "the entries of a batch follow the version it expects"
            );
            self.log.push(entry.clone());
        }
        self.write(&batch.rows);
        Appended::Committed
    }

    fn write(&mut self, rows: &Rows) {
        let is_written = |key: &FlagKey| rows.removed_flags.contains(key) || rows.flags.contains_key(key);
        let mut unreadable = Quarantine::default();
        for key in self.unreadable.keys().filter(|key| !is_written(key)) {
            unreadable.add(key, "it was told to be");
        }
        self.unreadable = unreadable;
        for key in &rows.removed_flags {
            self.flags.remove(key);
            self.overrides.retain(|row, _| row.flag != *key);
        }
        self.flags.extend(rows.flags.clone());
        for row in &rows.removed_overrides {
            self.overrides.remove(row);
        }
        self.overrides.extend(rows.overrides.clone());
    }
}
