//! The store in memory and the feed of a process, under the contracts; and the store's ways to fail.

use std::sync::Arc;

use flag_core::{Change, Snapshot, Variant};
use flag_engine::{
    Appended, Batch, EnvironmentName, Fetched, FlagSource, FlagStore, ProcessFeed, StoreError,
};
use flag_testkit::contract;
use flag_testkit::memory::{FailMode, MemoryStore};
use flag_testkit::planned::Planned;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_in_memory_keeps_the_contract() {
    contract::flag_store(|| async { Arc::new(MemoryStore::new()) as Arc<dyn FlagStore> }).await;
}

#[tokio::test]
async fn the_feed_of_a_process_keeps_the_contract() {
    contract::change_feed(|| async {
        let feed = ProcessFeed::default();
        (Arc::new(feed.clone()) as _, Arc::new(feed) as _)
    })
    .await;
}

fn environment() -> EnvironmentName {
    EnvironmentName::parse("default").unwrap()
}

async fn whole(store: &MemoryStore) -> Snapshot {
    match store.fetch(&environment(), None).await.unwrap() {
        Fetched::Snapshot(snapshot) => snapshot,
        other => panic!("not a snapshot: {other:?}"),
    }
}

#[tokio::test]
async fn the_store_in_memory_fails_as_it_is_told() {
    let store = MemoryStore::new();
    let base = whole(&store).await;
    let planned = Planned::new(&base, [Change::flag_created("a".parse().unwrap(), Variant::ON)]);
    let append = async || store.append(&environment(), base.version(), &planned.batch).await;

    store.set_failing(FailMode::Unavailable);
    assert!(matches!(append().await, Err(StoreError::Unavailable(_))));
    assert!(store.fetch(&environment(), None).await.is_err());
    store.set_failing(FailMode::UncertainBeforeCommit);
    assert!(matches!(append().await, Err(StoreError::Uncertain(_))));
    assert_eq!(whole(&store).await, base);
    store.set_failing(FailMode::UncertainAfterCommit);
    assert!(matches!(append().await, Err(StoreError::Uncertain(_))));
    assert_eq!(whole(&store).await, planned.after);
    store.set_failing(FailMode::Hang);
    let waiting = tokio::spawn({
        let (store, version) = (store.clone(), planned.after.version());
        async move { store.append(&environment(), version, &Batch::default()).await.unwrap() }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    store.set_failing(FailMode::Works);
    assert_eq!(waiting.await.unwrap(), Appended::Committed);
}

#[tokio::test]
async fn a_restored_backup_is_an_earlier_state_in_a_new_epoch() {
    let store = MemoryStore::new();
    let base = whole(&store).await;
    let flags = ["a", "b", "c"].map(|flag| Change::flag_created(flag.parse().unwrap(), Variant::ON));
    let planned = Planned::new(&base, flags);
    store.append(&environment(), base.version(), &planned.batch).await.unwrap();
    store.restore_backup(2);
    let restored = whole(&store).await;
    assert_ne!(restored.version().epoch, base.version().epoch);
    assert_eq!((restored.version().revision, restored.len(), store.log().len()), (2, 2, 2));
}
