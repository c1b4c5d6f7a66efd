//! The rows: written under compare-and-set, never edited in the log, and named when they cannot be read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flag_core::{FlagKey, Level, Revision, Version};
use flag_engine::{Appended, Fetched, FlagSource, FlagStore, HistoryPage, StoreError};
use flag_testkit::planned::Planned;
use flag_testkit::services::Postgres;
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;

use crate::database::{commit, connect, created, environment, store, whole};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_stores_that_write_at_once_one_is_first_and_the_log_has_no_gap() {
    let url = Postgres::shared().fresh_database();
    let stores = [store(&url).await, store(&url).await];
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let store = Arc::clone(&stores[writer % 2]);
        writers.spawn(async move {
            let mut committed: Vec<Revision> = Vec::new();
            while committed.len() < 5 {
                let base = whole(&store).await.unwrap();
                let planned = Planned::new(&base, [created(&format!("flag-{writer}-{}", committed.len()))]);
                match store.append(&environment(), base.version(), &planned.batch).await.unwrap() {
                    Appended::Committed => committed.push(planned.after.version().revision),
                    Appended::Conflict => {}
                }
            }
            committed
        });
    }
    let mut revisions = writers.join_all().await.concat();
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=40).collect::<Vec<_>>());
    assert_eq!(whole(&stores[0]).await.unwrap(), whole(&stores[1]).await.unwrap());
    assert_eq!(whole(&stores[0]).await.unwrap().len(), 40);
}

