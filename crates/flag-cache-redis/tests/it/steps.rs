//! What these tests do again and again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_redis::redis::{Client, FromRedisValue, cmd};
use flag_cache_redis::{Prefix, RedisSource};
use flag_core::{Change, Level, Snapshot, SubjectId, Variant, Version};
use flag_engine::{Appended, BoxFuture, EnvironmentName, Fetched, FlagSource, FlagStore, StoreError};
use flag_testkit::memory::MemoryStore;
use flag_testkit::planned::Planned;
use tokio::time::{sleep, timeout};

/// Longer than anything here may take, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn environment() -> EnvironmentName {
    EnvironmentName::parse("default").unwrap()
}

/// A prefix that no other test has.
pub(crate) fn fresh_prefix() -> Prefix {
    format!("test-{}", uuid::Uuid::new_v4()).parse().unwrap()
}

pub(crate) fn created(flag: &str) -> Change {
    Change::flag_created(flag.parse().unwrap(), Variant::OFF)
}

pub(crate) fn pinned(flag: &str, user: &str) -> Change {
    let subject = SubjectId::parse(user).unwrap();
    Change::OverrideSet { key: flag.parse().unwrap(), level: Level::User, subject, variant: Variant::ON }
}

/// Commits `changes` to the store, and gives what it is afterwards.
pub(crate) async fn commit(store: &MemoryStore, changes: impl IntoIterator<Item = Change>) -> Arc<Snapshot> {
    let base = everything(store).await.unwrap();
    let planned = Planned::new(&base, changes);
    let appended = store.append(&environment(), base.version(), &planned.batch).await.unwrap();
    assert_eq!(appended, Appended::Committed);
    Arc::new(planned.after)
}

/// Everything that a source has; the cause if it is stale.
pub(crate) async fn everything(source: &dyn FlagSource) -> Result<Snapshot, (Option<Snapshot>, StoreError)> {
    match source.fetch(&environment(), None).await {
        Ok(Fetched::Snapshot(snapshot)) => Ok(snapshot),
        Ok(Fetched::Stale { snapshot, why, .. }) => Err((Some(snapshot), why)),
        Ok(other) => panic!("whoever has nothing gets a whole snapshot, not {other:?}"),
        Err(why) => Err((None, why)),
    }
}

/// A store that keeps a list of what it was asked for.
#[derive(Clone)]
pub(crate) struct Listening {
    pub(crate) store: MemoryStore,
    pub(crate) asked: Arc<Mutex<Vec<Option<Version>>>>,
}

impl Listening {
    pub(crate) fn new() -> Self {
        Self { store: MemoryStore::new(), asked: Arc::default() }
    }

    /// A cache in front of this store.
    pub(crate) fn behind(&self, url: &str, prefix: &Prefix) -> RedisSource {
        RedisSource::start(url, prefix.clone(), Arc::new(self.clone())).unwrap()
    }
}

impl FlagSource for Listening {
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        self.asked.lock().unwrap().push(have);
        self.store.fetch(environment, have)
    }
}

/// What lies in Redis.
pub(crate) struct Probe {
    client: Client,
    prefix: Prefix,
}

impl Probe {
    pub(crate) fn new(url: &str, prefix: &Prefix) -> Self {
        Self { client: Client::open(url).unwrap(), prefix: prefix.clone() }
    }

    pub(crate) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut link = self.client.get_multiplexed_async_connection().await.unwrap();
        cmd(words[0]).arg(&words[1..]).query_async(&mut link).await.unwrap()
    }

    pub(crate) fn head(&self) -> String {
        format!("{{{}:default}}:snapshot:1", self.prefix)
    }

    /// The version that is shared.
    pub(crate) async fn version(&self) -> Option<(String, u64)> {
        let (epoch, revision): (Option<String>, Option<u64>) =
            self.ask(&["HMGET", &self.head(), "epoch", "revision"]).await;
        epoch.zip(revision)
    }

    /// Waits until `version` is what is shared.
    pub(crate) async fn shares(&self, version: Version) {
        let expected = Some((version.epoch.to_string(), version.revision));
        let reached = timeout(PATIENCE, async {
            while self.version().await != expected {
                sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(reached.await.is_ok(), "shared is {:?}, not {expected:?}", self.version().await);
    }
}

/// Waits until `holds`.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    timeout(PATIENCE, async {
        while !holds() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("in time");
}
