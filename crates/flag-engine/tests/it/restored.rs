//! A restored backup: another epoch, in which everything is replaced, even by an earlier revision.

use std::time::Duration;

use flag_core::{Rejection, Variant};
use flag_engine::{ApplyError, ProcessFeed, StoreStatus};
use flag_testkit::memory::MemoryStore;
use tokio::time::sleep;

use crate::steps::{apply, created, deaf, engine, live, reaches, ready, revision, switched};

#[tokio::test(start_paused = true)]
async fn a_new_epoch_replaces_everything() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    for flag in ["a", "b", "c"] {
        apply(&engine, created(flag)).await.unwrap();
    }
    let before = live(&engine).version();
    store.restore_backup(1);
    sleep(Duration::from_millis(1_100)).await;
    let after = live(&engine);
    assert_ne!(after.version().epoch, before.epoch);
    assert_eq!((after.version().revision, after.len()), (1, 1));
    apply(&engine, created("b")).await.unwrap();
    assert_eq!(revision(&engine), 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_onto_a_lost_history_is_decided_in_the_new_one() {
    // The same revision, but not the same history.
    for backup in [0, 1, 2] {
        let store = MemoryStore::new();
        let engine = ready(deaf(&store)).await;
        for flag in ["a", "b"] {
            apply(&engine, created(flag)).await.unwrap();
        }
        store.restore_backup(backup);
        let switched = apply(&engine, switched("b", Variant::ON)).await;
        match backup {
            2 => assert_eq!(switched.unwrap().snapshot.version().revision, 3),
            _ => {
                let not_found = Rejection::FlagNotFound("b".parse().unwrap());
                assert_eq!(switched.unwrap_err(), ApplyError::Rejected(not_found));
            }
        }
        assert_eq!(revision(&engine), store.log().len() as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_a_new_epoch_is_followed_though_its_revision_is_lower() {
    let (store, feed) = (MemoryStore::new(), ProcessFeed::default());
    let (one, other) = (ready(engine(&store, &feed)).await, ready(engine(&store, &feed)).await);
    for flag in ["a", "b", "c"] {
        apply(&one, created(flag)).await.unwrap();
    }
    reaches(&other, |version| version.is_some_and(|version| version.revision == 3)).await;
    store.restore_backup(0);
    let version = apply(&one, created("d")).await.unwrap().snapshot.version();
    assert_eq!(version.revision, 1);
    let start = tokio::time::Instant::now();
    reaches(&other, |live| live == Some(version)).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(live(&one), live(&other));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lost_what_it_acknowledged_is_not_followed_until_its_history_has_a_new_epoch() {
    let (store, feed) = (MemoryStore::new(), ProcessFeed::default());
    let (one, other) = (ready(engine(&store, &feed)).await, ready(engine(&store, &feed)).await);
    for flag in ["a", "b", "c"] {
        apply(&one, created(flag)).await.unwrap();
    }
    let before = live(&one);
    store.lose_after(1);
    sleep(Duration::from_secs(5)).await;
    for node in [&one, &other] {
        let status = node.status();
        assert_eq!((live(node), status.store), (before.clone(), StoreStatus::Corrupt));
        assert!(status.confirmed.is_some_and(|age| age >= Duration::from_secs(4)), "{status:?}");
        assert_eq!(apply(node, created("d")).await.unwrap_err(), ApplyError::Unavailable);
    }
    assert_eq!(store.log().len(), 1);

    store.restore_backup(1);
    sleep(Duration::from_secs(2)).await;
    for node in [&one, &other] {
        assert_eq!((revision(node), node.status().store), (1, StoreStatus::Up));
    }
    assert_eq!(apply(&other, created("d")).await.unwrap().snapshot.version().revision, 2);
}
