//! Readers that have seen a revision elsewhere: answered at that revision, or told in time that the node is behind.

use std::sync::Arc;
use std::time::Duration;

use flag_core::Variant;
use flag_engine::{CatchUpError, Engine};
use flag_testkit::memory::{FailMode, MemoryStore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::steps::{apply, created, deaf, ready, switched};

fn hits(engine: &Engine, name: &str) -> u64 {
    engine.status().bounds.iter().find(|bound| bound.name == name).unwrap().hits
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_a_node_that_hears_nothing_is_answered_at_its_own_write_at_once() {
    let store = MemoryStore::new();
    let (writer, reader) = (ready(deaf(&store)).await, ready(deaf(&store)).await);
    apply(&writer, created("a")).await.unwrap();
    for number in 0..50_u32 {
        let variant = Variant::from(number.is_multiple_of(2));
        let Ok(written) = apply(&writer, switched("a", variant)).await else { panic!("a write failed") };
        let revision = written.snapshot.version().revision;
        let started = Instant::now();
        let found = reader.at_least(revision).await.unwrap();
        assert_eq!((found.version().revision, found.flag("a").unwrap().global), (revision, variant));
        // Far less than the second after which the node would have asked by itself.
        assert!(started.elapsed() <= Duration::from_millis(50), "{:?}", started.elapsed());
    }
    assert_eq!(hits(&reader, "read_deadline"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_what_is_there_already_waits_for_nobody() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    apply(&engine, created("a")).await.unwrap();
    store.set_failing(FailMode::Hang);
    let started = Instant::now();
    for revision in [0, 1] {
        assert_eq!(engine.at_least(revision).await.unwrap().version().revision, 1);
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_what_nobody_has_written_is_told_so_after_two_seconds() {
    let (store, started) = (MemoryStore::new(), Instant::now());
    for mode in [FailMode::Works, FailMode::Unavailable, FailMode::Hang] {
        let engine = ready(deaf(&store)).await;
        store.set_failing(mode);
        let before = Instant::now();
        assert_eq!(engine.at_least(7).await.unwrap_err(), CatchUpError::Behind { found: 0 }, "{mode:?}");
        assert_eq!(before.elapsed(), Duration::from_secs(2), "{mode:?}");
        assert_eq!(hits(&engine, "read_deadline"), 1);
        store.set_failing(FailMode::Works);
    }
    assert!(started.elapsed() < Duration::from_secs(10));
    store.set_failing(FailMode::Unavailable);
    let engine = deaf(&store);
    assert_eq!(engine.at_least(0).await.unwrap_err(), CatchUpError::NotReady);
}

#[tokio::test(start_paused = true)]
async fn a_reader_is_answered_as_soon_as_another_node_has_written() {
    let store = MemoryStore::new();
    let (writer, reader) = (ready(deaf(&store)).await, Arc::new(ready(deaf(&store)).await));
    let waiting = tokio::spawn({
        let reader = Arc::clone(&reader);
        async move { reader.at_least(1).await.map(|found| found.version().revision) }
    });
    sleep(Duration::from_millis(500)).await;
    apply(&writer, created("a")).await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn of_very_many_readers_that_wait_the_last_are_turned_away_at_once_and_counted() {
    let store = MemoryStore::new();
    let (writer, reader) = (ready(deaf(&store)).await, Arc::new(ready(deaf(&store)).await));
    let mut waiting = JoinSet::new();
    for _ in 0..1_100 {
        let reader = Arc::clone(&reader);
        waiting.spawn(async move { reader.at_least(1).await.map(|_| ()) });
    }
    sleep(Duration::from_millis(100)).await;
    apply(&writer, created("a")).await.unwrap();
    let outcomes = waiting.join_all().await;
    let turned_away = outcomes.iter().filter(|outcome| **outcome == Err(CatchUpError::Overloaded)).count();
    let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!((turned_away, answered), (1_100 - 1_024, 1_024));
    assert_eq!(hits(&reader, "waiting_reads"), 76);
    // Their places are free again.
    assert!(reader.at_least(1).await.is_ok());
}
