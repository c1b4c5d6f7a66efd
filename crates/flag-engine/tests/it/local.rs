//! The live snapshot as one thread keeps it: what is live, and nothing that was.

use std::sync::Arc;
use std::time::Duration;

use flag_core::Variant;
use flag_testkit::memory::MemoryStore;
use tokio::time::{Instant, sleep};

use crate::steps::{apply, created, deaf, live, reaches, switched};

#[tokio::test]
async fn each_thread_sees_a_change_as_soon_as_its_writer_is_answered() {
    let engine = deaf(&MemoryStore::new());
    let local = engine.local();
    assert_eq!(local.live().is_some(), engine.snapshot().is_some());
    reaches(&engine, |version| version.is_some()).await;
    apply(&engine, created("a")).await.unwrap();
    for number in 0..50_u32 {
        apply(&engine, switched("a", Variant::from(number.is_multiple_of(2)))).await.unwrap();
        for local in [&local, &engine.local()] {
            assert!(std::ptr::eq(&**local.live().unwrap(), &*live(&engine)), "{number}");
        }
    }
}

#[tokio::test]
async fn a_thread_that_looks_again_lets_go_of_what_is_no_longer_live() {
    let (store, started) = (MemoryStore::new(), Instant::now());
    let engine = deaf(&store);
    let local = engine.local();
    reaches(&engine, |version| version.is_some()).await;
    assert!(local.live().is_some());
    let old = Arc::downgrade(&live(&engine));
    apply(&engine, created("a")).await.unwrap();
    assert!(old.upgrade().is_some());
    let held = local.live().unwrap();
    // Others, such as the task that keeps the digest, let go in their own time.
    while old.upgrade().is_some() {
        assert!(started.elapsed() < Duration::from_secs(20), "somebody holds on to it");
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(held.version(), live(&engine).version());
}
