//! The promises of the ports.

use std::sync::Arc;

use flag_cache_redis::{RedisSource, start_feed};
use flag_core::{Entry, Version};
use flag_engine::{
    Appended, Batch, BoxFuture, ChangeFeed, EnvironmentName, Fetched, FlagSource, FlagStore, HistoryPage,
    IdempotencyKey, NodeId, NodeReport, Receipts, SeenNode, StoreError,
};
use flag_testkit::contract;
use flag_testkit::memory::MemoryStore;
use flag_testkit::services::Redis;

use crate::steps::{environment, everything, fresh_prefix};

#[tokio::test(flavor = "multi_thread")]
async fn feeds_through_redis_keep_the_promises_of_feeds() {
    contract::change_feed(|| async {
        let (url, prefix) = (Redis::shared(), fresh_prefix());
        let feed = || Arc::new(start_feed(&url, &prefix).unwrap()) as Arc<dyn ChangeFeed>;
        (feed(), feed())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_behind_the_cache_cannot_be_told_from_the_store() {
    contract::flag_store(|| async {
        let store = MemoryStore::new();
        let source = RedisSource::start(&Redis::shared(), fresh_prefix(), Arc::new(store.clone())).unwrap();
        Arc::new(Cached { store, source }) as Arc<dyn FlagStore>
    })
    .await;
}

/// A store that is read through the cache, and shares what it commits, so that what is shared is of any age when it is read.
struct Cached {
    store: MemoryStore,
    source: RedisSource,
}

impl FlagSource for Cached {
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        self.source.fetch(environment, have)
    }
}

impl FlagStore for Cached {
    fn append<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        expected: Version,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<Appended, StoreError>> {
        Box::pin(async move {
            let appended = self.store.append(environment, expected, batch).await?;
            let now = everything(&self.store).await.map_err(|(_, why)| why)?;
            self.source.offer(&self::environment(), &Arc::new(now));
            Ok(appended)
        })
    }

    fn receipts<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        keys: &'a [IdempotencyKey],
    ) -> BoxFuture<'a, Result<Receipts, StoreError>> {
        self.store.receipts(environment, keys)
    }

    fn history<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        page: HistoryPage<'a>,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        self.store.history(environment, page)
    }

    fn report<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        report: &'a NodeReport,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.report(environment, report)
    }

    fn withdraw<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        node: NodeId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.withdraw(environment, node)
    }

    fn nodes<'a>(
        &'a self,
        environment: &'a EnvironmentName,
    ) -> BoxFuture<'a, Result<Vec<SeenNode>, StoreError>> {
        self.store.nodes(environment)
    }
}
