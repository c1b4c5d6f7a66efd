//! The promises of the ports.

use std::sync::Arc;

use flag_core::{Entry, Version};
use flag_engine::{
    Appended, Batch, BoxFuture, EnvironmentName, Fetched, FlagSource, FlagStore, HistoryPage, IdempotencyKey,
    NodeId, NodeReport, Receipts, SeenNode, StoreError,
};
use flag_testkit::contract;
use flag_testkit::memory::MemoryStore;
use tempfile::TempDir;

use crate::steps::{Listening, everything, keep};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_above_the_disk_cannot_be_told_from_the_store() {
    contract::flag_store(|| async {
        Arc::new(Kept { store: MemoryStore::new(), directory: tempfile::tempdir().unwrap() })
            as Arc<dyn FlagStore>
    })
    .await;
}

/// A store whose node is started anew for each question, and has kept every third of its versions, so that what it starts from
/// is of any age.
struct Kept {
    store: MemoryStore,
    directory: TempDir,
}

impl FlagSource for Kept {
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        let source = Listening::to(self.store.clone()).over(self.directory.path());
        Box::pin(async move { source.fetch(environment, have).await })
    }
}

impl FlagStore for Kept {
    fn append<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        expected: Version,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<Appended, StoreError>> {
        Box::pin(async move {
            let appended = self.store.append(environment, expected, batch).await?;
            let now = everything(&self.store).await;
            if now.version().revision.is_multiple_of(3) {
                keep(self.directory.path(), &Arc::new(now));
            }
            Ok(appended)
        })
    }

    fn history<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        page: HistoryPage<'a>,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        self.store.history(environment, page)
    }

    fn receipts<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        keys: &'a [IdempotencyKey],
    ) -> BoxFuture<'a, Result<Receipts, StoreError>> {
        self.store.receipts(environment, keys)
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
