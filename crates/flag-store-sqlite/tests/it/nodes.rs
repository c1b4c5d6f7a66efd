//! The file of heartbeats: worth nothing, in nobody's way, and made anew when it is damaged.

use std::fs;
use std::path::Path;

use flag_core::{Epoch, Version};
use flag_engine::{FlagStore, NodeId, NodeIdentity, NodeReport, SeenNode};
use flag_store_sqlite::SqliteStore;

use crate::steps::{commit, created, environment, open, whole};

/// What somebody does to the file at a path.
type Damage<'a> = &'a dyn Fn(&Path);

fn told(id: u128, name: &str) -> NodeReport {
    let node = NodeIdentity { id: NodeId(id), name: name.parse().unwrap() };
    NodeReport { node, version: Version { epoch: Epoch(1), revision: 2 }, digest: None }
}

async fn report_as(store: &SqliteStore, id: u128, name: &str) {
    store.report(&environment(), &told(id, name)).await.unwrap();
}

async fn report(store: &SqliteStore, id: u128) {
    report_as(store, id, "node").await;
}

async fn ids(store: &SqliteStore) -> Vec<u128> {
    let nodes: Vec<SeenNode> = store.nodes(&environment()).await.unwrap();
    nodes.iter().map(|node| node.id.0).collect()
}

/// What the file holds, seen by somebody else.
fn file(folder: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join("flags.db.nodes")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_fallen_silent_is_told_of_for_ten_minutes_and_then_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("flags.db"));
    report(&store, 1).await;
    report(&store, 2).await;
    let file = file(folder.path());
    let count = || file.query_row("SELECT count(*) FROM nodes_1", [], |row| row.get::<_, u32>(0)).unwrap();
    for (age, told) in [(9.0, vec![1, 2]), (585.0, vec![1, 2]), (10.0, vec![2])] {
        let older = "UPDATE nodes_1 SET seen = seen - ?1 WHERE id = '00000000000000000000000000000001'";
        assert_eq!(file.execute(older, [age]).unwrap(), 1);
        assert_eq!(ids(&store).await, told);
    }
    assert_eq!(count(), 2);
    report(&store, 2).await;
    assert_eq!(count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_node_is_forgotten_when_another_of_its_name_reports() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("flags.db"));
    for (id, name) in [(1, "one"), (2, "other"), (3, "one")] {
        report_as(&store, id, name).await;
    }
    let older = "UPDATE nodes_1 SET seen = seen - 11 WHERE id <> '00000000000000000000000000000003'";
    assert_eq!(file(folder.path()).execute(older, []).unwrap(), 2);
    assert_eq!(ids(&store).await, [1, 2, 3]);
    report_as(&store, 3, "one").await;
    assert_eq!(ids(&store).await, [2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_clock_that_was_set_back_leaves_in_the_future_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("flags.db"));
    report_as(&store, 1, "one").await;
    file(folder.path()).execute("UPDATE nodes_1 SET seen = seen + 3600", []).unwrap();
    report_as(&store, 2, "other").await;
    assert_eq!(ids(&store).await, [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_the_file_of_heartbeats_nodes_soon_report_again_and_the_flags_are_untouched() {
    let noise = "no database at all, and long enough to be one".repeat(400);
    let behind_the_header = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[4_096..].fill(0x5a);
        fs::write(path, bytes).unwrap();
    };
    let sql = |statement: &'static str| {
        move |path: &Path| rusqlite::Connection::open(path).unwrap().execute_batch(statement).unwrap()
    };
    let another_shape = sql("DROP TABLE nodes_1; CREATE TABLE nodes_1 (id TEXT)");
    let another_row =
        sql("INSERT INTO nodes_1 VALUES ('default', 'no number', 'x', 'y', 1, NULL, unixepoch('now'))");
    let rows: [(&str, Damage<'_>); 6] = [
        ("overwritten", &|path| fs::write(path, &noise).unwrap()),
        ("cut to nothing", &|path| fs::write(path, "").unwrap()),
        ("removed", &|path| fs::remove_file(path).unwrap()),
        ("damaged behind its header", &behind_the_header),
        ("of another shape", &another_shape),
        ("a row that is none", &another_row),
    ];
    for (what, damage) in rows {
        for is_at_work in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("flags.db");
            let (store, other) = (open(&path), open(&path));
            report(&store, 1).await;
            report(&other, 1).await;
            let snapshot = commit(&store, [created("a")]).await;
            let before = if is_at_work {
                Some((store, other))
            } else {
                drop((store, other));
                None
            };
            damage(&folder.path().join("flags.db.nodes"));
            let (store, other) = before.unwrap_or_else(|| (open(&path), open(&path)));
            // The first to find the damage loses its report and makes the file anew.
            for _ in 0..2 {
                for (store, id) in [(&store, 1), (&other, 2)] {
                    let _ = store.report(&environment(), &told(id, "node")).await;
                    let _ = store.nodes(&environment()).await;
                }
            }
            report(&store, 1).await;
            report(&other, 2).await;
            assert_eq!(ids(&store).await, [1, 2], "{what}, at work: {is_at_work}");
            assert_eq!(ids(&other).await, [1, 2], "{what}, at work: {is_at_work}");
            assert_eq!(whole(&store).await, snapshot, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_is_left_alone_and_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.db.nodes");
    fs::write(folder.path().join("notes"), "mine").unwrap();
    std::os::unix::fs::symlink(folder.path().join("notes"), &path).unwrap();
    let store = open(&folder.path().join("flags.db"));
    store.report(&environment(), &told(1, "node")).await.unwrap_err();
    let snapshot = commit(&store, [created("a")]).await;
    assert_eq!(whole(&store).await, snapshot);
    assert_eq!(fs::read_to_string(folder.path().join("notes")).unwrap(), "mine");
    fs::remove_file(&path).unwrap();
    report(&store, 1).await;
    assert_eq!(ids(&store).await, [1]);
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
