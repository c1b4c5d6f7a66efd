//! The file of heartbeats: worth nothing, in nobody's way, and made anew when it is damaged.

use std::fs;

use flag_core::{Epoch, Version};
use flag_engine::{FlagStore, NodeId, NodeIdentity, NodeReport, SeenNode};
use flag_store_sqlite::SqliteStore;

use crate::steps::{commit, created, environment, open, whole};

async fn report(store: &SqliteStore, id: u128) {
    let node = NodeIdentity { id: NodeId(id), name: "node".parse().unwrap() };
    let report = NodeReport { node, version: Version { epoch: Epoch(1), revision: 2 }, digest: None };
    store.report(&environment(), &report).await.unwrap();
}

async fn ids(store: &SqliteStore) -> Vec<u128> {
    let nodes: Vec<SeenNode> = store.nodes(&environment()).await.unwrap();
    nodes.iter().map(|node| node.id.0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_fallen_silent_is_no_longer_told_of_and_then_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.db");
    let store = open(&path);
    report(&store, 1).await;
    report(&store, 2).await;
    let file = rusqlite::Connection::open(folder.path().join("flags.db.nodes")).unwrap();
    let count = || file.query_row("SELECT count(*) FROM nodes_1", [], |row| row.get::<_, u32>(0)).unwrap();
    for (age, told) in [(9.0, vec![1, 2]), (1.5, vec![2])] {
        let older = "UPDATE nodes_1 SET seen = seen - ?1 WHERE id = '00000000000000000000000000000001'";
        assert_eq!(file.execute(older, [age]).unwrap(), 1);
        assert_eq!(ids(&store).await, told);
    }
    assert_eq!(count(), 2);
    report(&store, 2).await;
    assert_eq!(count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_of_heartbeats_is_made_anew_and_the_flags_are_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.db");
    let snapshot = {
        let store = open(&path);
        report(&store, 1).await;
        commit(&store, [created("a")]).await
    };
    fs::write(
        folder.path().join("flags.db.nodes"),
        "no database at all, and long enough to be one".repeat(99),
    )
    .unwrap();
    let store = open(&path);
    assert_eq!(ids(&store).await, []);
    report(&store, 2).await;
    assert_eq!((ids(&store).await, whole(&store).await), (vec![2], snapshot));
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_write_nothing_to_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.db");
    let store = open(&path);
    commit(&store, [created("a")]).await;
    let files = || ["flags.db", "flags.db-wal"].map(|name| fs::read(folder.path().join(name)).unwrap());
    let before = files();
    for id in 0..50 {
        report(&store, id).await;
    }
    assert_eq!(files(), before);
}
