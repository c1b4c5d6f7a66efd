//! Rows that no release has written: they are reported by name, never guessed at, never a panic.

use std::path::PathBuf;

use flag_core::{FlagKey, Version};
use flag_engine::{Fetched, FlagStore, HistoryPage, StoreError};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::steps::{commit, created, deleted, environment, fetch, open, pinned, whole};

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
async fn a_row_that_cannot_be_read_costs_its_flag_and_no_other() {
    for (sql, missing, nameless) in [
        ("UPDATE flags SET document = '{' WHERE key = 'a'", "a", 0),
        ("UPDATE flags SET document = json_set(document, '$.rules', 1) WHERE key = 'a'", "a", 0),
        ("UPDATE flags SET document = json_set(document, '$.rolloutPct', 101) WHERE key = 'a'", "a", 0),
        ("UPDATE flags SET document = json_set(document, '$.revision', -1) WHERE key = 'a'", "a", 0),
        ("UPDATE flags SET document = json_set(document, '$.salt', '') WHERE key = 'a'", "a", 0),
        ("UPDATE flags SET document = json_set(document, '$.createdAt', 'today') WHERE key = 'a'", "a", 0),
        ("UPDATE flags SET document = CAST(x'ff' AS TEXT) WHERE key = 'a'", "a", 0),
        ("UPDATE flags SET document = CAST(zeroblob(10000000) AS TEXT) WHERE key = 'a'", "a", 0),
        // The key that it claims has a row of its own.
        ("UPDATE flags SET document = json_set(document, '$.key', 'b') WHERE key = 'a'", "a", 1),
        ("UPDATE flags SET key = 'not a key' WHERE key = 'b'", "b", 0),
        ("UPDATE flags SET key = 'c' WHERE key = 'b'", "b c", 0),
        ("DELETE FROM flags WHERE key = 'a'", "a", 0),
        ("UPDATE overrides SET subject = ''", "a", 0),
        ("UPDATE overrides SET level = 'planet'", "a", 0),
        ("UPDATE overrides SET variant = 'maybe'", "a", 0),
        ("UPDATE overrides SET flag = 'not a key'", "", 1),
    ] {
        let (_folder, path) = meddled(sql).await;
        let snapshot = whole(&open(&path)).await;
        let quarantine = snapshot.quarantine().unwrap_or_else(|| panic!("after {sql}: nobody noticed"));
        let found: Vec<&str> = quarantine.keys().map(FlagKey::as_str).collect();
        assert_eq!((found.join(" ").as_str(), quarantine.nameless()), (missing, nameless), "after {sql}");
        let left = ["a", "b"].into_iter().filter(|flag| !found.contains(flag));
        assert!(left.clone().all(|flag| snapshot.flag(flag).is_some()), "after {sql}");
        assert_eq!(snapshot.len(), left.count(), "after {sql}");
    }
}

#[tokio::test]
async fn columns_that_hold_no_text_cost_their_flag_and_no_other() {
    let loose = "
        CREATE TABLE f AS SELECT * FROM flags; CREATE TABLE o AS SELECT * FROM overrides;
        DROP TABLE overrides; DROP TABLE flags; ALTER TABLE f RENAME TO flags; ALTER TABLE o RENAME TO overrides;";
    for (sql, missing, nameless) in [
        ("UPDATE flags SET document = NULL WHERE key = 'a'", "a", 0),
        ("UPDATE flags SET document = 7 WHERE key = 'a'", "a", 0),
        ("UPDATE flags SET document = CAST(document AS BLOB) WHERE key = 'a'", "a", 0),
        ("UPDATE flags SET key = NULL WHERE key = 'b'", "b", 0),
        ("UPDATE flags SET key = x'62' WHERE key = 'b'", "b", 0),
        ("UPDATE flags SET key = NULL, document = NULL WHERE key = 'b'", "", 1),
        ("UPDATE flags SET environment = NULL WHERE key = 'a'", "a", 0),
        ("INSERT INTO flags SELECT * FROM flags WHERE key = 'a'", "a", 0),
        ("UPDATE overrides SET flag = NULL", "", 1),
        ("UPDATE overrides SET level = NULL", "a", 0),
        ("UPDATE overrides SET level = x'75736572'", "a", 0),
        ("UPDATE overrides SET subject = x'75'", "a", 0),
        ("UPDATE overrides SET subject = NULL", "a", 0),
        ("UPDATE overrides SET variant = 1", "a", 0),
        ("UPDATE overrides SET variant = NULL", "a", 0),
        ("INSERT INTO overrides SELECT * FROM overrides", "a", 0),
    ] {
        let (_folder, path) = meddled(&format!("{loose}{sql}")).await;
        let snapshot = whole(&open(&path)).await;
        let quarantine = snapshot.quarantine().unwrap_or_else(|| panic!("after {sql}: nobody noticed"));
        let found: Vec<&str> = quarantine.keys().map(FlagKey::as_str).collect();
        assert_eq!((found.join(" ").as_str(), quarantine.nameless()), (missing, nameless), "after {sql}");
        let left = ["a", "b"]
            .into_iter()
            .filter(|flag| !found.contains(flag) && !sql.contains("document = NULL WHERE key = 'b'"));
        assert!(left.clone().all(|flag| snapshot.flag(flag).is_some()), "after {sql}");
    }
}

#[tokio::test]
async fn an_environment_that_cannot_be_read_is_reported() {
    for (sql, expected) in [
        ("UPDATE environments SET epoch = 'once upon a time'", "the epoch of environment default"),
        ("UPDATE environments SET revision = -1", "the revision of environment default"),
        ("DELETE FROM environments", "there is no environment default"),
    ] {
        let (_folder, path) = meddled(sql).await;
        assert_names(fetch(&open(&path), None).await, sql, expected);
    }
}

#[tokio::test]
async fn a_flag_that_cannot_be_read_is_deleted_with_the_overrides_that_lost_it() {
    let (_folder, path) = meddled("DELETE FROM flags WHERE key = 'a'").await;
    let after = commit(&open(&path), [deleted("a")]).await;
    assert_eq!((after.len(), after.quarantine()), (1, None));
    assert_eq!(whole(&open(&path)).await, after);
}

#[tokio::test]
async fn who_needs_a_log_that_cannot_be_read_gets_everything_and_its_readers_are_told_the_revision() {
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
        let fetched = fetch(&store, Some(Version { revision: 1, ..version })).await.unwrap();
        assert!(
            matches!(&fetched, Fetched::Snapshot(found) if found.version() == version),
            "{sql}: {fetched:?}"
        );
        let page = HistoryPage { before: None, flag: None, limit: 10 };
        assert_names(store.history(&environment(), page).await, sql, expected);
    }
}

#[tokio::test]
async fn who_needs_what_the_log_lacks_gets_everything() {
    for revision in [2, 3] {
        let sql = format!("DELETE FROM changes WHERE revision = {revision}");
        let (_folder, path) = meddled(&sql).await;
        let store = open(&path);
        let version = whole(&store).await.version();
        let fetched = fetch(&store, Some(Version { revision: 1, ..version })).await.unwrap();
        assert!(matches!(&fetched, Fetched::Snapshot(found) if found.version() == version), "{fetched:?}");
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
