//! The contract of every store, on SQLite.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use flag_engine::FlagStore;
use flag_testkit::contract;

use crate::steps::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_contract_of_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let numbers = AtomicU32::new(0);
    let next =
        || -> PathBuf { folder.path().join(format!("{}.db", numbers.fetch_add(1, Ordering::Relaxed))) };
    contract::flag_store(|| {
        let store: Arc<dyn FlagStore> = Arc::new(open(&next()));
        async move { store }
    })
    .await;
}
