//! The digest, computed by the server from the rows alone, with the query of `docs/digest.md`.

use flag_core::Snapshot;
use flag_engine::Digest;
use flag_testkit::generate;
use flag_testkit::services::Postgres;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::database::{commit, connect, store, whole};

const PAGE: &str = include_str!("../../../../docs/digest.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_the_page_finds_in_the_rows_the_digest_of_the_snapshot() {
    let query = PAGE.split("```sql").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let url = Postgres::shared().fresh_database();
    let (store, client) = (store(&url).await, connect(&url).await);
    // Another seed each time; a difference shows the rows.
    let mut runner = TestRunner::default();
    for round in 0..12 {
        let snapshot: Snapshot = whole(&store).await.unwrap();
        let row = client.query_one(query, &[]).await.unwrap();
        assert_eq!(
            row.get::<_, String>(0),
            Digest::of(&snapshot).to_string(),
            "after {round} rounds: {snapshot:?}"
        );
        let changes = generate::change_sequences(40).new_tree(&mut runner).unwrap().current();
        commit(&store, changes).await;
    }
    assert!(!whole(&store).await.unwrap().is_empty());
}
