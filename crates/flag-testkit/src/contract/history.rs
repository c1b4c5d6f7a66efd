//! The log: newest first, in pages, for everything or for one flag.

use flag_core::{Entry, FlagKey, Level, Revision, Variant};
use flag_engine::HistoryPage;

use super::steps::{Store, commit, created, deleted, environment, key, log, pinned, switched, whole};
use crate::planned::Planned;

/// Ten entries, of which `a` has five, `A` four and `b` one.
async fn fill(store: &Store) -> Vec<Entry> {
    let mut snapshot = whole(store).await;
    let mut entries = Vec::new();
    for changes in [
        vec![created("a"), created("A"), switched("a", Variant::ON)],
        vec![created("b"), pinned("A", Level::User, "a")],
        vec![
            deleted("a"),
            switched("A", Variant::ON),
            created("a"),
            pinned("a", Level::User, "A"),
            deleted("A"),
        ],
    ] {
        entries.extend(Planned::new(&snapshot, changes.clone()).batch.entries);
        snapshot = commit(store, &snapshot, changes).await;
    }
    assert_eq!(entries.len(), 10);
    entries
}

async fn page(store: &Store, before: Option<Revision>, flag: Option<&FlagKey>, limit: u16) -> Vec<Entry> {
    store.history(&environment(), HistoryPage { before, flag, limit }).await.unwrap()
}

pub(super) async fn the_log_is_read_newest_first_without_gaps(store: Store) {
    let mut entries = fill(&store).await;
    assert_eq!(log(&store).await, entries);
    let revisions: Vec<Revision> = entries.iter().map(|entry| entry.revision).collect();
    assert_eq!(revisions, (1..=10).collect::<Vec<_>>());
    entries.reverse();
    assert_eq!(page(&store, None, None, 100).await, entries);
}

pub(super) async fn pages_continue_below_one_another(store: Store) {
    let mut entries = fill(&store).await;
    entries.reverse();
    assert_eq!(page(&store, None, None, 3).await, entries[..3]);
    assert_eq!(page(&store, Some(8), None, 3).await, entries[3..6]);
    assert_eq!(page(&store, Some(2), None, 3).await, entries[9..]);
    assert_eq!(page(&store, Some(11), None, 1).await, entries[..1]);
}

pub(super) async fn only_entries_of_the_flag_asked_for_are_given(store: Store) {
    let mut entries = fill(&store).await;
    entries.reverse();
    for flag in ["a", "A", "b"] {
        let flag = key(flag);
        let of_flag: Vec<Entry> =
            entries.iter().filter(|entry| *entry.change.key() == flag).cloned().collect();
        assert_eq!(page(&store, None, Some(&flag), 100).await, of_flag);
        assert_eq!(page(&store, None, Some(&flag), 1).await, of_flag[..1]);
        let older = page(&store, Some(of_flag[0].revision), Some(&flag), 2).await;
        assert_eq!(older, of_flag[1..of_flag.len().min(3)]);
    }
    assert!(page(&store, None, Some(&key("unknown")), 100).await.is_empty());
}

pub(super) async fn the_ends_of_the_log_are_no_error(store: Store) {
    assert!(page(&store, None, None, 100).await.is_empty());
    fill(&store).await;
    for (before, limit, count) in [
        (Some(0), 100, 0),
        (Some(1), 100, 0),
        (Some(2), 100, 1),
        (Some(i64::MAX.unsigned_abs() + 1), 100, 10),
        (Some(Revision::MAX), 100, 10),
        (None, 0, 0),
        (None, u16::MAX, 10),
    ] {
        assert_eq!(page(&store, before, None, limit).await.len(), count, "before {before:?}, limit {limit}");
    }
}
