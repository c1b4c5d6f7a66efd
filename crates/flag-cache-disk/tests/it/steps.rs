//! What these tests do again and again.

use std::path::Path;
use std::sync::{Arc, Mutex};

use flag_cache_disk::DiskSource;
use flag_core::{Change, Snapshot, Variant, Version};
use flag_engine::{Appended, BoxFuture, EnvironmentName, Fetched, FlagSource, FlagStore, StoreError};
use flag_testkit::memory::MemoryStore;
use flag_testkit::planned::Planned;

pub(crate) const STORE: &str = "db:5432/flags";

pub(crate) fn environment() -> EnvironmentName {
    EnvironmentName::parse("default").unwrap()
}

pub(crate) fn created(flag: &str) -> Change {
    Change::flag_created(flag.parse().unwrap(), Variant::OFF)
}

/// Commits `changes` to the store, and gives what it is afterwards.
pub(crate) async fn commit(store: &MemoryStore, changes: impl IntoIterator<Item = Change>) -> Arc<Snapshot> {
    let base = everything(store).await;
    let planned = Planned::new(&base, changes);
    let appended = store.append(&environment(), base.version(), &planned.batch).await.unwrap();
    assert_eq!(appended, Appended::Committed);
    Arc::new(planned.after)
}

/// Everything that a source has, and that its store vouches for.
pub(crate) async fn everything(source: &dyn FlagSource) -> Snapshot {
    match source.fetch(&environment(), None).await {
        Ok(Fetched::Snapshot(snapshot)) => snapshot,
        other => panic!("whoever has nothing gets a whole snapshot, not {other:?}"),
    }
}

/// What a source has although its store cannot be asked, from where, and why.
pub(crate) async fn stale(source: &dyn FlagSource) -> (Snapshot, &'static str, StoreError) {
    match source.fetch(&environment(), None).await {
        Ok(Fetched::Stale { snapshot, from, why }) => (snapshot, from, why),
        other => panic!("nobody vouches for it, and yet it is {other:?}"),
    }
}

/// Keeps `snapshot` in `directory` as a node does that had it live.
pub(crate) fn keep(directory: &Path, snapshot: &Arc<Snapshot>) {
    let source = DiskSource::start(directory.to_owned(), STORE, Arc::new(MemoryStore::new())).unwrap();
    source.offer(&environment(), snapshot);
    source.finish();
}

/// What a source says to whoever asks it, and a list of what it was asked for.
#[derive(Clone)]
pub(crate) struct Listening<T> {
    pub(crate) source: T,
    pub(crate) asked: Arc<Mutex<Vec<Option<Version>>>>,
}

impl<T: FlagSource + Clone> Listening<T> {
    pub(crate) fn to(source: T) -> Self {
        Self { source, asked: Arc::default() }
    }

    /// A node's source that keeps in `directory`.
    pub(crate) fn over(&self, directory: &Path) -> DiskSource {
        DiskSource::start(directory.to_owned(), STORE, Arc::new(self.clone())).unwrap()
    }
}

impl<T: FlagSource> FlagSource for Listening<T> {
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        self.asked.lock().unwrap().push(have);
        self.source.fetch(environment, have)
    }
}
