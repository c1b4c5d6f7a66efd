//! What these tests do again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flag_core::{Author, Change, Level, Snapshot, SubjectId, Timestamp, Variant, Version};
use flag_engine::{
    ApplyError, ChangeFeed, Committed, Engine, EnvironmentName, FlagSource, FlagStore, NodeId, NodeIdentity,
    Parts, Precondition, ProcessFeed, Request,
};
use flag_testkit::memory::MemoryStore;
use tokio::time::timeout;

pub(crate) fn environment() -> EnvironmentName {
    EnvironmentName::parse("default").unwrap()
}

pub(crate) fn created(flag: &str) -> Change {
    Change::flag_created(flag.parse().unwrap(), Variant::OFF)
}

pub(crate) fn deleted(flag: &str) -> Change {
    Change::FlagDeleted { key: flag.parse().unwrap() }
}

pub(crate) fn switched(flag: &str, variant: Variant) -> Change {
    Change::GlobalSet { key: flag.parse().unwrap(), variant }
}

pub(crate) fn pinned(flag: &str, subject: &str) -> Change {
    let subject = SubjectId::parse(subject).unwrap();
    Change::OverrideSet { key: flag.parse().unwrap(), level: Level::User, subject, variant: Variant::ON }
}

/// An engine whose feed nobody else hears.
pub(crate) fn deaf(store: &MemoryStore) -> Engine {
    engine(store, &ProcessFeed::default())
}

/// An engine over `store`, joined to `feed`.
pub(crate) fn engine(store: &MemoryStore, feed: &ProcessFeed) -> Engine {
    let source: Arc<dyn FlagSource> = Arc::new(store.clone());
    let (store, feed): (Arc<dyn FlagStore>, Arc<dyn ChangeFeed>) =
        (Arc::new(store.clone()), Arc::new(feed.clone()));
    Engine::start(Parts { environment: environment(), store, source, feed, node: node() })
}

/// A node of its own.
pub(crate) fn node() -> NodeIdentity {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    NodeIdentity { id: NodeId(number.into()), name: format!("node-{number}").parse().unwrap() }
}

/// Waits until the engine has its first snapshot.
pub(crate) async fn ready(engine: Engine) -> Engine {
    reaches(&engine, |version| version.is_some()).await;
    engine
}

/// Waits until the version that is live is as asked.
pub(crate) async fn reaches(engine: &Engine, asked: impl Fn(Option<Version>) -> bool) {
    let mut versions = engine.subscribe();
    let waited = timeout(Duration::from_secs(60), versions.wait_for(|version| asked(*version))).await;
    assert!(waited.is_ok(), "stays at {:?}", engine.status().version);
}

pub(crate) fn live(engine: &Engine) -> Arc<Snapshot> {
    engine.snapshot().unwrap()
}

pub(crate) fn revision(engine: &Engine) -> u64 {
    live(engine).version().revision
}

pub(crate) async fn apply(engine: &Engine, change: Change) -> Result<Committed, ApplyError> {
    engine.apply(request(change, None)).await
}

pub(crate) fn request(change: Change, precondition: Option<Precondition>) -> Request {
    Request {
        change,
        conditions: precondition.into_iter().collect(),
        author: Author::default(),
        at: Timestamp(1_750_000_000_000),
        repeatable: None,
    }
}
