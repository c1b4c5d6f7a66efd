//! What a node starts from, by what is on its disk and by what the source above it says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flag_cache_disk::DiskSource;
use flag_core::{Epoch, Snapshot, Version};
use flag_engine::{Bootstrap, BoxFuture, EnvironmentName, Fetched, FlagSource, StoreError};
use flag_testkit::memory::{FailMode, MemoryStore};

use crate::steps::{Listening, STORE, commit, created, environment, everything, keep, stale};

#[tokio::test]
async fn a_node_that_starts_asks_the_store_only_for_what_is_newer_than_what_it_kept() {
    let (directory, store) = (tempfile::tempdir().unwrap(), MemoryStore::new());
    let kept = commit(&store, [created("a"), created("b")]).await;
    keep(directory.path(), &kept);
    let node = Listening::to(store.clone());
    assert_eq!(everything(&node.over(directory.path())).await, *kept);
    let newest = commit(&store, [created("c")]).await;
    assert_eq!(everything(&node.over(directory.path())).await, *newest);
    assert_eq!(*node.asked.lock().unwrap(), [Some(kept.version()); 2]);
}

#[tokio::test]
async fn a_node_with_nothing_on_its_disk_asks_for_everything() {
    let (directory, store) = (tempfile::tempdir().unwrap(), MemoryStore::new());
    let newest = commit(&store, [created("a")]).await;
    let node = Listening::to(store.clone());
    let source = node.over(&directory.path().join("none"));
    assert!(!source.may_have(&environment()));
    assert_eq!(everything(&source).await, *newest);
    assert_eq!(*node.asked.lock().unwrap(), [None]);
    store.set_failing(FailMode::Unavailable);
    let fetched = source.fetch(&environment(), None).await;
    assert!(matches!(fetched, Err(StoreError::Unavailable(_))), "{fetched:?}");
}

#[tokio::test]
async fn a_node_whose_store_does_not_answer_starts_from_the_disk_within_a_second() {
    let (directory, store) = (tempfile::tempdir().unwrap(), MemoryStore::new());
    let kept = commit(&store, [created("a"), created("b")]).await;
    keep(directory.path(), &kept);
    for mode in [FailMode::Unavailable, FailMode::Hang] {
        store.set_failing(mode);
        // The machine may be busy with something else during one start, but hardly during three.
        let mut fastest = Duration::MAX;
        for _ in 0..3 {
            let source = Listening::to(store.clone()).over(directory.path());
            assert!(source.may_have(&environment()));
            let started = Instant::now();
            let (snapshot, from, why) = stale(&source).await;
            fastest = fastest.min(started.elapsed());
            assert_eq!((&snapshot, from), (&*kept, "disk"));
            assert!(matches!(why, StoreError::Unavailable(_)), "{why}");
        }
        assert!(fastest < Duration::from_secs(1), "{mode:?}: {fastest:?}");
    }
}

#[tokio::test]
async fn another_history_replaces_what_was_kept_and_a_lost_one_does_not() {
    let (directory, store) = (tempfile::tempdir().unwrap(), MemoryStore::new());
    let kept = commit(&store, [created("a"), created("b"), created("c")]).await;
    keep(directory.path(), &kept);
    let node = Listening::to(store.clone());
    store.lose_after(1);
    let (snapshot, from, why) = stale(&node.over(directory.path())).await;
    assert_eq!((&snapshot, from), (&*kept, "disk"));
    assert!(matches!(why, StoreError::Corrupt { .. }), "{why}");
    store.restore_backup(1);
    let now = everything(&store).await;
    assert_eq!((now.version().revision, everything(&node.over(directory.path())).await), (1, now));
}

#[tokio::test]
async fn a_log_that_does_not_continue_what_was_kept_is_not_believed() {
    let (directory, store) = (tempfile::tempdir().unwrap(), MemoryStore::new());
    let before = commit(&store, [created("a")]).await;
    // Of this version, but with a flag that the log creates next.
    let flags = commit(&store, [created("b")]).await;
    let wrong = Snapshot::new(before.version(), flags.flags().cloned());
    keep(directory.path(), &Arc::new(wrong));
    let node = Listening::to(store.clone());
    assert_eq!(everything(&node.over(directory.path())).await, *flags);
    assert_eq!(*node.asked.lock().unwrap(), [Some(before.version()), None]);
}

#[tokio::test]
async fn once_something_is_live_the_disk_is_not_read_any_more() {
    let (directory, store) = (tempfile::tempdir().unwrap(), MemoryStore::new());
    let kept = commit(&store, [created("a")]).await;
    keep(directory.path(), &kept);
    let node = Listening::to(store.clone());
    let source = node.over(directory.path());
    source.fetch(&environment(), Some(kept.version())).await.unwrap();
    source.offer(&environment(), &kept);
    everything(&source).await;
    assert_eq!(*node.asked.lock().unwrap(), [Some(kept.version()), None]);
}

#[tokio::test]
async fn what_was_kept_for_another_database_is_not_served() {
    let (directory, store) = (tempfile::tempdir().unwrap(), MemoryStore::new());
    keep(directory.path(), &commit(&store, [created("a")]).await);
    store.set_failing(FailMode::Unavailable);
    let source = DiskSource::start(directory.path().to_owned(), "db/others", Arc::new(store)).unwrap();
    assert!(source.fetch(&environment(), None).await.is_err());
    assert_eq!(source.bootstrap(), Some(Bootstrap { name: "disk", is_up: true, refused: 1 }));
    assert_ne!(STORE, "db/others");
}

/// A cache that cannot ask its store, and has this.
#[derive(Clone)]
struct Cache(Snapshot);

impl FlagSource for Cache {
    fn fetch<'a>(
        &'a self,
        _: &'a EnvironmentName,
        _: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        let why = StoreError::Unavailable("it is gone".into());
        Box::pin(async { Ok(Fetched::Stale { snapshot: self.0.clone(), from: "cache", why }) })
    }
}

#[tokio::test]
async fn of_what_the_disk_and_a_cache_have_the_newer_of_one_history_counts() {
    let directory = tempfile::tempdir().unwrap();
    let at = |epoch, revision| Snapshot::new(Version { epoch: Epoch(epoch), revision }, []);
    keep(directory.path(), &Arc::new(at(1, 7)));
    for (cached, expected) in [
        (at(1, 6), "disk"),
        (at(1, 7), "cache"),
        (at(1, 8), "cache"),
        (at(2, 3), "cache"),
        (at(2, 9), "cache"),
    ] {
        let (snapshot, from, _) = stale(&Listening::to(Cache(cached.clone())).over(directory.path())).await;
        assert_eq!(from, expected, "{cached:?}");
        assert_eq!(snapshot, if from == "disk" { at(1, 7) } else { cached });
    }
}
