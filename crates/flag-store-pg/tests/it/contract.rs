//! The contract suites that every adapter passes.

use std::sync::Arc;

use flag_engine::{ChangeFeed, FlagStore};
use flag_store_pg::{PgStore, start_feed};
use flag_testkit::contract;
use flag_testkit::services::Postgres;

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_every_promise_of_its_port() {
    contract::flag_store(|| async {
        let url = Postgres::shared().fresh_database();
        Arc::new(PgStore::new(&url).unwrap()) as Arc<dyn FlagStore>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_keeps_every_promise_of_its_port() {
    contract::change_feed(|| async {
        let url = Postgres::shared().fresh_database();
        let feed = || Arc::new(start_feed(&url).unwrap()) as Arc<dyn ChangeFeed>;
        (feed(), feed())
    })
    .await;
}
