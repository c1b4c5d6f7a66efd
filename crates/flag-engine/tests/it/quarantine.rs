//! Flags whose rows cannot be read: each degrades alone, and is taken back when its rows are repaired, though no revision
//! tells of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flag_core::{Rejection, Snapshot, Variant, Version};
use flag_engine::document::SnapshotDocument;
use flag_engine::{
    ApplyError, BoxFuture, Digest, Engine, EnvironmentName, Fetched, FlagSource, Parts, Precondition,
    ProcessFeed, StoreError, StoreStatus,
};
use flag_testkit::memory::MemoryStore;
use tokio::time::sleep;

use crate::steps::{
    apply, created, deaf, deleted, environment, live, node, ready, request, revision, switched,
};

/// Longer than a node lets pass before it looks again.
const A_WHILE: Duration = Duration::from_secs(4);

/// A store with the flags `a`, `b` and `c`, and a node that can read them all.
async fn intact() -> (MemoryStore, Engine) {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    for flag in ["a", "b", "c"] {
        apply(&engine, created(flag)).await.unwrap();
    }
    (store, engine)
}

fn missing(engine: &Engine) -> Vec<String> {
    let quarantine = live(engine).quarantine().cloned().unwrap_or_default();
    assert_eq!(engine.status().quarantine, quarantine);
    quarantine.keys().map(|key| key.as_str().to_owned()).collect()
}

fn unreadable(flag: &str) -> ApplyError {
    Rejection::FlagUnreadable(flag.parse().unwrap()).into()
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_cannot_be_read_degrades_alone() {
    let (store, _intact) = intact().await;
    store.set_unreadable(&["b"]);
    let engine = ready(deaf(&store)).await;
    assert_eq!((missing(&engine), live(&engine).len()), (vec!["b".to_owned()], 2));
    assert_eq!(engine.status().store, StoreStatus::Up);
    for change in [switched("b", Variant::ON), created("b")] {
        assert_eq!(apply(&engine, change).await.unwrap_err(), unreadable("b"));
    }
    apply(&engine, switched("a", Variant::ON)).await.unwrap();
    assert_eq!((missing(&engine), revision(&engine)), (vec!["b".to_owned()], 4));
}

#[tokio::test(start_paused = true)]
async fn a_repaired_flag_comes_back_though_no_revision_moved() {
    let (store, intact) = intact().await;
    store.set_unreadable(&["b", "c"]);
    let engine = ready(deaf(&store)).await;
    sleep(A_WHILE).await;
    assert_eq!(missing(&engine), ["b", "c"]);
    store.set_unreadable(&["c"]);
    sleep(A_WHILE).await;
    assert_eq!(missing(&engine), ["c"]);
    let digested = engine.status().digest.unwrap();
    assert_eq!(digested.digest, Digest::of(&live(&engine)), "what came back is in the digest");
    apply(&engine, switched("b", Variant::ON)).await.unwrap();
    // What it could read it goes on answering, also where by now it could not be read.
    store.set_unreadable(&["a"]);
    sleep(A_WHILE).await;
    assert_eq!(missing(&engine), [""; 0]);
    sleep(A_WHILE).await;
    assert_eq!(live(&engine), live(&intact));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_the_flag_goes_on_with_it_and_gives_it_back_to_the_others() {
    let (store, intact) = intact().await;
    store.set_unreadable(&["b"]);
    let degraded = ready(deaf(&store)).await;
    sleep(A_WHILE).await;
    assert_eq!(missing(&intact), [""; 0]);
    apply(&intact, switched("b", Variant::ON)).await.unwrap();
    sleep(A_WHILE).await;
    assert_eq!(missing(&degraded), [""; 0]);
    assert_eq!(live(&degraded), live(&intact));
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_cannot_be_read_can_be_deleted_and_is_then_free() {
    let (store, intact) = intact().await;
    store.set_unreadable(&["b"]);
    let engine = ready(deaf(&store)).await;
    for (precondition, expected) in [
        (Precondition::RevisionIn(vec![2]), Some(unreadable("b"))),
        (Precondition::RevisionNotIn(vec![7]), Some(unreadable("b"))),
        (Precondition::Absent, Some(unreadable("b"))),
        (Precondition::Exists, None),
    ] {
        let outcome = engine.apply(request(deleted("b"), Some(precondition.clone()))).await;
        assert_eq!(outcome.err(), expected, "{precondition:?}");
    }
    assert_eq!(missing(&engine), [""; 0]);
    apply(&engine, created("b")).await.unwrap();
    sleep(A_WHILE).await;
    assert_eq!(live(&engine), live(&intact));
}

#[tokio::test(start_paused = true)]
async fn writes_that_go_on_all_the_time_do_not_keep_a_flag_from_coming_back() {
    let (store, _intact) = intact().await;
    store.set_unreadable(&["b"]);
    let engine = Arc::new(ready(deaf(&store)).await);
    let writing = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move {
            for number in 0..20_000_u32 {
                apply(&engine, switched("a", Variant::from(number % 2 == 0))).await.unwrap();
                sleep(Duration::from_micros(500)).await;
            }
        }
    });
    sleep(A_WHILE).await;
    store.set_unreadable(&[]);
    sleep(A_WHILE).await;
    assert!(!writing.is_finished());
    assert_eq!(missing(&engine), [""; 0]);
    writing.abort();
}

/// A source that notes what it is shown.
struct Showcase {
    store: MemoryStore,
    shown: Mutex<Vec<Arc<Snapshot>>>,
}

impl FlagSource for Showcase {
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        self.store.fetch(environment, have)
    }

    fn offer(&self, _: &EnvironmentName, snapshot: &Arc<Snapshot>) {
        self.shown.lock().unwrap().push(Arc::clone(snapshot));
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_lacks_flags_is_neither_shown_to_a_cache_nor_written_down() {
    let (store, _intact) = intact().await;
    store.set_unreadable(&["b"]);
    let source = Arc::new(Showcase { store: store.clone(), shown: Mutex::default() });
    let feed = Arc::new(ProcessFeed::default());
    let parts = Parts {
        environment: environment(),
        store: Arc::new(store.clone()),
        source: Arc::clone(&source) as _,
        feed,
        node: node(),
    };
    let engine = ready(Engine::start(parts)).await;
    apply(&engine, switched("a", Variant::ON)).await.unwrap();
    assert!(source.shown.lock().unwrap().is_empty());
    assert!(serde_json::to_string(&SnapshotDocument(&live(&engine))).is_err());
    store.set_unreadable(&[]);
    sleep(A_WHILE).await;
    let shown = source.shown.lock().unwrap();
    assert_eq!(
        shown.iter().map(|snapshot| snapshot.len()).collect::<Vec<_>>(),
        [3],
        "once it is whole, it is shown"
    );
    assert!(serde_json::to_string(&SnapshotDocument(&live(&engine))).is_ok());
}
