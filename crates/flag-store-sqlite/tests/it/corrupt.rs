//! Rows that no release has written: they are reported by name, never guessed at, never a panic.

use std::path::PathBuf;

use flag_core::Version;
use flag_engine::{FlagSource, FlagStore, HistoryPage, StoreError};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::steps::{commit, created, environment, fetch, open, pinned, whole};

/// A database with the flags `a` and `b` and three entries, into which somebody has meddled.
async fn meddled(sql: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.db");
    commit(&open(&path), [created("a"), created("b"), pinned("a", "u")]).await;
    let connection = Connection::open(&path).unwrap();
    let lifted = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;
        DROP TRIGGER changes_are_never_rewritten; DROP TRIGGER changes_are_never_deleted;";
    connection.execute_batch(lifted).unwrap();
    connection.execute_batch(sql).unwrap();
    (folder, path)
}

fn assert_names<T>(result: Result<T, StoreError>, sql: &str, expected: &str) {
    match result {
        Err(StoreError::Corrupt { what }) => assert!(what.contains(expected), "after {sql}: {what}"),
        Err(other) => panic!("after {sql}: {other:?}"),
        Ok(_) => panic!("after {sql}: nobody noticed"),
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_reported_by_its_flag() {
    for (sql, expected) in [
        ("UPDATE flags SET document = '{' WHERE key = 'a'", "flag \"a\""),
        (
            "UPDATE flags SET document = json_set(document, '$.rules', 1) WHERE key = 'a'",
            "unknown field `rules`",
        ),
        ("UPDATE flags SET document = json_set(document, '$.rolloutPct', 101) WHERE key = 'a'", "flag \"a\""),
        (
            "UPDATE flags SET document = json_set(document, '$.createdAt', 'today') WHERE key = 'a'",
            "flag \"a\"",
        ),
        ("UPDATE flags SET document = json_set(document, '$.key', 'b') WHERE key = 'a'", "flag \"a\""),
        ("UPDATE flags SET document = CAST(x'ff' AS TEXT) WHERE key = 'a'", "flag \"a\""),
        ("UPDATE flags SET key = 'not a key' WHERE key = 'b'", "flag \"not a key\""),
        ("DELETE FROM flags WHERE key = 'a'", "override of flag \"a\""),
        ("UPDATE overrides SET subject = ''", "override of flag \"a\": its subject must not be empty"),
        ("UPDATE overrides SET level = 'planet'", "unknown level \"planet\""),
        ("UPDATE overrides SET variant = 'maybe'", "unknown variant \"maybe\""),
        ("UPDATE environments SET epoch = 'once upon a time'", "the epoch of environment default"),
        ("UPDATE environments SET revision = -1", "the revision of environment default"),
        ("DELETE FROM environments", "there is no environment default"),
    ] {
        let (_folder, path) = meddled(sql).await;
        assert_names(fetch(&open(&path), None).await, sql, expected);
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_reported_by_its_revision() {
    for (sql, expected) in [
        ("UPDATE changes SET entry = 'null' WHERE revision = 2", "revision 2"),
        ("UPDATE changes SET entry = json_set(entry, '$.revision', 7) WHERE revision = 2", "revision 2"),
        (
            "UPDATE changes SET entry = json_set(entry, '$.change.type', 'moved') WHERE revision = 2",
            "revision 2",
        ),
        ("UPDATE changes SET entry = json_set(entry, '$.change.key', 'c') WHERE revision = 2", "revision 2"),
        ("UPDATE changes SET flag = 'c' WHERE revision = 2", "revision 2"),
    ] {
        let (_folder, path) = meddled(sql).await;
        let store = open(&path);
        let version = whole(&store).await.version();
        assert_names(fetch(&store, Some(Version { revision: 1, ..version })).await, sql, expected);
        let page = HistoryPage { before: None, flag: None, limit: 10 };
        assert_names(store.history(&environment(), page).await, sql, expected);
    }
}

#[tokio::test]
async fn a_gap_in_the_log_is_reported() {
    for revision in [2, 3] {
        let sql = format!("DELETE FROM changes WHERE revision = {revision}");
        let (_folder, path) = meddled(&sql).await;
        let store = open(&path);
        let have = Version { revision: 1, ..whole(&store).await.version() };
        let fetched = store.fetch(&environment(), Some(have)).await;
        assert_names(fetched, &sql, &format!("lacks revision {revision}"));
    }
}

#[tokio::test]
async fn a_row_that_is_in_the_way_of_a_batch_is_reported_and_nothing_is_written() {
    let (_folder, path) = meddled("INSERT INTO changes VALUES ('default', 4, 'a', '{}')").await;
    let store = open(&path);
    let base = whole(&store).await;
    let planned = flag_testkit::planned::Planned::new(&base, [created("c")]);
    let appended = store.append(&environment(), base.version(), &planned.batch).await;
    assert_names(appended, "a fourth entry", "UNIQUE");
    assert_eq!(whole(&store).await, base);
}

#[tokio::test]
async fn the_log_can_be_neither_rewritten_nor_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.db");
    commit(&open(&path), [created("a")]).await;
    let connection = Connection::open(&path).unwrap();
    for sql in [
        "UPDATE changes SET entry = '{}'",
        "DELETE FROM changes",
        "UPDATE changes SET revision = revision + 1",
    ] {
        let error = connection.execute(sql, []).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
}
