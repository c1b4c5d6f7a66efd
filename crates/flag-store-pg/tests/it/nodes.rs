//! The heartbeats of nodes as they grow old, which the server's clock tells.

use flag_core::{Epoch, Version};
use flag_engine::{FlagStore, NodeId, NodeIdentity, NodeReport};
use flag_store_pg::PgStore;
use flag_testkit::services::Postgres;

use crate::database::{connect, environment, store};

async fn report(store: &PgStore, id: u128, name: &str) {
    let node = NodeIdentity { id: NodeId(id), name: name.parse().unwrap() };
    let report = NodeReport { node, version: Version { epoch: Epoch(1), revision: 2 }, digest: None };
    FlagStore::report(store, &environment(), &report).await.unwrap();
}

async fn ids(store: &PgStore) -> Vec<u128> {
    let nodes = FlagStore::nodes(store, &environment()).await.unwrap();
    nodes.iter().map(|node| node.id.0).collect()
}

#[tokio::test]
async fn a_node_that_has_fallen_silent_is_told_of_for_ten_minutes_and_then_forgotten() {
    let url = Postgres::shared().fresh_database();
    let (store, client) = (store(&url).await, connect(&url).await);
    report(&store, 1, "one").await;
    report(&store, 2, "other").await;
    for (seconds, told) in [(9, vec![1, 2]), (585, vec![1, 2]), (10, vec![2])] {
        let older = format!("UPDATE nodes SET seen = seen - interval '{seconds} s' WHERE name = 'one'");
        assert_eq!(client.execute(&older, &[]).await.unwrap(), 1);
        assert_eq!(ids(&store).await, told, "{seconds}");
    }
    let count = async || client.query_one("SELECT count(*) FROM nodes", &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(count().await, 2);
    report(&store, 2, "other").await;
    assert_eq!(count().await, 1);
}

#[tokio::test]
async fn a_silent_node_is_forgotten_when_another_of_its_name_reports() {
    let url = Postgres::shared().fresh_database();
    let (store, client) = (store(&url).await, connect(&url).await);
    for (id, name) in [(1, "one"), (2, "other"), (3, "one"), (4, "one")] {
        report(&store, id, name).await;
    }
    client.execute("UPDATE nodes SET seen = seen - interval '11 s' WHERE name = 'other'", &[]).await.unwrap();
    let first =
        "UPDATE nodes SET seen = seen - interval '11 s' WHERE id = '00000000-0000-0000-0000-000000000001'";
    client.execute(first, &[]).await.unwrap();
    assert_eq!(ids(&store).await, [1, 2, 3, 4]);
    report(&store, 3, "one").await;
    assert_eq!(ids(&store).await, [2, 3, 4]);
}

#[tokio::test]
async fn what_a_clock_that_was_set_back_leaves_in_the_future_is_forgotten() {
    let url = Postgres::shared().fresh_database();
    let (store, client) = (store(&url).await, connect(&url).await);
    report(&store, 1, "one").await;
    client.execute("UPDATE nodes SET seen = seen + interval '1 h'", &[]).await.unwrap();
    report(&store, 2, "other").await;
    assert_eq!(ids(&store).await, [2]);
}
