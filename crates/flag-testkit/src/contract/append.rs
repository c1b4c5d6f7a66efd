//! What becomes of a batch: written whole or not at all, and only where it was meant to follow.

use std::sync::Arc;
use std::time::Duration;

use flag_core::{Epoch, Level, Revision, Variant, Version};
use flag_engine::{Appended, Batch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::steps::{
    Store, assert_stands_at, commit, created, environment, pinned, released, switched, whole,
};
use crate::planned::Planned;

pub(super) async fn another_revision_is_a_conflict_and_writes_nothing(store: Store) {
    let empty = whole(&store).await;
    let stale = commit(&store, &empty, [created("a")]).await;
    let newest = commit(&store, &stale, [created("b"), pinned("b", Level::User, "u")]).await;
    let planned = Planned::new(&stale, [created("c"), pinned("a", Level::Region, "IN")]);
    for revision in [0, 1, 2, 4, i64::MAX.unsigned_abs(), Revision::MAX] {
        let expected = Version { revision, ..newest.version() };
        for batch in [&planned.batch, &Batch::default()] {
            let appended = store.append(&environment(), expected, batch).await.unwrap();
            assert_eq!(appended, Appended::Conflict, "expected {expected:?}");
        }
    }
    assert_stands_at(&store, &newest).await;
}

pub(super) async fn another_epoch_is_a_conflict_and_writes_nothing(store: Store) {
    let empty = whole(&store).await;
    let newest = commit(&store, &empty, [created("a")]).await;
    let planned = Planned::new(&newest, [created("b")]);
    let Version { epoch, revision } = newest.version();
    for foreign in [Epoch(0), Epoch(epoch.0 ^ 1), Epoch(epoch.0 ^ 1 << 127), Epoch(u128::MAX)] {
        for batch in [&planned.batch, &Batch::default()] {
            let expected = Version { epoch: foreign, revision };
            let appended = store.append(&environment(), expected, batch).await.unwrap();
            assert_eq!(appended, Appended::Conflict, "expected {expected:?}");
        }
    }
    assert_stands_at(&store, &newest).await;
}

pub(super) async fn an_empty_batch_only_asks(store: Store) {
    let mut snapshot = whole(&store).await;
    for flag in ["a", "b"] {
        let appended = store.append(&environment(), snapshot.version(), &Batch::default()).await.unwrap();
        assert_eq!(appended, Appended::Committed);
        assert_stands_at(&store, &snapshot).await;
        snapshot = commit(&store, &snapshot, [created(flag)]).await;
    }
}

pub(super) async fn of_appends_from_one_base_exactly_one_is_committed(store: Store) {
    let mut base = whole(&store).await;
    for round in 0..4 {
        let mut tasks = JoinSet::new();
        for writer in 0..8 {
            let store = Arc::clone(&store);
            let changes =
                [created(&format!("flag-{round}-{writer}")), created(&format!("twin-{round}-{writer}"))];
            let (planned, expected) = (Planned::new(&base, changes), base.version());
            tasks.spawn(async move {
                let appended = store.append(&environment(), expected, &planned.batch).await.unwrap();
                (appended, planned.after)
            });
        }
        let outcomes = tasks.join_all().await;
        let mut committed = outcomes.into_iter().filter(|(appended, _)| *appended == Appended::Committed);
        base = committed.next().expect("one is the first").1;
        assert!(committed.next().is_none(), "two batches were committed onto one base");
        assert_stands_at(&store, &base).await;
    }
}

pub(super) async fn an_append_that_nobody_waits_for_is_made_whole_or_not_at_all(store: Store) {
    let mut base = whole(&store).await;
    for round in 0..8 {
        let flags: Vec<String> = (0..50).map(|number| format!("flag-{round}-{number}")).collect();
        let planned = Planned::new(&base, flags.iter().map(|flag| created(flag)));
        // It is given up at once, or after a moment.
        let patience = Duration::from_micros(200 * round);
        let _ = timeout(patience, store.append(&environment(), base.version(), &planned.batch)).await;
        let next = base_after(&store, &planned).await;
        let appended = store.append(&environment(), next, &Batch::default()).await.unwrap();
        assert_eq!(appended, Appended::Committed, "round {round}");
        if next == planned.after.version() {
            base = planned.after;
        }
        assert_stands_at(&store, &base).await;
    }
}

/// Where the store stands once it is at rest. An append that was given up may still be under way for a moment.
async fn base_after(store: &Store, planned: &Planned) -> Version {
    for _ in 0..20 {
        if whole(store).await.version() == planned.after.version() {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    whole(store).await.version()
}

pub(super) async fn a_batch_of_256_entries_is_one_commit(store: Store) {
    let empty = whole(&store).await;
    let changes = (0..64).flat_map(|number| {
        let flag = format!("flag-{number}");
        let mut changes = vec![
            created(&flag),
            pinned(&flag, Level::User, "u"),
            switched(&flag, Variant::ON),
            released(&flag, Level::User, "u"),
        ];
        if number % 2 == 0 {
            changes[3] = pinned(&flag, Level::Group, "g");
        }
        changes
    });
    let after = commit(&store, &empty, changes).await;
    assert_eq!(after.version().revision, 256);
    assert_stands_at(&store, &after).await;
}
