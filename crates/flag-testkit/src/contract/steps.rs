//! What checks of a store do again and again.

use std::sync::Arc;

use flag_core::{Change, Entry, FlagKey, Level, Snapshot, SubjectId, Variant, Version};
use flag_engine::document::SnapshotDocument;
use flag_engine::{Appended, EnvironmentName, Fetched, FlagStore, HistoryPage};

use crate::planned::Planned;

/// The store under test.
pub(super) type Store = Arc<dyn FlagStore>;

pub(super) fn environment() -> EnvironmentName {
    EnvironmentName::parse("default").unwrap()
}

pub(super) fn key(text: &str) -> FlagKey {
    text.parse().unwrap()
}

pub(super) fn created(text: &str) -> Change {
    Change::flag_created(key(text), Variant::OFF)
}

pub(super) fn deleted(text: &str) -> Change {
    Change::FlagDeleted { key: key(text) }
}

pub(super) fn switched(text: &str, variant: Variant) -> Change {
    Change::GlobalSet { key: key(text), variant }
}

pub(super) fn pinned(flag: &str, level: Level, id: &str) -> Change {
    let subject = SubjectId::parse(id).unwrap();
    Change::OverrideSet { key: key(flag), level, subject, variant: Variant::ON }
}

pub(super) fn released(flag: &str, level: Level, id: &str) -> Change {
    Change::OverrideRemoved { key: key(flag), level, subject: SubjectId::parse(id).unwrap() }
}

/// Everything that the store has.
pub(super) async fn whole(store: &Store) -> Snapshot {
    match store.fetch(&environment(), None).await.unwrap() {
        Fetched::Snapshot(snapshot) => snapshot,
        other => panic!("whoever has nothing gets a whole snapshot, not {other:?}"),
    }
}

/// The whole log, oldest first, read in pages.
pub(super) async fn log(store: &Store) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let before = entries.last().map(|entry| entry.revision);
        let page = HistoryPage { before, flag: None, limit: 500 };
        let page = store.history(&environment(), page).await.unwrap();
        if page.is_empty() {
            entries.reverse();
            return entries;
        }
        entries.extend(page);
    }
}

/// Commits those of `changes` that hold after `base`, as one batch, and gives what they make of it.
pub(super) async fn commit(
    store: &Store,
    base: &Snapshot,
    changes: impl IntoIterator<Item = Change>,
) -> Snapshot {
    let Planned { batch, after } = Planned::new(base, changes);
    let appended = store.append(&environment(), base.version(), &batch).await.unwrap();
    assert_eq!(appended, Appended::Committed);
    after
}

/// The store stands at `expected`, holds exactly its flags, and its log leads there.
pub(super) async fn assert_stands_at(store: &Store, expected: &Snapshot) {
    let found = whole(store).await;
    assert_same(&found, expected);
    let start = Version { revision: 0, ..found.version() };
    let folded = log(store).await.iter().fold(Snapshot::new(start, []), |s, entry| s.with(entry).unwrap());
    assert_same(&folded, expected);
}

pub(super) fn assert_same(found: &Snapshot, expected: &Snapshot) {
    assert!(found == expected, "expected {}, found {}", shown(expected), shown(found));
}

/// A snapshot as text, flag by flag.
pub(super) fn shown(snapshot: &Snapshot) -> String {
    serde_json::to_string_pretty(&SnapshotDocument(snapshot)).unwrap()
}
