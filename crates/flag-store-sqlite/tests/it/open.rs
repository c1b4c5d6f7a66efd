//! Opening: what is there stays, what is missing is made, what is from the future is left alone.

use std::sync::Barrier;
use std::time::Duration;

use flag_engine::{Appended, Batch, FlagStore, StoreError};
use flag_store_sqlite::{OpenError, SqliteStore};
use flag_testkit::planned::Planned;
use rusqlite::Connection;

use crate::steps::{commit, created, environment, open, pinned, whole};

#[tokio::test]
async fn a_store_that_is_opened_again_has_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/yet/there.db");
    let store = open(&path);
    let before = commit(&store, [created("a"), pinned("a", "u"), created("b")]).await;
    drop(store);
    assert_eq!(whole(&open(&path)).await, before);
}

#[test]
fn migrating_again_applies_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.db");
    let first = SqliteStore::migrate(&path).unwrap();
    assert!(first.applied > 0 && i64::try_from(first.applied) == Ok(first.version), "{first:?}");
    let again = SqliteStore::migrate(&path).unwrap();
    assert_eq!((again.applied, again.version), (0, first.version));
}

#[tokio::test]
async fn stores_on_one_file_see_each_other_and_never_commit_onto_the_same_base() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.db");
    let (one, other) = (open(&path), open(&path));
    let base = commit(&one, [created("a")]).await;
    assert_eq!(whole(&other).await, base);

    let planned = Planned::new(&base, [created("b")]);
    let rival = Planned::new(&base, [created("c")]);
    let appended = one.append(&environment(), base.version(), &planned.batch).await.unwrap();
    assert_eq!(appended, Appended::Committed);
    for batch in [&rival.batch, &Batch::default()] {
        let appended = other.append(&environment(), base.version(), batch).await.unwrap();
        assert_eq!(appended, Appended::Conflict);
    }
    assert_eq!(whole(&other).await, planned.after);
}

#[test]
fn many_may_open_a_file_that_does_not_exist_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..8 {
        let path = folder.path().join(format!("{round}.db"));
        let start = Barrier::new(6);
        let applied: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        SqliteStore::migrate(&path).unwrap().applied
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(i64::try_from(applied), Ok(SqliteStore::migrate(&path).unwrap().version));
    }
}

#[test]
fn a_database_of_a_newer_release_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.db");
    let own = SqliteStore::migrate(&path).unwrap().version;
    let newer = "INSERT INTO refinery_schema_history SELECT 99, 'rules', applied_on, checksum FROM refinery_schema_history WHERE version = 1";
    Connection::open(&path).unwrap().execute(newer, []).unwrap();
    for error in [SqliteStore::open(&path).err().unwrap(), SqliteStore::migrate(&path).err().unwrap()] {
        assert!(matches!(error, OpenError::Newer { found: 99, known } if known == own), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!(
                "the database is at migration 99, and this release knows only up to {own}: use the newer release, or restore the backup made before the upgrade"
            )
        );
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    std::fs::write(&path, "Dear Sir or Madam, ".repeat(100)).unwrap();
    let error = SqliteStore::open(&path).err().unwrap();
    assert!(matches!(error, OpenError::Sqlite { .. }), "{error:?}");
    assert!(error.to_string().ends_with("letter.txt"), "{error}");
    let below = path.join("flags.db");
    assert!(matches!(SqliteStore::open(&below), Err(OpenError::Io { .. })));
}

#[tokio::test]
async fn while_another_process_holds_the_lock_reads_go_on_and_a_write_is_unavailable_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.db");
    let store = open(&path);
    let base = commit(&store, [created("a")]).await;
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let planned = Planned::new(&base, [created("b")]);
    let environment = environment();
    let append = store.append(&environment, base.version(), &planned.batch);
    let appended = tokio::time::timeout(Duration::from_millis(2_500), append).await.unwrap();
    assert!(matches!(appended, Err(StoreError::Unavailable(_))), "{appended:?}");
    assert_eq!(whole(&store).await, base);
    assert_eq!(
        store.append(&environment, base.version(), &Batch::default()).await.unwrap(),
        Appended::Committed
    );
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(commit(&store, [created("b")]).await, planned.after);
}

#[tokio::test]
async fn a_batch_that_breaks_off_half_way_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("flags.db"));
    let base = commit(&store, [created("a")]).await;
    let Batch { mut entries, rows, receipts } = Planned::new(&base, [created("b"), created("c")]).batch;
    entries[1].revision += 1;
    let appended = store.append(&environment(), base.version(), &Batch { entries, rows, receipts }).await;
    assert!(matches!(appended, Err(StoreError::Corrupt { .. })), "{appended:?}");
    assert_eq!(whole(&store).await, base);
    assert_eq!(commit(&store, [created("b")]).await.version().revision, 2);
}
