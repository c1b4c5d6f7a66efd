//! What these tests do again and again.

use std::path::Path;

use flag_core::{Change, Snapshot, Variant, Version};
use flag_engine::{Appended, EnvironmentName, Fetched, FlagSource, FlagStore, StoreError};
use flag_store_sqlite::SqliteStore;
use flag_testkit::planned::Planned;

pub(crate) fn environment() -> EnvironmentName {
    EnvironmentName::parse("default").unwrap()
}

pub(crate) fn created(flag: &str) -> Change {
    Change::flag_created(flag.parse().unwrap(), Variant::ON)
}

pub(crate) fn deleted(flag: &str) -> Change {
    Change::FlagDeleted { key: flag.parse().unwrap() }
}

pub(crate) fn pinned(flag: &str, subject: &str) -> Change {
    let subject = flag_core::SubjectId::parse(subject).unwrap();
    Change::OverrideSet {
        key: flag.parse().unwrap(),
        level: flag_core::Level::User,
        subject,
        variant: Variant::OFF,
    }
}

pub(crate) fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path).unwrap()
}

pub(crate) async fn fetch(store: &SqliteStore, have: Option<Version>) -> Result<Fetched, StoreError> {
    store.fetch(&environment(), have).await
}

pub(crate) async fn whole(store: &SqliteStore) -> Snapshot {
    match fetch(store, None).await.unwrap() {
        Fetched::Snapshot(snapshot) => snapshot,
        other => panic!("not a snapshot: {other:?}"),
    }
}

/// Commits `changes` onto whatever the store has, and gives what it then has.
pub(crate) async fn commit<const N: usize>(store: &SqliteStore, changes: [Change; N]) -> Snapshot {
    loop {
        let base = whole(store).await;
        let planned = Planned::new(&base, changes.clone());
        let appended = store.append(&environment(), base.version(), &planned.batch).await;
        if appended.unwrap() == Appended::Committed {
            return planned.after;
        }
    }
}
