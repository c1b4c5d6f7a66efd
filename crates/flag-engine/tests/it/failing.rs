//! A store that fails: evaluation goes on, writes say what is known, and all is well when the store is.

use std::sync::Arc;
use std::time::Duration;

use flag_core::{Context, Rejection, Snapshot, Version};
use flag_engine::{
    ApplyError, BoxFuture, Engine, EnvironmentName, Fetched, FlagSource, HistoryPage, Parts, ProcessFeed,
    StoreError, StoreStatus,
};
use flag_testkit::memory::{FailMode, MemoryStore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::steps::{apply, created, deaf, environment, live, node, reaches, ready, revision};

/// How long a write may take.
const DEADLINE: Duration = Duration::from_millis(2_500);

#[tokio::test(start_paused = true)]
async fn without_the_store_a_node_answers_from_its_last_snapshot_and_refuses_writes() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    apply(&engine, created("a")).await.unwrap();
    store.set_failing(FailMode::Unavailable);
    assert_eq!(apply(&engine, created("b")).await.unwrap_err(), ApplyError::Unavailable);
    sleep(Duration::from_secs(3_600)).await;
    assert!(live(&engine).evaluate("a", &Context::new()).is_some());
    let status = engine.status();
    assert_eq!(status.store, StoreStatus::Down);
    assert!(status.confirmed.unwrap() >= Duration::from_secs(3_599), "{status:?}");

    store.set_failing(FailMode::Works);
    sleep(Duration::from_secs(1)).await;
    let status = engine.status();
    assert_eq!(status.store, StoreStatus::Up);
    assert!(status.confirmed.unwrap() <= Duration::from_secs(1), "{status:?}");
    assert_eq!(apply(&engine, created("b")).await.unwrap().snapshot.version().revision, 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_without_the_store_has_no_snapshot_until_it_is_there() {
    let store = MemoryStore::new();
    store.set_failing(FailMode::Unavailable);
    let engine = deaf(&store);
    sleep(Duration::from_secs(10)).await;
    assert!(engine.snapshot().is_none());
    assert_eq!((engine.status().version, engine.status().confirmed), (None, None));
    assert_eq!(apply(&engine, created("a")).await.unwrap_err(), ApplyError::Unavailable);
    store.set_failing(FailMode::Works);
    let start = Instant::now();
    let engine = ready(engine).await;
    assert!(start.elapsed() <= Duration::from_secs(1), "took {:?}", start.elapsed());
    apply(&engine, created("a")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_write_may_be_the_first_to_find_the_store() {
    let engine = deaf(&MemoryStore::new());
    assert_eq!(apply(&engine, created("a")).await.unwrap().snapshot.version().revision, 1);
    assert_eq!(revision(&engine), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_of_which_nobody_knows_is_uncertain_and_shows_later_if_it_was_made() {
    for (mode, made) in [(FailMode::UncertainBeforeCommit, 0), (FailMode::UncertainAfterCommit, 1)] {
        let store = MemoryStore::new();
        let engine = ready(deaf(&store)).await;
        store.set_failing(mode);
        assert_eq!(apply(&engine, created("a")).await.unwrap_err(), ApplyError::Uncertain);
        assert_eq!(revision(&engine), 0, "nothing is shown that is not known to be durable");
        store.set_failing(FailMode::Works);
        sleep(Duration::from_millis(1_100)).await;
        assert_eq!(revision(&engine), made);
        // Whoever tries again gets the answer that fits what is there.
        let again = apply(&engine, created("a")).await.map(|committed| committed.snapshot.version().revision);
        let exists = ApplyError::from(Rejection::FlagExists("a".parse().unwrap()));
        assert_eq!(again, if made == 1 { Err(exists) } else { Ok(1) });
        assert_eq!(store.log().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_tried_again_at_once_is_judged_by_what_was_made() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    store.set_failing(FailMode::UncertainAfterCommit);
    assert_eq!(apply(&engine, created("a")).await.unwrap_err(), ApplyError::Uncertain);
    store.set_failing(FailMode::Works);
    let again = apply(&engine, created("a")).await.unwrap_err();
    assert_eq!(again, Rejection::FlagExists("a".parse().unwrap()).into());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_a_write_no_longer_than_its_deadline() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    apply(&engine, created("a")).await.unwrap();
    store.set_failing(FailMode::Hang);
    for flag in ["b", "c"] {
        let start = Instant::now();
        let outcome = apply(&engine, created(flag)).await;
        assert_eq!(outcome.unwrap_err(), ApplyError::Uncertain);
        assert!(start.elapsed() <= DEADLINE + Duration::from_millis(5), "took {:?}", start.elapsed());
        assert!(live(&engine).evaluate("a", &Context::new()).is_some());
    }
    let start = Instant::now();
    let page = HistoryPage { before: None, flag: None, limit: 1 };
    assert!(matches!(engine.history(page).await, Err(StoreError::Unavailable(_))));
    assert!(start.elapsed() <= DEADLINE + Duration::from_millis(5), "took {:?}", start.elapsed());
    assert_eq!(engine.status().store, StoreStatus::Down);

    store.set_failing(FailMode::Works);
    let after = apply(&engine, created("d")).await.unwrap().snapshot;
    assert_eq!(after.version().revision, store.log().len() as u64);
}

#[tokio::test(start_paused = true)]
async fn one_write_too_many_is_turned_away_and_the_others_are_made_in_time() {
    let store = MemoryStore::new();
    let engine = Arc::new(ready(deaf(&store)).await);
    store.set_failing(FailMode::Hang);
    let mut writers = JoinSet::new();
    for number in 0..1_500 {
        let engine = Arc::clone(&engine);
        writers.spawn(async move { apply(&engine, created(&format!("flag-{number}"))).await.map(|_| ()) });
    }
    sleep(Duration::from_secs(1)).await;
    let turned_away = engine.status().turned_away;
    assert!((1_500 - 1_024 - 256..=1_500 - 1_024).contains(&turned_away), "{turned_away} were turned away");
    store.set_failing(FailMode::Works);
    let outcomes = writers.join_all().await;
    let overloaded = outcomes.iter().filter(|outcome| **outcome == Err(ApplyError::Overloaded)).count();
    assert_eq!(overloaded as u64, turned_away);
    let made = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!((made, store.log().len()), (1_500 - overloaded, 1_500 - overloaded));
    reaches(&engine, |version| version.is_some_and(|version| version.revision == made as u64)).await;
}

/// A cache in front of a store, which holds what the store had when it was made.
struct OldCopy {
    store: MemoryStore,
    copy: Snapshot,
}

impl FlagSource for OldCopy {
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        Box::pin(async move {
            let fetched = self.store.fetch(environment, have).await;
            fetched.or_else(|why| Ok(Fetched::Stale { snapshot: self.copy.clone(), from: "copy", why }))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_no_store_confirmed_is_answered_from_and_shown_to_be_unconfirmed() {
    let store = MemoryStore::new();
    let writer = ready(deaf(&store)).await;
    let copy = apply(&writer, created("a")).await.unwrap().snapshot;
    apply(&writer, created("b")).await.unwrap();
    store.set_failing(FailMode::Unavailable);
    let source = Arc::new(OldCopy { store: store.clone(), copy });
    let feed = Arc::new(ProcessFeed::default());
    let parts =
        Parts { environment: environment(), store: Arc::new(store.clone()), source, feed, node: node() };
    let engine = ready(Engine::start(parts)).await;
    sleep(Duration::from_secs(60)).await;
    assert!(live(&engine).evaluate("a", &Context::new()).is_some());
    let status = engine.status();
    assert_eq!((status.store, status.confirmed), (StoreStatus::Down, None));
    assert_eq!(apply(&engine, created("c")).await.unwrap_err(), ApplyError::Unavailable);

    store.set_failing(FailMode::Works);
    reaches(&engine, |version| version.is_some_and(|version| version.revision == 2)).await;
    assert!(engine.status().confirmed.is_some());
    // From now on the old copy is behind what is live, and never replaces it.
    store.set_failing(FailMode::Unavailable);
    sleep(Duration::from_secs(5)).await;
    assert_eq!((revision(&engine), engine.status().store), (2, StoreStatus::Down));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_reached_the_store_is_known_not_to_have_been_made() {
    let store = MemoryStore::new();
    let engine = Arc::new(ready(deaf(&store)).await);
    store.set_failing(FailMode::Hang);
    let mut writers = JoinSet::new();
    for number in 0..1_000 {
        let engine = Arc::clone(&engine);
        writers.spawn(async move {
            let key = format!("flag-{number}");
            (apply(&engine, created(&key)).await.unwrap_err(), key)
        });
    }
    let outcomes = writers.join_all().await;
    store.set_failing(FailMode::Works);
    sleep(Duration::from_secs(5)).await;
    let count = |wanted: ApplyError| outcomes.iter().filter(|(error, _)| *error == wanted).count();
    let (unknown, refused) = (count(ApplyError::Uncertain), count(ApplyError::Unavailable));
    // No more than two batches of 256 can have been in the store's hands.
    assert!((1..=512).contains(&unknown) && unknown + refused == 1_000, "{unknown} and {refused}");
    for entry in store.log() {
        let key = entry.change.key().as_str();
        assert!(
            outcomes.iter().any(|(error, other)| other == key && *error == ApplyError::Uncertain),
            "{key}"
        );
    }
}