#[tokio::test]
async fn the_log_can_neither_be_edited_nor_cut() {
    let url = Postgres::shared().fresh_database();
    let store = store(&url).await;
    commit(&store, [created("a")]).await;
    let page = HistoryPage { before: None, flag: None, limit: 10 };
    let before = FlagStore::history(&*store, &environment(), page).await.unwrap();
    let client = connect(&url).await;
    for sql in [
        "UPDATE changes SET flag = 'b'",
        "UPDATE changes SET flag = 'b' WHERE revision = 99",
        "DELETE FROM changes",
        "TRUNCATE changes",
        "TRUNCATE environments CASCADE",
        "DELETE FROM environments",
        "UPDATE environments SET name = 'other'",
    ] {
        let refused = client.batch_execute(sql).await.unwrap_err();
        let message = refused.as_db_error().unwrap().message();
        assert!(message.contains("append-only"), "{sql}: {message}");
    }
    assert_eq!(FlagStore::history(&*store, &environment(), page).await.unwrap(), before);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_costs_its_flag_and_no_other() {
    let loose = "
        ALTER TABLE overrides DROP CONSTRAINT overrides_environment_flag_fkey, DROP CONSTRAINT overrides_pkey,
            DROP CONSTRAINT overrides_level_check, DROP CONSTRAINT overrides_variant_check;
        ALTER TABLE flags DROP CONSTRAINT flags_pkey, DROP CONSTRAINT flags_environment_fkey;
        ALTER TABLE flags ALTER environment DROP NOT NULL, ALTER key DROP NOT NULL, ALTER document DROP NOT NULL;
        ALTER TABLE overrides ALTER environment DROP NOT NULL, ALTER flag DROP NOT NULL, ALTER level DROP NOT NULL,
            ALTER subject DROP NOT NULL, ALTER variant DROP NOT NULL;";
    let url = Postgres::shared().fresh_database();
    let store = store(&url).await;
    let subject = flag_core::SubjectId::parse("u").unwrap();
    let (key, variant) = ("b".parse().unwrap(), flag_core::Variant::ON);
    let pinned = flag_core::Change::OverrideSet { key, level: Level::User, subject, variant };
    commit(&store, [created("a"), created("b"), pinned]).await;
    let client = connect(&url).await;
    let saved = "CREATE TABLE f AS TABLE flags; CREATE TABLE o AS TABLE overrides";
    client.batch_execute(&format!("{loose}{saved}")).await.unwrap();
    for (sql, missing, nameless) in [
        (r#"UPDATE flags SET document = document || '{"rules": []}' WHERE key = 'b'"#, "b", 0),
        (r#"UPDATE flags SET document = document || '{"rolloutPct": 101}' WHERE key = 'b'"#, "b", 0),
        (r#"UPDATE flags SET document = document || '{"revision": -1}' WHERE key = 'b'"#, "b", 0),
        (r#"UPDATE flags SET document = document || '{"salt": ""}' WHERE key = 'b'"#, "b", 0),
        (r#"UPDATE flags SET document = document || '{"key": "c"}' WHERE key = 'b'"#, "b c", 0),
        (r#"UPDATE flags SET document = document || '{"key": "a"}' WHERE key = 'b'"#, "b", 1),
        ("UPDATE flags SET document = '[]' WHERE key = 'b'", "b", 0),
        ("UPDATE flags SET document = to_jsonb(repeat('x', 10000000)) WHERE key = 'b'", "b", 0),
        ("UPDATE flags SET document = NULL WHERE key = 'b'", "b", 0),
        ("UPDATE flags SET key = NULL WHERE key = 'b'", "b", 0),
        ("UPDATE flags SET key = 'not a key' WHERE key = 'b'", "b", 0),
        ("UPDATE flags SET environment = NULL WHERE key = 'b'", "b", 0),
        ("DELETE FROM flags WHERE key = 'b'", "b", 0),
        ("UPDATE overrides SET flag = NULL", "", 1),
        ("UPDATE overrides SET level = 'planet'", "b", 0),
        ("UPDATE overrides SET level = NULL", "b", 0),
        ("UPDATE overrides SET subject = E'\\n'", "b", 0),
        ("UPDATE overrides SET subject = repeat('x', 10000000)", "b", 0),
        ("UPDATE overrides SET subject = NULL", "b", 0),
        ("UPDATE overrides SET variant = 'maybe'", "b", 0),
        ("UPDATE overrides SET variant = NULL", "b", 0),
    ] {
        let repaired = "DELETE FROM flags; INSERT INTO flags TABLE f; DELETE FROM overrides; INSERT INTO overrides TABLE o;";
        client.batch_execute(&format!("{repaired}{sql}")).await.unwrap();
        let snapshot = whole(&store).await.unwrap();
        let quarantine = snapshot.quarantine().unwrap_or_else(|| panic!("after {sql}: nobody noticed"));
        let found: Vec<&str> = quarantine.keys().map(FlagKey::as_str).collect();
        assert_eq!((found.join(" ").as_str(), quarantine.nameless()), (missing, nameless), "after {sql}");
        assert!(snapshot.flag("a").is_some(), "after {sql}");
        assert_eq!(snapshot.flag("b").is_none(), found.contains(&"b"), "after {sql}");
    }
    client.batch_execute("DELETE FROM flags WHERE key = 'b'; INSERT INTO overrides TABLE o").await.unwrap();
    let after = commit(&store, [flag_core::Change::FlagDeleted { key: "b".parse().unwrap() }]).await;
    assert_eq!((whole(&store).await.unwrap(), after.quarantine()), (after.clone(), None));
}

#[tokio::test]
async fn who_needs_a_log_that_cannot_be_read_gets_everything_and_its_readers_are_told_the_revision() {
    let open = "ALTER TABLE changes DISABLE TRIGGER ALL; ";
    for (sql, expected) in [
        (
            r#"UPDATE changes SET entry = jsonb_set(entry, '{change,type}', '"flag_painted"') WHERE revision = 2"#,
            "revision 2: ",
        ),
        (r#"UPDATE changes SET entry = entry || '{"revision": 7}' WHERE revision = 2"#, "revision 2: "),
        (
            "ALTER TABLE changes ALTER entry DROP NOT NULL; UPDATE changes SET entry = NULL WHERE revision = 2",
            "revision 2: ",
        ),
        ("DELETE FROM changes WHERE revision = 2", ""),
        ("DELETE FROM changes WHERE revision = 3", ""),
    ] {
        let url = Postgres::shared().fresh_database();
        let store = store(&url).await;
        let now = commit(&store, [created("a"), created("b"), created("c")]).await.version();
        connect(&url).await.batch_execute(&format!("{open}{sql}")).await.unwrap();
        let have = Version { revision: 1, ..now };
        let fetched = FlagSource::fetch(&*store, &environment(), Some(have)).await.unwrap();
        assert!(
            matches!(&fetched, Fetched::Snapshot(found) if found.version() == now && found.len() == 3),
            "{sql}"
        );
        let page = HistoryPage { before: None, flag: None, limit: 10 };
        match expected {
            "" => assert_eq!(FlagStore::history(&*store, &environment(), page).await.unwrap().len(), 2),
            expected => assert_names(FlagStore::history(&*store, &environment(), page).await, expected),
        }
    }
}

fn assert_names<T: std::fmt::Debug>(outcome: Result<T, StoreError>, expected: &str) {
    let error = outcome.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { what } if what.starts_with(expected)), "{error}");
}

#[tokio::test]
async fn an_acknowledged_change_waits_for_the_disk_whatever_the_server_defaults_to() {
    let url = Postgres::shared().fresh_database();
    let database = url.rsplit('/').next().unwrap().to_owned();
    let client = connect(&url).await;
    client
        .batch_execute(&format!("ALTER DATABASE \"{database}\" SET synchronous_commit = off"))
        .await
        .unwrap();
    let store = store(&url).await;
    // At the very end of the transaction it is noted under which setting it ends.
    let note = "CREATE TABLE noted (setting text); \
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN INSERT INTO noted SELECT current_setting('synchronous_commit'); RETURN NEW; END $$; \
        CREATE CONSTRAINT TRIGGER note AFTER INSERT ON changes DEFERRABLE INITIALLY DEFERRED \
        FOR EACH ROW EXECUTE FUNCTION note()";
    client.batch_execute(note).await.unwrap();
    commit(&store, [created("a")]).await;
    let noted: String = client.query_one("SELECT setting FROM noted", &[]).await.unwrap().get(0);
    assert_eq!(noted, "on");
}

#[tokio::test]
async fn a_batch_that_has_no_transaction_of_its_own_is_refused() {
    let url = Postgres::shared().fresh_database();
    let store = store(&url).await;
    let client = connect(&url).await;
    let append = "SELECT append_batch(name, epoch, revision, revision, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', \
        '{}', '{}', '{}', '{}', '{}', '{}', '{}', '1 day', 1) FROM environments";
    for begin in ["", "BEGIN; "] {
        let refused = client.batch_execute(&format!("{begin}{append}")).await.unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::NO_ACTIVE_SQL_TRANSACTION), "{begin}");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    client
        .batch_execute(&format!("BEGIN; SET LOCAL flag.is_writing = 'on'; {append}; COMMIT"))
        .await
        .unwrap();
    // On the same connection, which has been told once.
    assert!(client.batch_execute(append).await.is_err());
    commit(&store, [created("a")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_flags_with_a_hundred_overrides_each_are_loaded_in_bounded_time() {
    let url = Postgres::shared().fresh_database();
    let store = store(&url).await;
    let one = commit(&store, [created("template")]).await;
    let fill = r#"
        INSERT INTO flags SELECT 'default', 'flag-' || n, f.document || jsonb_build_object('key', 'flag-' || n)
            FROM flags f, generate_series(1, 10000) n;
        INSERT INTO overrides SELECT 'default', 'flag-' || n, 'user', 'user-' || m, 'on'
            FROM generate_series(1, 10000) n, generate_series(1, 100) m;
        UPDATE environments SET revision = 5000"#;
    connect(&url).await.batch_execute(fill).await.unwrap();
    let started = Instant::now();
    let Fetched::Snapshot(snapshot) =
        FlagSource::fetch(&*store, &environment(), Some(one.version())).await.unwrap()
    else {
        panic!("a node that is far behind gets everything");
    };
    let taken = started.elapsed();
    println!("a million overrides were loaded in {taken:?}");
    assert_eq!(snapshot.len(), 10_001);
    assert!(snapshot.flags().filter(|flag| flag.overrides.len(Level::User) == 100).count() == 10_000);
    assert!(taken < Duration::from_secs(30), "{taken:?}");
}
