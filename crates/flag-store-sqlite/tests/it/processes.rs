//! Several processes on one file, and processes that are killed. This test binary starts itself again as those processes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use flag_core::{Snapshot, Version};
use flag_engine::{FlagStore, HistoryPage};

use crate::steps::{commit, created, environment, open, whole};

/// Where a child finds the database, and how its flags begin.
const PATH: &str = "CHILD_DATABASE";
const NAME: &str = "CHILD_NAME";
/// How many flags a child creates.
const FLAGS: u64 = 25;

fn child(path: &Path, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::as_a_child", "--ignored", "--nocapture"])
        .env(PATH, path)
        .env(NAME, name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "the other tests of this file start it as a process of its own"]
async fn as_a_child() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let name = std::env::var(NAME).unwrap();
    let store = open(Path::new(&path));
    for number in 0..FLAGS {
        let after = commit(&store, [created(&format!("{name}-{number}"))]).await;
        println!("\ncommitted {}", after.version().revision);
    }
}

#[tokio::test]
async fn processes_that_start_at_once_share_one_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.db");
    let children = ["a", "b", "c", "d"].map(|name| child(&path, name));
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let snapshot = whole(&open(&path)).await;
    assert_eq!((snapshot.version().revision, snapshot.len() as u64), (4 * FLAGS, 4 * FLAGS));
}

#[tokio::test]
async fn a_process_that_is_killed_loses_nothing_that_it_was_told_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    for acknowledged in [1, 7, 20] {
        let path = folder.path().join(format!("{acknowledged}.db"));
        let mut child = child(&path, "flag");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let told = lines.filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok());
        let last = told.take(acknowledged).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();

        let store = open(&path);
        let snapshot = whole(&store).await;
        assert!(snapshot.version().revision >= last, "{last} was acknowledged, {snapshot:?} is there");
        let page = HistoryPage { before: None, flag: None, limit: 100 };
        let log = store.history(&environment(), page).await.unwrap();
        let start = Snapshot::new(Version { revision: 0, ..snapshot.version() }, []);
        assert_eq!(log.iter().rev().fold(start, |s, entry| s.with(entry).unwrap()), snapshot);
    }
}
