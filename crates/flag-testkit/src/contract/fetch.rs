//! What a source answers, by what the asker already has.

use flag_core::{Epoch, Level, Revision, Snapshot, Variant, Version};
use flag_engine::{Appended, Batch, EnvironmentName, Fetched};

use super::steps::{
    Store, assert_same, assert_stands_at, commit, created, environment, pinned, switched, whole,
};

pub(super) async fn a_new_store_is_empty_at_revision_0_of_an_epoch(store: Store) {
    let snapshot = whole(&store).await;
    assert!(snapshot.is_empty());
    assert_eq!(snapshot.version().revision, 0);
    assert_ne!(snapshot.version().epoch, Epoch(0), "an epoch is random, and never zero");
    assert_stands_at(&store, &snapshot).await;
}

pub(super) async fn what_was_appended_is_fetched_as_the_reducer_has_it(store: Store) {
    let empty = whole(&store).await;
    let one = commit(&store, &empty, [created("a")]).await;
    assert_stands_at(&store, &one).await;
    let more = [pinned("a", Level::User, "u"), created("b"), switched("a", Variant::ON)];
    let two = commit(&store, &one, more).await;
    assert_eq!(two.version().revision, 4);
    assert_stands_at(&store, &two).await;
}

pub(super) async fn who_has_the_newest_version_is_told_so(store: Store) {
    let mut snapshot = whole(&store).await;
    for flag in ["a", "b"] {
        let fetched = fetch(&store, snapshot.version()).await;
        assert!(matches!(fetched, Fetched::Unchanged), "found {fetched:?}");
        snapshot = commit(&store, &snapshot, [created(flag)]).await;
    }
}

pub(super) async fn who_is_a_little_behind_gets_the_changes(store: Store) {
    let mut seen = vec![whole(&store).await];
    for flag in ["a", "b", "c"] {
        let next =
            commit(&store, seen.last().unwrap(), [created(flag), pinned(flag, Level::Group, "g")]).await;
        seen.push(next);
    }
    let newest = seen.last().unwrap();
    for have in &seen[..3] {
        match fetch(&store, have.version()).await {
            Fetched::Changes(entries) => {
                assert_eq!(entries.len() as u64, newest.version().revision - have.version().revision);
                assert_same(&entries.iter().fold(have.clone(), |s, entry| s.with(entry).unwrap()), newest);
            }
            other => panic!("a few changes are given one by one, not as {other:?}"),
        }
    }
}

pub(super) async fn who_is_far_behind_gets_everything(store: Store) {
    let empty = whole(&store).await;
    let mut snapshot = commit(&store, &empty, [created("a")]).await;
    while snapshot.version().revision < 1_001 {
        let changes = (0..200).map(|number| switched("a", Variant::from(number % 2 == 0)));
        snapshot = commit(&store, &snapshot, changes).await;
    }
    let newest = snapshot.version();
    for behind in [1_001, newest.revision] {
        let have = Version { revision: newest.revision - behind, ..newest };
        assert_is_everything(&fetch(&store, have).await, &snapshot);
    }
    // A thousand may come either way, but must lead to the same state.
    let have = Version { revision: newest.revision - 1_000, ..newest };
    match fetch(&store, have).await {
        Fetched::Snapshot(found) => assert_same(&found, &snapshot),
        Fetched::Changes(entries) => {
            let revisions: Vec<Revision> = entries.iter().map(|entry| entry.revision).collect();
            assert!(revisions.into_iter().eq(have.revision + 1..=newest.revision));
        }
        other => panic!("a thousand changes are not {other:?}"),
    }
}

pub(super) async fn who_stands_in_another_epoch_gets_everything(store: Store) {
    let empty = whole(&store).await;
    let snapshot = commit(&store, &empty, [created("a"), created("b")]).await;
    let Version { epoch, revision } = snapshot.version();
    for foreign in [Epoch(0), Epoch(epoch.0 ^ 1), Epoch(!epoch.0), Epoch(u128::MAX)] {
        for revision in [0, revision - 1, revision, revision + 1, Revision::MAX] {
            let fetched = fetch(&store, Version { epoch: foreign, revision }).await;
            assert_is_everything(&fetched, &snapshot);
        }
    }
}

pub(super) async fn who_is_ahead_of_the_store_gets_everything(store: Store) {
    let empty = whole(&store).await;
    let snapshot = commit(&store, &empty, [created("a")]).await;
    for revision in [2, 2_000, i64::MAX.unsigned_abs(), i64::MAX.unsigned_abs() + 1, Revision::MAX] {
        let have = Version { revision, ..snapshot.version() };
        assert_is_everything(&fetch(&store, have).await, &snapshot);
    }
}

pub(super) async fn an_environment_that_does_not_exist_is_an_error(store: Store) {
    let here = whole(&store).await.version();
    let nowhere = EnvironmentName::parse("nowhere").unwrap();
    for have in [None, Some(here)] {
        assert!(store.fetch(&nowhere, have).await.is_err(), "an empty environment would look healthy");
    }
    let appended = store.append(&nowhere, here, &Batch::default()).await;
    assert!(!matches!(appended, Ok(Appended::Committed)), "found {appended:?}");
}

async fn fetch(store: &Store, have: Version) -> Fetched {
    store.fetch(&environment(), Some(have)).await.unwrap()
}

fn assert_is_everything(fetched: &Fetched, expected: &Snapshot) {
    match fetched {
        Fetched::Snapshot(found) => assert_same(found, expected),
        other => panic!("expected a whole snapshot, found {other:?}"),
    }
}
