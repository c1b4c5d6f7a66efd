//! Migrations: once, whoever starts, and never backwards.

use flag_engine::StoreError;
use flag_store_pg::{PgStore, PrepareError, Prepared};
use flag_testkit::services::Postgres;
use tokio::task::JoinSet;

use crate::database::{commit, connect, created, store, whole};

#[tokio::test(flavor = "multi_thread")]
async fn of_nodes_that_start_at_once_exactly_one_migrates() {
    let url = Postgres::shared().fresh_database();
    let mut nodes = JoinSet::new();
    for _ in 0..4 {
        let store = PgStore::new(&url).unwrap();
        nodes.spawn(async move { store.prepare().await.unwrap() });
    }
    let prepared = nodes.join_all().await;
    let version = prepared[0].version;
    assert!(prepared.iter().all(|node| node.version == version), "{prepared:?}");
    assert_eq!(prepared.iter().filter(|node| node.applied > 0).count(), 1, "{prepared:?}");
    let history =
        connect(&url).await.query("SELECT version FROM refinery_schema_history", &[]).await.unwrap();
    assert_eq!(history.len(), prepared.iter().map(|node| node.applied).sum::<usize>());
}

#[tokio::test]
async fn a_database_that_is_ready_is_left_alone() {
    let url = Postgres::shared().fresh_database();
    let first = store(&url).await;
    let snapshot = commit(&first, [created("a")]).await;
    let again = PgStore::new(&url).unwrap();
    let Prepared { applied, version } = again.prepare().await.unwrap();
    assert_eq!((applied, version), (0, first.prepare().await.unwrap().version));
    assert_eq!(whole(&again).await.unwrap(), snapshot);
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let url = Postgres::shared().fresh_database();
    let known = store(&url).await.prepare().await.unwrap().version;
    let newer = "INSERT INTO refinery_schema_history SELECT version + 100, name, applied_on, checksum FROM refinery_schema_history";
    connect(&url).await.execute(newer, &[]).await.unwrap();
    let store = PgStore::new(&url).unwrap();
    let refused = store.prepare().await.unwrap_err();
    assert!(
        matches!(refused, PrepareError::Newer { found, known: own } if found == known + 100 && own == known)
    );
    let corrupt = whole(&store).await.unwrap_err();
    let expected = format!("the database is at migration {}, this program knows {known}", known + 100);
    assert!(matches!(&corrupt, StoreError::Corrupt { what } if what.starts_with(&expected)), "{corrupt}");
}

#[tokio::test]
async fn a_migration_that_was_edited_after_it_was_applied_is_refused() {
    let url = Postgres::shared().fresh_database();
    store(&url).await;
    // As if the newest one were still to come, and the first had read differently then.
    let edit = "DELETE FROM refinery_schema_history WHERE version > 1; UPDATE refinery_schema_history SET checksum = '1'";
    connect(&url).await.batch_execute(edit).await.unwrap();
    let refused = PgStore::new(&url).unwrap().prepare().await.unwrap_err();
    assert!(matches!(refused, PrepareError::Failed(_)), "{refused}");
}
