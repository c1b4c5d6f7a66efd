//! Writes that bear a key: made once, however often they are sent, and answered the same each time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use flag_core::{Change, Rejection, Variant};
use flag_engine::{
    ApplyError, Batch, Committed, Engine, FlagStore, IdempotencyKey, MOST_RECEIPTS, RECEIPT_LIFE, Receipt,
    Repeatable, Request,
};
use flag_testkit::memory::{FailMode, MemoryStore};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::steps::{apply, created, deaf, deleted, environment, live, ready, request, revision, switched};

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text.as_bytes()).unwrap()
}

/// A write of this name. What it asks for is told by its debug text, and answered is the revision.
fn once(name: &str, change: Change) -> Request {
    let mut hasher = DefaultHasher::new();
    format!("{change:?}").hash(&mut hasher);
    let mut fingerprint = [0; 32];
    fingerprint[..8].copy_from_slice(&hasher.finish().to_le_bytes());
    let answering: flag_engine::Answering =
        Arc::new(|after| after.version().revision.to_string().into_bytes());
    let repeatable = Some(Repeatable { key: key(name), fingerprint, answering });
    Request { repeatable, ..request(change, None) }
}

/// The revision that was answered, and whether it was answered before.
fn told(outcome: Result<Committed, ApplyError>) -> Result<(String, bool), ApplyError> {
    let Committed { snapshot, replayed } = outcome?;
    let first = snapshot.version().revision.to_string();
    Ok(replayed.map_or((first, false), |answer| (String::from_utf8(answer).unwrap(), true)))
}

async fn send(engine: &Engine, name: &str, change: Change) -> Result<(String, bool), ApplyError> {
    told(engine.apply(once(name, change)).await)
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_repeated_is_made_once_and_answered_as_then() {
    let store = MemoryStore::new();
    let (one, other) = (ready(deaf(&store)).await, ready(deaf(&store)).await);
    assert_eq!(send(&one, "k", created("a")).await, Ok(("1".to_owned(), false)));
    apply(&one, created("b")).await.unwrap();
    for engine in [&one, &other] {
        assert_eq!(send(engine, "k", created("a")).await, Ok(("1".to_owned(), true)));
        assert_eq!(revision(engine), 2, "whoever repeats a write reads what has come of it");
    }
    apply(&one, deleted("a")).await.unwrap();
    assert_eq!(send(&one, "k", created("a")).await, Ok(("1".to_owned(), true)));
    assert_eq!(store.log().len(), 3);
    assert_eq!((one.status().replays, other.status().replays), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_key_belongs_to_one_request() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    send(&engine, "k", created("a")).await.unwrap();
    assert_eq!(send(&engine, "k", created("b")).await, Err(ApplyError::KeyReused));
    assert_eq!(send(&engine, "K", created("b")).await, Ok(("2".to_owned(), false)));
    assert_eq!(store.log().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_changed_nothing_changes_nothing_later() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    apply(&engine, created("a")).await.unwrap();
    assert_eq!(send(&engine, "k", switched("a", Variant::OFF)).await, Ok(("1".to_owned(), false)));
    apply(&engine, switched("a", Variant::ON)).await.unwrap();
    assert_eq!(send(&engine, "k", switched("a", Variant::OFF)).await, Ok(("1".to_owned(), true)));
    assert_eq!(live(&engine).flag("a").unwrap().global, Variant::ON);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_decided_anew() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    let not_found = ApplyError::from(Rejection::FlagNotFound("a".parse().unwrap()));
    assert_eq!(send(&engine, "k", switched("a", Variant::ON)).await, Err(not_found));
    apply(&engine, created("a")).await.unwrap();
    assert_eq!(send(&engine, "k", switched("a", Variant::ON)).await, Ok(("2".to_owned(), false)));
}

#[tokio::test(start_paused = true)]
async fn a_write_of_which_nobody_knew_is_repeated_safely() {
    for (mode, was_made) in [(FailMode::UncertainBeforeCommit, false), (FailMode::UncertainAfterCommit, true)]
    {
        let store = MemoryStore::new();
        let engine = ready(deaf(&store)).await;
        store.set_failing(mode);
        assert_eq!(send(&engine, "k", created("a")).await, Err(ApplyError::Uncertain));
        store.set_failing(FailMode::Works);
        assert_eq!(send(&engine, "k", created("a")).await, Ok(("1".to_owned(), was_made)));
        assert_eq!(store.log().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_equal_writes_at_once_on_two_nodes_one_is_made() {
    let store = MemoryStore::new();
    let nodes = [Arc::new(ready(deaf(&store)).await), Arc::new(ready(deaf(&store)).await)];
    apply(&nodes[0], created("idle")).await.unwrap();
    for round in 0..50 {
        let mut writers = JoinSet::new();
        for writer in 0..16 {
            let node = Arc::clone(&nodes[writer % 2]);
            writers.spawn(async move {
                // Half of the rounds change nothing, so that no revision tells the nodes of one another.
                let flag = format!("flag-{round}");
                let change = if round % 2 == 0 { created(&flag) } else { switched("idle", Variant::OFF) };
                send(&node, &format!("k-{round}"), change).await.unwrap()
            });
        }
        let told = writers.join_all().await;
        assert_eq!(told.iter().filter(|(_, replayed)| !replayed).count(), 1, "{told:?}");
        assert!(told.iter().all(|(answer, _)| *answer == told[0].0), "{told:?}");
    }
    assert_eq!(store.log().len(), 1 + 25);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_free_again_after_a_day() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    apply(&engine, created("a")).await.unwrap();
    send(&engine, "k", switched("a", Variant::ON)).await.unwrap();
    sleep(RECEIPT_LIFE - Duration::from_secs(1)).await;
    assert_eq!(send(&engine, "k", switched("a", Variant::ON)).await, Ok(("2".to_owned(), true)));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(send(&engine, "k", switched("a", Variant::OFF)).await, Ok(("3".to_owned(), false)));
}

#[tokio::test(start_paused = true)]
async fn one_key_too_many_is_refused_and_none_is_forgotten() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    send(&engine, "first", created("a")).await.unwrap();
    let receipts = (2..MOST_RECEIPTS).map(|number| {
        let key = key(&format!("k-{number}"));
        Receipt { key, fingerprint: [0; 32], answer: Vec::new() }
    });
    let batch = Batch { receipts: receipts.collect(), ..Batch::default() };
    store.append(&environment(), live(&engine).version(), &batch).await.unwrap();
    send(&engine, "last", created("b")).await.unwrap();
    assert_eq!(send(&engine, "one-more", created("c")).await, Err(ApplyError::ReceiptsFull));
    assert_eq!(send(&engine, "first", created("a")).await, Ok(("1".to_owned(), true)));
    apply(&engine, created("c")).await.unwrap();
    assert_eq!((engine.status().receipts_full, store.log().len()), (1, 3));
    sleep(RECEIPT_LIFE).await;
    assert_eq!(send(&engine, "one-more", created("d")).await, Ok(("4".to_owned(), false)));
}
